package eventstore_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// restorable is a log that can be restored to an earlier state.
type restorable struct {
	eventstore.Log
	tail eventstore.Tail

	mu     sync.Mutex
	events []eventstore.Event
	away   error
}

func (r *restorable) add(n int) {
	for range n {
		time.Sleep(time.Millisecond) // so that the hash differs
		r.mu.Lock()
		r.events = append(r.events, eventstore.Event{Position: domain.Position(len(r.events) + 1), Stream: "s", RecordedAt: time.Now()})
		r.mu.Unlock()
	}
	r.tail.Publish(nil)
}

// restore removes all but the first n events.
func (r *restorable) restore(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = slices.Clone(r.events[:n])
}

func (r *restorable) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hashes := map[domain.Position]domain.EventHash{}
	for _, p := range positions {
		if int(p) <= len(r.events) {
			hashes[p] = r.events[p-1].Hash()
		}
	}
	return hashes, r.away
}

func (r *restorable) Head(context.Context) (eventstore.Head, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return eventstore.Head{Position: domain.Position(len(r.events))}, nil
}

func (r *restorable) ReadAll(_ context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	later := r.events[min(int(after), len(r.events)):]
	return slices.Clone(later[:min(limit, len(later))]), nil
}

func (r *restorable) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return r.tail.Follow(ctx, r, after)
}

// followed is what an iterator yielded, and how it ended.
type followed struct {
	mu   sync.Mutex
	last domain.Position
	err  error
}

func (f *followed) now() (domain.Position, error) {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.err
}

func followKnowing(ctx context.Context, log eventstore.Log, after domain.Position, event domain.EventHash) *followed {
	f := &followed{last: after}
	go func() {
		for events, err := range eventstore.FollowHistory(ctx, log, after, event) {
			f.mu.Lock()
			if f.err = err; err == nil {
				f.last = events[len(events)-1].Position
			}
			f.mu.Unlock()
		}
	}()
	return f
}

func TestFollowHistoryEndsWhenTheLogIsRestored(t *testing.T) {
	for name, c := range map[string]struct {
		grown int // events after the restore
		wait  time.Duration
	}{
		"and stays short":        {0, 2 * time.Second},
		"and is short for a bit": {1, 2 * time.Second},
		"and is as long at once": {3, 2 * time.Second},
		"and is longer at once":  {5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &restorable{}
				r.add(5)
				f := followKnowing(t.Context(), r, 0, 0)
				if last, err := f.now(); last != 5 || err != nil {
					t.Fatalf("got as far as %d, error %v", last, err)
				}
				r.restore(2)
				r.add(c.grown)
				time.Sleep(c.wait)
				if last, err := f.now(); last != 5 || domain.KindOf(err) != domain.CursorInvalid {
					t.Errorf("got as far as %d, error %v; want nothing more and an error of kind CursorInvalid", last, err)
				}
			})
		})
	}
}

func TestFollowHistoryGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &restorable{}
		r.add(5)
		ctx, cancel := context.WithCancel(t.Context())
		known := followKnowing(ctx, r, 3, r.events[2].Hash())
		unknown := followKnowing(ctx, r, 3, 0)
		other := followKnowing(ctx, r, 3, r.events[1].Hash())
		synctest.Wait()
		r.mu.Lock()
		r.away = domain.Errorf(domain.Unavailable, "away")
		r.mu.Unlock()
		time.Sleep(10 * time.Second)
		r.mu.Lock()
		r.away = nil
		r.mu.Unlock()
		r.add(4)
		for name, f := range map[string]*followed{"from a known event": known, "from a position": unknown} {
			if last, err := f.now(); last != 9 || err != nil {
				t.Errorf("%s: got as far as %d, error %v; want 9", name, last, err)
			}
		}
		if last, err := other.now(); last != 3 || domain.KindOf(err) != domain.CursorInvalid {
			t.Errorf("from another event: got as far as %d, error %v; want an error of kind CursorInvalid", last, err)
		}
		cancel()
		if _, err := known.now(); !errors.Is(err, context.Canceled) {
			t.Errorf("after the context's end: got %v", err)
		}
	})
}
