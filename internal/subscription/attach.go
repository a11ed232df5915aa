package subscription

import "chirp/internal/domain"

// attach makes a subscription live after the catch-up read r. Up to the position through,
// which is at least r.through, its consumer has everything or gets it from r. The
// subscriber's queue gets the events between the read and now while attach holds the
// lock, so that none is missed. Three things might happen:
//
//  1. attach returns the subscriber.
//  2. The viewer's followees are being read: it returns a channel, which is closed
//     at the end of that.
//  3. It returns neither. Then the read must be repeated, because the recent events
//     don't reach back to it, or the followees are not known.
func (h *Hub) attach(f *feed, r feedPage, through domain.Position, c *claim) (*subscriber, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.viewers[f.viewer]
	if v == nil || h.position < 0 || !h.recent.reaches(r.through, h.position) {
		return nil, nil
	}
	if c != nil && c.viewer == v {
		h.install(v, r.followees, r.through)
	}
	switch {
	case v.followees == nil:
		return nil, v.loading
	case r.through < v.known && h.position < v.known:
		return nil, nil // the set omits whom the viewer unfollowed since the read
	}
	s := &subscriber{viewer: v, queue: newQueue(h.cfg, &v.held, f.bell), through: through, index: len(v.live)}
	v.live = append(v.live, s)
	h.replay(s, r.through)
	s.through = max(s.through, h.position)
	return s, nil
}

// replay adds the chirps after a position to a subscriber's queue that it has missed.
func (h *Hub) replay(s *subscriber, after domain.Position) {
	v := s.viewer
	changed := h.followedBefore(v, after)
	for p := after + 1; p <= h.position; p++ {
		e := h.recent.get(p)
		if c, ok := followChangeOf(e.fact); ok && c.follower == v.id {
			changed[c.followee] = c.follows
		}
		posted, ok := e.fact.(domain.ChirpPosted)
		if ok && v.followed(h.authors[posted.AuthorID], posted.AuthorID, changed) && !h.offer(s, itemOf(e, posted)) {
			return
		}
	}
}

// followed reports whether a viewer follows an author, who may be unknown to the hub.
// changed takes precedence over what holds now.
func (v *viewer) followed(a *author, id domain.UserID, changed map[domain.UserID]bool) bool {
	if follows, has := changed[id]; has {
		return follows
	}
	_, follows := v.followees[a]
	return follows
}

// followedBefore returns whether a viewer followed, at a position, those authors whom
// it has followed or unfollowed since. The first change shows what was before it.
func (h *Hub) followedBefore(v *viewer, at domain.Position) map[domain.UserID]bool {
	before := map[domain.UserID]bool{}
	for p := h.position; p > at; p-- {
		if c, ok := followChangeOf(h.recent.get(p).fact); ok && c.follower == v.id {
			before[c.followee] = !c.follows
		}
	}
	return before
}

// offer adds a chirp to a subscriber's queue, unless its consumer has it already. If
// there is no room, offer detaches the subscriber and returns false.
func (h *Hub) offer(s *subscriber, item *Item) bool {
	if item.Position <= s.through || s.queue.push(item, len(h.viewers)) {
		return true
	}
	h.detach(s)
	return false
}

// leave detaches a subscriber whose consumer takes nothing any more. It may be nil.
func (h *Hub) leave(s *subscriber) {
	if s == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.detach(s)
	s.queue.drop()
}

// detach removes a subscriber from the hub, unless that was done before. It moves the
// viewer's last subscriber into its place. The caller holds the lock.
func (h *Hub) detach(s *subscriber) {
	if s.index < 0 {
		return
	}
	live := s.viewer.live
	end := len(live) - 1
	live[s.index] = live[end]
	live[s.index].index = s.index
	live[end] = nil
	s.viewer.live = live[:end]
	s.index = -1
	h.forgetUnused(s.viewer)
}
