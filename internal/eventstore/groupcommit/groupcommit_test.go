package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/eventstore"
	"chirp/internal/eventstore/groupcommit"
)

var errClosed = errors.New("closed")

type queue = groupcommit.Queue[string]

// caller is a call of Do in a goroutine. Its results are read after
// synctest.Wait.
type caller struct {
	err   error
	ended bool
}

func do(ctx context.Context, q *queue, work string) *caller {
	c := &caller{}
	go func() {
		c.err = q.Do(ctx, work)
		c.ended = true
	}()
	synctest.Wait() // so that the jobs are in the order of the calls
	return c
}

func (c *caller) want(t *testing.T, when string, notAppended bool, want error) {
	t.Helper()
	synctest.Wait()
	if !c.ended || !errors.Is(c.err, want) || errors.Is(c.err, eventstore.ErrNotAppended) != notAppended {
		t.Errorf("%s: Do returned %t, error %v; want %v, ErrNotAppended %t", when, c.ended, c.err, want, notAppended)
	}
}

func (c *caller) wantWaiting(t *testing.T, when string) {
	t.Helper()
	synctest.Wait()
	if c.ended {
		t.Errorf("%s: Do returned error %v, want that it waits", when, c.err)
	}
}

func work(jobs []*groupcommit.Job[string]) []string {
	all := []string{}
	for _, j := range jobs {
		all = append(all, j.Work)
	}
	return all
}

// finish ends what is in a queue, so that no goroutine is left.
func finish(q *queue) {
	for q.Len() > 0 {
		for _, j := range q.Take(all) {
			j.Finish(nil)
		}
		synctest.Wait() // those that waited for room come in
	}
}

func all(string) groupcommit.Choice { return groupcommit.Take }

func TestTakeLetsTheWorkerChoose(t *testing.T) {
	for _, c := range []struct {
		name        string
		choices     map[string]groupcommit.Choice
		taken, left []string
	}{
		{"all", nil, []string{"a", "b", "c"}, []string{}},
		{"but one that does not suit", map[string]groupcommit.Choice{"b": groupcommit.Leave}, []string{"a", "c"}, []string{"b"}},
		{"up to one that is too much", map[string]groupcommit.Choice{"b": groupcommit.Stop}, []string{"a"}, []string{"b", "c"}},
		{"none", map[string]groupcommit.Choice{"a": groupcommit.Stop}, []string{}, []string{"a", "b", "c"}},
		{"one left, then too much", map[string]groupcommit.Choice{"a": groupcommit.Leave, "c": groupcommit.Stop}, []string{"b"}, []string{"a", "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := groupcommit.New[string](10, errClosed)
				for _, w := range []string{"a", "b", "c"} {
					do(t.Context(), q, w)
				}
				group := q.Take(func(w string) groupcommit.Choice { return c.choices[w] })
				if got := work(group); !slices.Equal(got, c.taken) {
					t.Errorf("the group: got %q, want %q", got, c.taken)
				}
				left := q.Take(all)
				if got := work(left); !slices.Equal(got, c.left) {
					t.Errorf("what is left: got %q, want %q", got, c.left)
				}
				for _, j := range slices.Concat(group, left) {
					j.Finish(nil)
				}
			})
		})
	}
}

func TestDoReturnsTheOutcomeOfItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := groupcommit.New[string](10, errClosed)
		one, other := do(t.Context(), q, "one"), do(t.Context(), q, "other")
		group := q.Take(all)
		one.wantWaiting(t, "before its outcome")
		refused := errors.New("refused")
		group[1].Finish(refused)
		other.want(t, "after its outcome", false, refused)
		one.wantWaiting(t, "before its outcome")
		group[0].Finish(nil)
		one.want(t, "after its outcome", false, nil)
	})
}

func TestACallerThatGivesUpLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := groupcommit.New[string](1, errClosed)
		why := errors.New("the caller has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		taken := do(ctx, q, "taken")
		group := q.Take(all)
		queued := do(ctx, q, "queued")
		outside := do(ctx, q, "outside")
		outside.wantWaiting(t, "while the queue is full")
		cancel(why)
		taken.want(t, "one whose job was taken", false, why)
		queued.want(t, "one whose job was in the queue", true, why)
		outside.want(t, "one that waited for room", true, why)
		do(ctx, q, "late").want(t, "one that had given up before", true, why)
		if n := q.Len(); n != 0 {
			t.Errorf("the queue has %d jobs, want none", n)
		}
		group[0].Finish(nil) // is no problem
		next := do(t.Context(), q, "next")
		if got := work(q.Take(all)); !slices.Equal(got, []string{"next"}) {
			t.Errorf("the room that was left is not used: got %q, want the next job", got)
		}
		next.wantWaiting(t, "after it was taken")
		finish(q)
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := groupcommit.New[string](3, errClosed)
		var callers []*caller
		for i := range 5 {
			callers = append(callers, do(t.Context(), q, fmt.Sprint(i)))
		}
		if n := q.Len(); n != 3 {
			t.Errorf("the queue has %d jobs, want 3", n)
		}
		if got := len(q.Take(all)); got != 3 {
			t.Errorf("the first group has %d jobs, want 3", got)
		}
		synctest.Wait()
		if n := q.Len(); n != 2 {
			t.Errorf("after a group was taken the queue has %d jobs, want 2", n)
		}
		finish(q)
		callers[4].want(t, "the last", false, nil)
	})
}

func TestCloseLeavesWhatWasQueuedToTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := groupcommit.New[string](1, errClosed)
		queued, outside := do(t.Context(), q, "queued"), do(t.Context(), q, "outside")
		q.Close()
		q.Close()
		outside.want(t, "one that waited for room", true, errClosed)
		do(t.Context(), q, "late").want(t, "one after Close", true, errClosed)
		queued.wantWaiting(t, "one whose job was in the queue")
		if !q.Wait() {
			t.Error("Wait says that there is nothing to do, want the queued job")
		}
		finish(q)
		queued.want(t, "once it was written", false, nil)
		if q.Wait() {
			t.Error("Wait says that there is something to do in a closed, empty queue")
		}
	})
}

// Whatever comes and goes, every job is either written once or reported as not
// appended.
func TestEveryJobIsAccountedFor(t *testing.T) {
	q := groupcommit.New[string](8, errClosed)
	var written, refused, inDoubt atomic.Int64
	var worker sync.WaitGroup
	worker.Go(func() {
		for q.Wait() {
			n := 0
			for _, j := range q.Take(func(string) groupcommit.Choice {
				if n++; n > 5 {
					return groupcommit.Stop
				}
				return groupcommit.Take
			}) {
				written.Add(1)
				j.Finish(nil)
			}
		}
	})
	const callers, calls = 20, 500
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range calls {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((c*i)%50)*time.Microsecond)
				switch err := q.Do(ctx, "job"); {
				case errors.Is(err, eventstore.ErrNotAppended):
					refused.Add(1)
				case err != nil:
					inDoubt.Add(1)
				}
				cancel()
			}
		})
	}
	all.Wait()
	q.Close()
	worker.Wait()
	if got := written.Load() + refused.Load(); got != callers*calls {
		t.Errorf("%d jobs were written and %d refused, want %d together", written.Load(), refused.Load(), callers*calls)
	}
	t.Logf("%d written, %d of them unknown to their callers, %d refused", written.Load(), inDoubt.Load(), refused.Load())
}
