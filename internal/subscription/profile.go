package subscription

import (
	"context"
	"iter"
	"sync/atomic"

	"chirp/internal/domain"
)

// watcher waits for changes of one user's profile.
type watcher struct {
	latest atomic.Int64
	wake   chan struct{}
}

// Profile gives a sign whenever a user's profile changed: by its registration,
// by a chirp of its own, or by a follow or an unfollow at either end. The sign
// is the position of the latest change, and several changes may share one; a
// reading of the views at that position or later shows them. The first sign
// comes at once, so that the current state can be given. It ends as Feed does,
// starts no goroutine, and cannot be too slow, since it keeps one position.
func (h *Hub) Profile(ctx context.Context, user domain.UserID) iter.Seq2[domain.Position, error] {
	return func(yield func(domain.Position, error) bool) {
		within, stop := h.subscribed(ctx)
		defer stop()
		err := h.profile(within, user, func(p domain.Position) bool { return yield(p, nil) })
		if err := reason(ctx, within, err); err != nil {
			yield(0, err)
		}
	}
}

func (h *Hub) profile(ctx context.Context, user domain.UserID, give func(domain.Position) bool) error {
	select {
	case <-h.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	w := h.listen(user)
	defer h.unlisten(user, w)
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !give(domain.Position(w.latest.Load())) {
			return errStopped
		}
	}
}

func (h *Hub) listen(user domain.UserID) *watcher {
	w := &watcher{wake: make(chan struct{}, 1)}
	notify(w.wake)
	h.mu.Lock()
	defer h.mu.Unlock()
	w.latest.Store(int64(max(h.position, 0)))
	h.watchers[user] = append(h.watchers[user], w)
	return w
}

func (h *Hub) unlisten(user domain.UserID, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers[user] = without(h.watchers[user], w); len(h.watchers[user]) == 0 {
		delete(h.watchers, user)
	}
}

// signal tells those who watch a user that its profile changed.
func (h *Hub) signal(user domain.UserID, at domain.Position) {
	for _, w := range h.watchers[user] {
		w.latest.Store(int64(at))
		notify(w.wake)
	}
}
