// Package eventstoretest is the test suite for implementations of
// eventstore.Log. A store's test opens its log and calls Run, RunDurable and
// RunImport. The package's own tests run the suite against logs that are broken
// on purpose, and check that it fails.
package eventstoretest

import (
	"context"
	"slices"
	"testing"
	"time"

	"chirp/internal/eventstore"
)

// Open opens a new, empty log for a test, and arranges with t.Cleanup that it
// is closed.
type Open func(t testing.TB) eventstore.Log

// Case is one test of the suite. Its waits end with t's context, and after a
// minute at the latest.
type Case struct {
	// Name says what a log that passes does.
	Name string
	Run  func(t testing.TB, open Open)
}

// Run runs every case against logs that open returns.
func Run(t *testing.T, open func(t testing.TB) eventstore.Log) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, open) })
	}
}

// Cases returns the cases of Run, so that a test can check that a broken log fails
// the case about its flaw.
func Cases() []Case {
	return slices.Concat(appendCases(), raceCases(), commandCases(), readCases(), followCases())
}

// hangGuard ends waits that would never end. It is far longer than any case takes.
const hangGuard = time.Minute

// guarded returns the context of a case.
func guarded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	t.Cleanup(cancel)
	return ctx
}
