package eventstore

import (
	"context"
	"iter"
	"slices"
	"sync"

	"chirp/internal/domain"
)

// Tail is the live end of a log within one process: it keeps the newest events
// and wakes followers. A store publishes committed events to it as it learns of
// them, and calls Reset when it has lost track. Followers read by position only,
// so a spurious or missing wake-up can delay an event but never drop, repeat or
// reorder one. The zero Tail is ready to use.
type Tail struct {
	mu     sync.Mutex
	recent []Event       // at consecutive positions, newest last
	wake   chan struct{} // closed at the next change, created on demand
}

const (
	tailEvents = 4096 // events kept for followers that are nearly live
	readEvents = 1000 // events read from the store at a time
)

// Publish adds committed events, in position order. It skips events that it
// already has, and after a gap forgets those before it.
func (t *Tail) Publish(events []Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		if n := len(t.recent); n > 0 {
			last := t.recent[n-1].Position
			if e.Position <= last {
				continue
			}
			if e.Position != last+1 {
				t.recent = nil
			}
		}
		t.recent = append(t.recent, e)
	}
	if n := len(t.recent); n > 2*tailEvents {
		t.recent = slices.Clone(t.recent[n-tailEvents:])
	}
	t.wakeAll()
}

// Reset forgets all events and makes every follower read from the store.
func (t *Tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent = nil
	t.wakeAll()
}

func (t *Tail) wakeAll() {
	if t.wake != nil {
		close(t.wake)
		t.wake = nil
	}
}

// next returns the events after a position, as far as they are kept, and a channel
// that is closed at the next change.
func (t *Tail) next(after domain.Position) ([]Event, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wake == nil {
		t.wake = make(chan struct{})
	}
	if len(t.recent) == 0 {
		return nil, t.wake
	}
	first := t.recent[0].Position
	if after+1 < first || after >= first+domain.Position(len(t.recent)) {
		return nil, t.wake
	}
	batch := t.recent[after+1-first:]
	return batch[:min(len(batch), readEvents):min(len(batch), readEvents)], t.wake
}

// Follow implements Log.Follow for a store that publishes to the tail. read
// returns the events after a position, or none. It may block to retry through an
// outage; an error from it ends the iteration.
func (t *Tail) Follow(ctx context.Context, after domain.Position, read func(ctx context.Context, after domain.Position, limit int) ([]Event, error)) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		at := after
		for ctx.Err() == nil {
			batch, wake := t.next(at)
			if len(batch) == 0 {
				var err error
				if batch, err = read(ctx, at, readEvents); err != nil {
					yield(nil, err)
					return
				}
			}
			if len(batch) == 0 {
				select {
				case <-ctx.Done():
				case <-wake:
				}
				continue
			}
			at = batch[len(batch)-1].Position
			if !yield(batch, nil) {
				return
			}
		}
		yield(nil, ctx.Err())
	}
}
