package subscription

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

// Hub connects subscribers to the log. Run must be running for anything to
// arrive.
type Hub struct {
	cfg      Config
	feeds    atomic.Int64
	catchUps atomic.Uint64
	dropped  atomic.Uint64
	outage   outage.Outage

	// life ends with Close; every subscription and Run live within it.
	life context.Context
	end  context.CancelCauseFunc
	// started is closed once position is known for the first time.
	started chan struct{}
	start   sync.Once

	mu sync.Mutex
	// history ends, and another one begins, when the log was put back to an
	// earlier state; every subscription lives within one.
	history context.Context
	undo    context.CancelCauseFunc
	// position is that of the last event handed out, -1 while it is not known.
	position domain.Position
	recent   ring
	// authors has for each author those who are live and follow it.
	authors map[domain.UserID][]*subscriber
	// viewers has for each user its own live feed subscriptions.
	viewers map[domain.UserID][]*subscriber
	// watchers has for each user those who want to know of changes to it.
	watchers map[domain.UserID][]*watcher

	unreadable map[string]bool // types of events; belongs to Run
}

// New makes a hub.
func New(cfg Config) *Hub {
	cfg = cfg.withDefaults()
	life, end := context.WithCancelCause(context.Background())
	history, undo := context.WithCancelCause(life)
	return &Hub{
		cfg: cfg, life: life, end: end, history: history, undo: undo,
		started: make(chan struct{}), position: -1,
		recent:     ring{events: make([]event, cfg.Recent)},
		authors:    make(map[domain.UserID][]*subscriber),
		viewers:    make(map[domain.UserID][]*subscriber),
		watchers:   make(map[domain.UserID][]*watcher),
		unreadable: make(map[string]bool),
	}
}

// Close ends all subscriptions with ErrShuttingDown, refuses new ones the same
// way, and makes Run return. It may be called more than once.
func (h *Hub) Close() { h.end(ErrShuttingDown) }

// Run follows the log from the views' checkpoint and hands out what becomes
// visible, until ctx ends (its error) or the hub is closed (nil). Whatever error
// the log or the views give, it tries again, for ever and at most 2 s apart, and
// misses nothing by that. When the log was put back to an earlier state, it ends
// all subscriptions with ErrUndone and begins anew. It is called once; when it
// returns, the hub is closed.
func (h *Hub) Run(ctx context.Context) error {
	defer h.Close()
	within, stop := h.within(ctx)
	defer stop()
	for within.Err() == nil {
		err := h.follow(within)
		if within.Err() != nil {
			break
		}
		if domain.KindOf(err) == domain.CursorInvalid {
			h.restart()
		}
		tries := h.outage.Failed(h.cfg.Logger, "the live hub lost the log and tries again", err, "position", h.at())
		outage.Pause(within, outage.Delay(firstPause, tries))
	}
	return ctx.Err()
}

const (
	// firstPause is the pause after a first failure, of the hub or a subscriber.
	firstPause = 50 * time.Millisecond
	// calmAfter is how long the hub follows a log that has nothing new before
	// an outage is over.
	calmAfter = 2 * time.Second
)

func (h *Hub) calm() { h.outage.Ended(h.cfg.Logger, "the live hub follows the log again") }

// within ties a context to the hub's life.
func (h *Hub) within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if h.life.Err() != nil {
		cancel(ErrShuttingDown)
	}
	stop := context.AfterFunc(h.life, func() { cancel(ErrShuttingDown) })
	return ctx, func() { stop(); cancel(nil) }
}

// subscribed ties a subscription's context to the hub's life and to the log's
// history.
func (h *Hub) subscribed(ctx context.Context) (context.Context, func()) {
	h.mu.Lock()
	history := h.history
	h.mu.Unlock()
	ctx, stopLife := h.within(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(history, func() { cancel(context.Cause(history)) })
	return ctx, func() { stop(); cancel(nil); stopLife() }
}

// restart begins anew at the views' checkpoint, which is another history's.
func (h *Hub) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.undo(ErrUndone)
	h.history, h.undo = context.WithCancelCause(h.life)
	h.position, h.recent.kept = -1, 0
}

func (h *Hub) at() domain.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position
}

// dispatch hands out one event. The lock is taken for each, so that a
// subscriber who comes or goes waits for one event, not for a batch.
func (h *Hub) dispatch(e event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Position != h.position+1 {
		return fmt.Errorf("the log returned position %d after %d", e.Position, h.position)
	}
	h.position = e.Position
	h.recent.add(e)
	if e.fact == nil {
		return nil
	}
	switch fact := e.fact.(type) {
	case domain.ChirpPosted:
		h.push(e, fact)
	case domain.UserFollowed:
		h.refollow(e, fact.FollowerID)
	case domain.UserUnfollowed:
		h.refollow(e, fact.FollowerID)
	case domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved:
	}
	for _, user := range e.fact.Users() {
		h.signal(user, e.Position)
	}
	return nil
}

