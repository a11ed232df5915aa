package eventstore

import (
	"context"
	"iter"
	"slices"
	"sync"

	"chirp/internal/domain"
)

// Tail is the live end of a log inside one process: it keeps the newest events
// and wakes the followers. A store that learns of committed events publishes
// them; a store that has lost track calls Reset. What followers read is
// decided by positions alone, so a wrong or missing wake-up can delay an event
// but never drop, repeat or reorder one. The zero Tail is ready to use.
type Tail struct {
	mu     sync.Mutex
	recent []Event       // consecutive positions, the newest last
	wake   chan struct{} // closed at the next change, made on demand
}

const (
	tailEvents = 4096 // kept for followers that are nearly live
	readEvents = 1000 // read from the store at a time
)

// Publish adds committed events, in position order. Events that are kept
// already are passed over; a gap drops what was kept before it.
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

// Reset forgets what was kept and makes every follower read the store again.
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

// next gives the kept events after a position, and a channel that is closed at
// the next change after this call.
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

// Follow is Log.Follow for a store that has a ReadAll and publishes to the
// tail. read must give the events after a position, or none, and may take its
// time to ride out an outage; its error ends the iteration.
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
