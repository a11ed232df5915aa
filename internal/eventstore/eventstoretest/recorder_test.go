package eventstoretest_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"chirp/internal/eventstore/eventstoretest"
)

// brokenPatience is how long a case may wait for a broken log. It does not apply
// to logs that work.
const brokenPatience = 2 * time.Second

// recorder replaces a test that should fail: it records the failures.
type recorder struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

// failure runs a case with a recorder and returns the first failure, or "" if it
// passed.
func failure(t testing.TB, run func(t testing.TB)) string {
	ctx, cancel := context.WithTimeout(t.Context(), brokenPatience)
	defer cancel()
	r := &recorder{TB: t, ctx: ctx}
	ended := make(chan struct{})
	go func() { // so that FailNow can end it
		defer close(ended)
		defer r.cleanUp()
		run(r)
	}()
	<-ended
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failures) == 0 {
		return ""
	}
	return r.failures[0]
}

// Cleanup may be called concurrently, like that of a test.
func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) cleanUp() {
	r.mu.Lock()
	cleanups := r.cleanups
	r.mu.Unlock()
	for i := len(cleanups) - 1; i >= 0; i-- {
		cleanups[i]()
	}
}

func (r *recorder) record(msg string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, msg)
}

func (r *recorder) Context() context.Context      { return r.ctx }
func (r *recorder) Helper()                       {}
func (r *recorder) Error(args ...any)             { r.record(fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, args ...any)  { r.record(fmt.Sprintf(f, args...)) }
func (r *recorder) Fatal(args ...any)             { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any)  { r.Errorf(f, args...); runtime.Goexit() }
func (r *recorder) FailNow()                      { r.Fatal("FailNow") }
func (r *recorder) Fail()                         { r.Error("Fail") }
func (r *recorder) Log(args ...any)               {}
func (r *recorder) Logf(format string, ar ...any) {}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

// caseNamed finds a part of the suite.
func caseNamed(t testing.TB, name string) eventstoretest.Case {
	t.Helper()
	for _, c := range eventstoretest.Cases() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("the suite has no case %q", name)
	return eventstoretest.Case{}
}