// push hands a chirp to all live subscribers that follow its author.
func (h *Hub) push(e event, posted domain.ChirpPosted) {
	list := h.authors[posted.AuthorID]
	if len(list) == 0 {
		return
	}
	item := itemOf(e, posted)
	// Backwards, because a subscriber that is let go is replaced in the list
	// by its last one, which has had its turn.
	for i := len(list) - 1; i >= 0; i-- {
		if s := list[i]; e.Position > s.given && !s.queue.push(item) {
			h.letGo(s)
		}
	}
}

// refollow applies a follow or an unfollow to the follower's subscriptions.
func (h *Hub) refollow(e event, follower domain.UserID) {
	for _, s := range h.viewers[follower] {
		h.apply(s, e)
	}
}

// apply brings one subscriber past an event, and reports whether the hub still
// has it afterwards. Chirps that were given are passed over. A follow that the
// reading shows already may be applied again: of each author's the last one
// decides, and before that no chirp of the author is pushed.
func (h *Hub) apply(s *subscriber, e event) bool {
	switch fact := e.fact.(type) {
	case domain.ChirpPosted:
		_, follows := s.followees[fact.AuthorID]
		if follows && e.Position > s.given && !s.queue.push(itemOf(e, fact)) {
			h.letGo(s)
			return false
		}
	case domain.UserFollowed:
		if fact.FollowerID == s.viewer {
			h.watch(s, fact.FolloweeID)
		}
	case domain.UserUnfollowed:
		if fact.FollowerID == s.viewer {
			h.unwatch(s, fact.FolloweeID)
		}
	case domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved:
	}
	return true
}

// attach makes a viewer live from a reading on, when everything up to the
// position given, which is no less than the reading's own, has been passed on.
// What happened between the reading and now is replayed, under the lock, so that
// nothing falls in between. It returns nil when the recent events don't reach
// back to the reading.
func (h *Hub) attach(viewer domain.UserID, r reading, given domain.Position) *subscriber {
	s := &subscriber{
		viewer: viewer, given: given,
		followees: make(map[domain.UserID]int, len(r.followees)),
		queue:     newQueue(h.cfg.Buffer),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.position < 0 || !h.recent.reaches(r.through, h.position) {
		return nil
	}
	h.viewers[viewer] = append(h.viewers[viewer], s)
	s.attached = true
	for _, author := range r.followees {
		h.watch(s, author)
	}
	for p := r.through + 1; p <= h.position; p++ {
		if !h.apply(s, h.recent.get(p)) {
			break
		}
	}
	return s
}

// detach takes a subscriber out of the hub, if it is still there.
func (h *Hub) detach(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.letGo(s)
}

// letGo is detach for those who hold the lock.
func (h *Hub) letGo(s *subscriber) {
	if !s.attached {
		return
	}
	s.attached = false
	for author := range s.followees {
		h.unwatch(s, author)
	}
	h.viewers[s.viewer] = without(h.viewers[s.viewer], s)
	if len(h.viewers[s.viewer]) == 0 {
		delete(h.viewers, s.viewer)
	}
}

// watch adds a subscriber to those of an author.
func (h *Hub) watch(s *subscriber, author domain.UserID) {
	if _, has := s.followees[author]; has {
		return
	}
	s.followees[author] = len(h.authors[author])
	h.authors[author] = append(h.authors[author], s)
}

// unwatch takes a subscriber from those of an author, moving the last of them
// into its place.
func (h *Hub) unwatch(s *subscriber, author domain.UserID) {
	i, has := s.followees[author]
	if !has {
		return
	}
	list := h.authors[author]
	end := len(list) - 1
	list[i] = list[end]
	list[i].followees[author] = i
	list[end] = nil
	delete(s.followees, author)
	if end == 0 {
		delete(h.authors, author)
		return
	}
	h.authors[author] = list[:end]
}

func without[T comparable](list []T, gone T) []T {
	if i := slices.Index(list, gone); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// Stats gives the numbers of the moment.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	profiles := 0
	for _, list := range h.watchers {
		profiles += len(list)
	}
	stats := Stats{
		Feeds: int(h.feeds.Load()), Profiles: profiles,
		Authors: len(h.authors), Position: max(h.position, 0),
		CatchUps: h.catchUps.Load(), Dropped: h.dropped.Load(),
	}
	if report, ongoing := h.outage.Now(); ongoing {
		stats.Outage = &report
	}
	return stats
}
