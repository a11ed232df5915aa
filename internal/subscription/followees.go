package subscription

import "chirp/internal/domain"

// author is a user whom viewers with live subscriptions follow.
type author struct {
	id      domain.UserID
	viewers []*viewer
}

// viewer is a user with feed subscriptions here. All of them share the set of the
// users whom it follows. The set is read once, when the first of them becomes live;
// then the log keeps it current, until the last one is no longer live.
type viewer struct {
	id domain.UserID
	// followees holds the authors whom the viewer follows, each with the viewer's
	// index in the author's list. It is nil while it is not known.
	followees map[*author]int
	// known is the checkpoint at which followees were read.
	known domain.Position
	// loading is closed when the read of followees that is under way has ended. It
	// is nil if there is none.
	loading chan struct{}
	live    []*subscriber
	held    held
}

// claim is the right to read a viewer's followees, which one subscription has at a
// time. A nil claim is none.
type claim struct {
	hub    *Hub
	viewer *viewer
}

// claim returns the right to read a viewer's followees, which the caller ends. It
// returns nil if they are known or another subscription is reading them.
func (h *Hub) claim(id domain.UserID) *claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.viewers[id]
	if v == nil {
		v = &viewer{id: id, held: held{in: &h.held}}
		h.viewers[id] = v
	}
	if v.followees != nil || v.loading != nil {
		return nil
	}
	v.loading = make(chan struct{})
	return &claim{h, v}
}

// end ends a claim, whether or not the followees are known by now.
func (c *claim) end() {
	if c == nil {
		return
	}
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	close(c.viewer.loading)
	c.viewer.loading = nil
	c.hub.forgetUnused(c.viewer)
}

// install makes followees that were read at a checkpoint the viewer's, brought up to
// date with the recent events, which must reach back to the checkpoint.
func (h *Hub) install(v *viewer, followees []domain.UserID, through domain.Position) {
	v.followees, v.known = make(map[*author]int, len(followees)), through
	for _, id := range followees {
		h.addFollowee(v, id)
	}
	for p := through + 1; p <= h.position; p++ {
		h.changeFollowees(v, h.recent.get(p).fact)
	}
}

// changeFollowees applies an event to a viewer's followees. While the hub is behind
// the checkpoint at which they were read, it applies follows and unfollows that they
// contain already. That does no harm: for each author the last one decides, and
// subscribers skip all chirps up to the checkpoint.
func (h *Hub) changeFollowees(v *viewer, fact domain.Event) {
	c, ok := followChangeOf(fact)
	switch {
	case !ok || c.follower != v.id:
	case c.follows:
		h.addFollowee(v, c.followee)
	default:
		h.removeFollowee(v, h.authors[c.followee])
	}
}

// followChange is a follow or an unfollow.
type followChange struct {
	follower, followee domain.UserID
	follows            bool
}

// followChangeOf returns the change that an event is, if it is one.
func followChangeOf(fact domain.Event) (followChange, bool) {
	switch fact := fact.(type) {
	case domain.UserFollowed:
		return followChange{fact.FollowerID, fact.FolloweeID, true}, true
	case domain.UserUnfollowed:
		return followChange{fact.FollowerID, fact.FolloweeID, false}, true
	case domain.ChirpPosted, domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved:
	}
	return followChange{}, false
}

func (h *Hub) addFollowee(v *viewer, id domain.UserID) {
	a := h.authors[id]
	if a == nil {
		a = &author{id: id}
		h.authors[id] = a
	}
	if _, has := v.followees[a]; has {
		return
	}
	v.followees[a] = len(a.viewers)
	a.viewers = append(a.viewers, v)
}

// removeFollowee removes an author, who may be nil. It moves the last viewer of the
// author's list into the place of the removed one, so that it takes the same time
// however long the list is.
func (h *Hub) removeFollowee(v *viewer, a *author) {
	i, has := v.followees[a]
	if !has {
		return
	}
	delete(v.followees, a)
	end := len(a.viewers) - 1
	a.viewers[i] = a.viewers[end]
	a.viewers[end] = nil
	a.viewers = a.viewers[:end]
	if i < end {
		a.viewers[i].followees[a] = i
	}
	if end == 0 && h.authors[a.id] == a {
		delete(h.authors, a.id)
	}
}

// forgetUnused forgets a viewer without a live subscriber, unless its followees are
// being read.
func (h *Hub) forgetUnused(v *viewer) {
	if len(v.live) > 0 || v.loading != nil {
		return
	}
	for a := range v.followees {
		h.removeFollowee(v, a)
	}
	v.followees = nil
	if h.viewers[v.id] == v {
		delete(h.viewers, v.id)
	}
}
