package subscription

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
)

// watched is a user whose profile has subscriptions.
type watched struct {
	latest   atomic.Int64 // the position of the latest change
	watchers []*watcher
	// waking is set while the waker wakes the watchers, and again if there was a
	// change meanwhile.
	waking, again bool
}

// watcher is a subscription to one user's profile.
type watcher struct {
	*watched
	index int   // in watchers
	bell  *bell // to be rung after each change
}

// restAfter is how long the waker leaves many watchers of a profile alone, in
// proportion to how long it took to wake them, and longestRest is how long at most.
// Those who are woken less often get the newest state nevertheless, so the pushes of
// one profile cannot take all of the server's time.
const (
	restAfter   = 3
	longestRest = time.Second
)

// Profile returns an iterator that yields a position whenever a user's profile
// changed: by its registration, a chirp of its own, or a follow or an unfollow at
// either end. The position is that of the latest change, and several changes may
// share one; the views show them from that position on. The first position comes at
// once, so that the consumer can send the current state. The iteration ends as
// Feed's does and starts no goroutine. It cannot be too slow, because only the
// latest position waits for it.
func (h *Hub) Profile(ctx context.Context, user domain.UserID) iter.Seq2[domain.Position, error] {
	return all(ctx, func() *Follower[domain.Position] { return h.FollowProfile(user) })
}

// FollowProfile returns a Follower that yields what Profile does.
func (h *Hub) FollowProfile(user domain.UserID) *Follower[domain.Position] {
	p := &profile{hub: h, user: user, bell: newBell(), history: h.present()}
	return &Follower[domain.Position]{p, p.bell, p.history}
}

// profile is the source of the changes of a user's profile.
type profile struct {
	hub     *Hub
	user    domain.UserID
	bell    *bell
	history context.Context //nolint:containedctx // as in Follower
	w       *watcher        // nil before the first position
	at      domain.Position // that was yielded last
}

// step implements source.
func (p *profile) step(ctx context.Context) (domain.Position, bool, error) {
	if p.w != nil {
		at, ok := p.poll()
		return at, ok, nil
	}
	select {
	case <-p.hub.started:
	case <-p.history.Done():
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
	p.w, p.at = p.hub.watch(p.user, p.bell)
	return p.at, true, nil
}

// poll implements source.
func (p *profile) poll() (domain.Position, bool) {
	if p.idle() { // one that took long may have been woken for what it has
		return 0, false
	}
	p.at = domain.Position(p.w.latest.Load())
	return p.at, true
}

// idle implements source.
func (p *profile) idle() bool { return p.w != nil && domain.Position(p.w.latest.Load()) <= p.at }

// stop implements source.
func (p *profile) stop() {
	if p.w != nil {
		p.hub.unwatch(p.user, p.w)
	}
}

// watch adds a watcher, and returns the position of the user's latest change, or one
// since which there was none.
func (h *Hub) watch(user domain.UserID, b *bell) (*watcher, domain.Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	u := h.watched[user]
	if u == nil {
		u = &watched{}
		u.latest.Store(int64(max(h.position, 0)))
		h.watched[user] = u
	}
	w := &watcher{watched: u, index: len(u.watchers), bell: b}
	u.watchers = append(u.watchers, w)
	h.profiles++
	return w, domain.Position(u.latest.Load())
}

// LatestChange returns the position of the latest change of a user's profile that the
// hub knows of, 0 if it knows none because the profile has no subscription.
func (h *Hub) LatestChange(user domain.UserID) domain.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	if u := h.watched[user]; u != nil {
		return domain.Position(u.latest.Load())
	}
	return 0
}

// unwatch removes a watcher. It moves the last one into its place.
func (h *Hub) unwatch(user domain.UserID, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	end := len(w.watchers) - 1
	w.watchers[w.index] = w.watchers[end]
	w.watchers[w.index].index = w.index
	w.watchers[end] = nil
	w.watchers = w.watchers[:end]
	h.profiles--
	if end == 0 && h.watched[user] == w.watched {
		delete(h.watched, user)
	}
}

// changed records a change of a user's profile, and wakes its watchers: in turns if
// they are many.
func (h *Hub) changed(user domain.UserID, at domain.Position) {
	u := h.watched[user]
	if u == nil {
		return
	}
	u.latest.Store(int64(at))
	switch {
	case u.waking:
		u.again = true
	case len(u.watchers) <= wakeAtOnce:
		for _, w := range u.watchers {
			h.profileBells = append(h.profileBells, w.bell)
		}
	default:
		h.wakeWatchers(u)
	}
}

// wakeWatchers adds a user's watchers to those that the waker wakes.
func (h *Hub) wakeWatchers(u *watched) {
	u.waking, u.again = true, false
	wakes := make([]*bell, len(u.watchers))
	for i, w := range u.watchers {
		wakes[i] = w.bell
	}
	h.waker.add(&wakeBatch{wakes: wakes, done: func(took time.Duration) {
		time.AfterFunc(min(restAfter*took, longestRest), func() { h.rested(u) })
	}})
}

// rested wakes a user's watchers once more if the profile has changed meanwhile.
func (h *Hub) rested(u *watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if u.waking = false; u.again {
		h.wakeWatchers(u)
	}
}
