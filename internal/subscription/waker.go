package subscription

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// wakeAtOnce is how many subscriptions are woken in one go. Those that an event
// concerns beyond that are woken in turns with those of other events, and with a
// chance for the rest of the server to run in between, so that an author with very
// many subscribers delays neither other authors' nor any request.
const wakeAtOnce = 32

// waker rings the bells of subscriptions in turns.
type waker struct {
	mu      sync.Mutex
	batches []*wakeBatch // in the order of their turns
	added   chan struct{}
}

// wakeBatch is what one event wakes.
type wakeBatch struct {
	wakes []*bell
	begun time.Time
	done  func(took time.Duration) // called after the last one is woken
}

// add adds a batch behind the others.
func (w *waker) add(b *wakeBatch) {
	w.mu.Lock()
	w.batches = append(w.batches, b)
	w.mu.Unlock()
	notify(w.added)
}

// wake wakes subscriptions at once if they are few, and otherwise in turns. It returns
// the slice, empty.
func (w *waker) wake(wakes []*bell) []*bell {
	if len(wakes) > wakeAtOnce {
		w.add(&wakeBatch{wakes: slices.Clone(wakes), done: func(time.Duration) {}})
	} else {
		for _, b := range wakes {
			b.ring()
		}
	}
	clear(wakes)
	return wakes[:0]
}

// run wakes what is added until ctx ends.
func (w *waker) run(ctx context.Context) {
	for ctx.Err() == nil {
		if w.turn() {
			runtime.Gosched()
			continue
		}
		select {
		case <-w.added:
		case <-ctx.Done():
		}
	}
}

// turn gives the first batch its turn, and reports whether there was one.
func (w *waker) turn() bool {
	w.mu.Lock()
	if len(w.batches) == 0 {
		w.batches = nil
		w.mu.Unlock()
		return false
	}
	b := w.batches[0]
	w.batches = w.batches[1:]
	w.mu.Unlock()
	if b.begun.IsZero() {
		b.begun = time.Now()
	}
	n := min(len(b.wakes), wakeAtOnce)
	for _, one := range b.wakes[:n] {
		one.ring()
	}
	if b.wakes = b.wakes[n:]; len(b.wakes) > 0 {
		w.add(b)
		return true
	}
	b.done(time.Since(b.begun))
	return true
}
