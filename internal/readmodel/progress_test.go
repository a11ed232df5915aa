package readmodel_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

var errAway = domain.Errorf(domain.Unavailable, "the store is away")

// at is a generation at a position.
func at(number int, position domain.Position) readmodel.Generation {
	return readmodel.Generation{Number: number, Checkpoint: readmodel.Checkpoint{Position: position}}
}

// waiter is a call of Await in a goroutine. Its results are read after
// synctest.Wait.
type waiter struct {
	position domain.Position
	err      error
	ended    bool
}

func wait(ctx context.Context, p *readmodel.Progress, beyond domain.Position) *waiter {
	w := &waiter{}
	go func() {
		w.position, w.err = p.Await(ctx, beyond)
		w.ended = true
	}()
	return w
}

func (w *waiter) want(t *testing.T, when string, position domain.Position, err error) {
	t.Helper()
	synctest.Wait()
	if !w.ended || w.position != position || !errors.Is(w.err, err) {
		t.Errorf("%s: Await returned %t, %d and error %v; want %d, %v", when, w.ended, w.position, w.err, position, err)
	}
}

func (w *waiter) wantWaiting(t *testing.T, when string) {
	t.Helper()
	synctest.Wait()
	if w.ended {
		t.Errorf("%s: Await returned %d and error %v, want that it waits", when, w.position, w.err)
	}
}

func TestProgressWakesThoseWhoseTimeHasCome(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*readmodel.Progress)
		report func(*readmodel.Progress)
		wakes  bool
		at     domain.Position
	}{
		{"a commit", nil, func(p *readmodel.Progress) { p.Advance(2, 6) }, true, 6},
		{"a commit that is not beyond", nil, func(p *readmodel.Progress) { p.Advance(2, 5) }, false, 0},
		{"a commit to a generation that is being built", nil, func(p *readmodel.Progress) { p.Advance(3, 9) }, false, 0},
		{"a commit to a generation that served before", nil, func(p *readmodel.Progress) { p.Advance(1, 9) }, false, 0},
		{"a reading", nil, func(p *readmodel.Progress) { p.Observe(at(2, 7)) }, true, 7},
		{"a reading of a generation that serves since", nil, func(p *readmodel.Progress) { p.Observe(at(3, 8)) }, true, 8},
		{"a reading of a generation that served before", nil, func(p *readmodel.Progress) { p.Observe(at(1, 9)) }, false, 0},
		{"a reading of another generation that has not come as far", nil, func(p *readmodel.Progress) { p.Observe(at(3, 1)) }, false, 0},
		{"a snapshot of a generation that serves since", nil, func(p *readmodel.Progress) { p.ObserveSwitch(at(3, 8)) }, true, 8},
		{"a snapshot of the same generation", nil, func(p *readmodel.Progress) { p.ObserveSwitch(at(2, 8)) }, false, 0},
		{"a snapshot when nothing is known", func(p *readmodel.Progress) { p.SetServing(at(0, 0)) }, func(p *readmodel.Progress) { p.ObserveSwitch(at(2, 8)) }, false, 0},
		{"another generation, though with a lower number", nil, func(p *readmodel.Progress) { p.SetServing(at(1, 6)) }, true, 6},
		{"none that serves", nil, func(p *readmodel.Progress) { p.SetServing(at(0, 0)) }, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var p readmodel.Progress
				p.SetServing(at(2, 5))
				if c.before != nil {
					c.before(&p)
				}
				w := wait(ctx, &p, 5)
				w.wantWaiting(t, "before")
				c.report(&p)
				if c.wakes {
					w.want(t, "after", c.at, nil)
				} else {
					w.wantWaiting(t, "after")
				}
			})
		})
	}
}

func TestProgressAnswersAtOnceWithWhatItKnows(t *testing.T) {
	var p readmodel.Progress
	p.Observe(at(1, 5))
	p.Observe(at(1, 4)) // was overtaken
	for _, beyond := range []domain.Position{-1, 0, 4} {
		if got, err := p.Await(t.Context(), beyond); got != 5 || err != nil {
			t.Errorf("Await beyond %d: got %d, %v; want 5", beyond, got, err)
		}
	}
	for _, c := range []struct {
		g    readmodel.Generation
		want bool
	}{{at(1, 4), false}, {at(1, 5), true}, {at(1, 6), true}, {at(2, 0), true}, {at(0, 9), false}} {
		if got := p.IsCurrent(c.g); got != c.want {
			t.Errorf("IsCurrent of %+v: got %t, want %t", c.g, got, c.want)
		}
	}
}

func TestProgressWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p readmodel.Progress
		p.SetServing(at(1, 3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w := wait(ctx, &p, 3)
		time.Sleep(time.Second)
		w.want(t, "after its timeout", 3, context.DeadlineExceeded)
	})
}

// store is what a Progress reads.
type store struct {
	mu       sync.Mutex
	serving  readmodel.Generation
	err      error
	reads    int
	moved    chan struct{}
	signed   int // subscriptions that are open
	progress readmodel.Progress
}

func newStore(serving readmodel.Generation) *store {
	s := &store{serving: serving, moved: make(chan struct{})}
	s.progress.Every, s.progress.Read = time.Second, s.read
	s.progress.Subscribe = func() (<-chan struct{}, func()) {
		s.set(func() { s.signed++ })
		return s.moved, func() { s.set(func() { s.signed-- }) }
	}
	return s
}

func (s *store) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *store) read(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads++; s.err != nil {
		return s.err
	}
	s.progress.Observe(s.serving)
	return nil
}

func (s *store) wantReads(t *testing.T, when string, want int) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads != want {
		t.Errorf("%s: the checkpoint was read %d times, want %d", when, s.reads, want)
	}
}

func TestProgressReadsWhileCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(at(1, 5))
		p := &s.progress
		s.wantReads(t, "before anything waits", 0)
		first := wait(t.Context(), p, 4)
		first.want(t, "a first call", 5, nil)
		s.wantReads(t, "for a first call", 1)
		time.Sleep(10 * time.Second)
		s.wantReads(t, "while nothing waits", 1)

		one, other := wait(t.Context(), p, 5), wait(t.Context(), p, 6)
		s.wantReads(t, "when two calls begin to wait", 2)
		time.Sleep(1500 * time.Millisecond)
		s.wantReads(t, "while two calls wait", 3)
		s.set(func() { s.serving = at(1, 6) })
		one.wantWaiting(t, "before the next reading")
		s.moved <- struct{}{}
		one.want(t, "after a signal", 6, nil)
		other.wantWaiting(t, "after a signal")
		s.set(func() { s.serving = at(2, 7) })
		time.Sleep(time.Second)
		other.want(t, "after another generation's turn", 7, nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s.signed != 0 {
			t.Errorf("%d subscriptions are open while nothing waits, want 0", s.signed)
		}
	})
}

func TestProgressEndsTheWaitForACheckpointThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(at(1, 5))
		p := &s.progress
		w := wait(t.Context(), p, 5)
		w.wantWaiting(t, "while the store is well")
		s.set(func() { s.err = readmodel.ErrNoViews })
		time.Sleep(5 * time.Second)
		w.wantWaiting(t, "while there are no views")
		s.set(func() { s.err = errAway })
		time.Sleep(time.Second)
		w.want(t, "in an outage", 0, errAway)
		later := wait(t.Context(), p, 5)
		time.Sleep(time.Second)
		later.want(t, "later in the outage", 0, errAway)
		known := wait(t.Context(), p, 4)
		known.want(t, "in the outage, for what is known", 5, nil)
		time.Sleep(time.Second)
		s.set(func() { s.err = nil })
		after := wait(t.Context(), p, 5)
		after.wantWaiting(t, "after the outage")
		p.Close(errAway)
		synctest.Wait()
	})
}

func TestProgressCloseEndsAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(at(1, 5))
		p := &s.progress
		w := wait(t.Context(), p, 5)
		w.wantWaiting(t, "before Close")
		errClosed := errors.New("closed")
		p.Close(errClosed)
		p.Close(errClosed)
		w.want(t, "after Close", 0, errClosed)
		late := wait(t.Context(), p, 1)
		late.want(t, "called after Close", 0, errClosed)
		p.Observe(at(1, 9))
		s.wantReads(t, "after Close", 1)
		var unused readmodel.Progress
		unused.Close(errClosed)
	})
}
