package subscription

import (
	"context"
	"iter"
	"sync/atomic"

	"chirp/internal/domain"
)

// watcher is a subscription to one user's profile.
type watcher struct {
	latest atomic.Int64  // the position of the latest change
	wake   chan struct{} // has an element after each change
}

// Profile returns an iterator that yields a position whenever a user's profile
// changed: by its registration, a chirp of its own, or a follow or an unfollow at
// either end. The position is that of the latest change, and several changes may
// share one; the views show them from that position on. The first position comes at
// once, so that the consumer can send the current state. The iteration ends as
// Feed's does and starts no goroutine. It cannot be too slow, because only the
// latest position waits for it.
func (h *Hub) Profile(ctx context.Context, user domain.UserID) iter.Seq2[domain.Position, error] {
	return func(yield func(domain.Position, error) bool) {
		subscribed, stop := h.subscriptionContext(ctx)
		defer stop()
		err := h.profile(subscribed, user, func(p domain.Position) bool { return yield(p, nil) })
		if err := endError(ctx, subscribed, err); err != nil {
			yield(0, err)
		}
	}
}

func (h *Hub) profile(ctx context.Context, user domain.UserID, yield func(domain.Position) bool) error {
	select {
	case <-h.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	w := h.watch(user)
	defer h.unwatch(user, w)
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !yield(domain.Position(w.latest.Load())) {
			return errStopped
		}
	}
}

// watch adds a watcher that is due to yield the current position.
func (h *Hub) watch(user domain.UserID) *watcher {
	w := &watcher{wake: make(chan struct{}, 1)}
	notify(w.wake)
	h.mu.Lock()
	defer h.mu.Unlock()
	w.latest.Store(int64(max(h.position, 0)))
	h.watchers[user] = append(h.watchers[user], w)
	return w
}

func (h *Hub) unwatch(user domain.UserID, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers[user] = without(h.watchers[user], w); len(h.watchers[user]) == 0 {
		delete(h.watchers, user)
	}
}

// notifyWatchers wakes the watchers of a user whose profile changed.
func (h *Hub) notifyWatchers(user domain.UserID, at domain.Position) {
	for _, w := range h.watchers[user] {
		w.latest.Store(int64(at))
		notify(w.wake)
	}
}
