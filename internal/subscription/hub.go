package subscription

import (
	"context"
	"errors"
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
}

// New makes a hub.
func New(cfg Config) *Hub {
	cfg = cfg.withDefaults()
	life, end := context.WithCancelCause(context.Background())
	history, undo := context.WithCancelCause(life)
	return &Hub{
		cfg: cfg, life: life, end: end, history: history, undo: undo,
		started: make(chan struct{}), position: -1,
		recent:   ring{events: make([]Recorded, cfg.Recent)},
		authors:  make(map[domain.UserID][]*subscriber),
		viewers:  make(map[domain.UserID][]*subscriber),
		watchers: make(map[domain.UserID][]*watcher),
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
		pause(within, outage.Delay(firstPause, tries))
	}
	return ctx.Err()
}

const (
	// firstPause is the pause after the hub's first failure.
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

// follow hands out events until the log or the views fail.
func (h *Hub) follow(ctx context.Context) error {
	after, err := h.begin(ctx)
	if err != nil {
		return err
	}
	idle := time.AfterFunc(calmAfter, h.calm)
	defer idle.Stop()
	for batch, err := range h.cfg.Follow(ctx, after) {
		idle.Stop()
		if err != nil {
			return fmt.Errorf("follow the log after position %d: %w", h.at(), err)
		}
		if err := h.release(ctx, batch); err != nil {
			return err
		}
		h.calm()
	}
	return errors.New("the log's tail ended")
}

// begin finds where to follow from: at first the views' checkpoint, for
// what is visible by then is read and not pushed.
func (h *Hub) begin(ctx context.Context) (domain.Position, error) {
	if at := h.at(); at >= 0 {
		return at, nil
	}
	checkpoint, err := h.cfg.Await(ctx, -1)
	if err != nil {
		return 0, fmt.Errorf("find the views' checkpoint: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position = checkpoint
	h.start.Do(func() { close(h.started) })
	return checkpoint, nil
}

// release hands out a batch, each part of it as soon as the views show it. It
// asks the views anew for every batch, since another generation of them may
// have begun to serve.
func (h *Hub) release(ctx context.Context, batch []Recorded) error {
	for len(batch) > 0 {
		first := batch[0].Position
		visible, err := h.cfg.Await(ctx, first-1)
		if err != nil {
			return fmt.Errorf("await the views at position %d: %w", first, err)
		}
		n := 0
		for ; n < len(batch) && batch[n].Position <= visible; n++ {
			if err := h.dispatch(batch[n]); err != nil {
				return err
			}
		}
		if n == 0 {
			return fmt.Errorf("the views are at position %d when they should be beyond %d", visible, first-1)
		}
		batch = batch[n:]
	}
	return nil
}

// dispatch hands out one event. The lock is taken for each, so that a
// subscriber who comes or goes waits for one event, not for a batch.
func (h *Hub) dispatch(r Recorded) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Position != h.position+1 {
		return fmt.Errorf("the log gave position %d after %d", r.Position, h.position)
	}
	h.position = r.Position
	h.recent.add(r)
	switch e := r.Event.(type) {
	case domain.ChirpPosted:
		h.push(r, e)
		h.signal(e.AuthorID, r.Position)
	case domain.UserFollowed:
		h.refollow(r, e.FollowerID)
		h.signal(e.FollowerID, r.Position)
		h.signal(e.FolloweeID, r.Position)
	case domain.UserUnfollowed:
		h.refollow(r, e.FollowerID)
		h.signal(e.FollowerID, r.Position)
		h.signal(e.FolloweeID, r.Position)
	case domain.UserRegistered:
		h.signal(e.UserID, r.Position)
	}
	return nil
}

// push gives a chirp to all who are live and follow its author.
func (h *Hub) push(r Recorded, e domain.ChirpPosted) {
	list := h.authors[e.AuthorID]
	if len(list) == 0 {
		return
	}
	item := itemOf(r, e)
	// Backwards, because a subscriber that is let go is replaced in the list
	// by its last one, which has had its turn.
	for i := len(list) - 1; i >= 0; i-- {
		if s := list[i]; r.Position > s.given && !s.queue.push(item) {
			h.letGo(s)
		}
	}
}

// refollow applies a follow or an unfollow to the follower's subscriptions.
func (h *Hub) refollow(r Recorded, follower domain.UserID) {
	for _, s := range h.viewers[follower] {
		h.apply(s, r)
	}
}

// apply brings one subscriber past an event, and says whether the hub still
// has it afterwards. Chirps that were given are passed over. A follow that the
// reading shows already may be applied again: of each author's the last one
// decides, and before that no chirp of the author is pushed.
func (h *Hub) apply(s *subscriber, r Recorded) bool {
	switch e := r.Event.(type) {
	case domain.ChirpPosted:
		_, follows := s.followees[e.AuthorID]
		if follows && r.Position > s.given && !s.queue.push(itemOf(r, e)) {
			h.letGo(s)
			return false
		}
	case domain.UserFollowed:
		if e.FollowerID == s.viewer {
			h.watch(s, e.FolloweeID)
		}
	case domain.UserUnfollowed:
		if e.FollowerID == s.viewer {
			h.unwatch(s, e.FolloweeID)
		}
	}
	return true
}

// attach makes a viewer live from a reading on, when everything up to the
// position given, which is no less than its own, has been passed on. What happened between the reading and now
// is replayed, under the lock, so that nothing falls in between. It gives nil
// when the recent events don't reach back to the reading.
func (h *Hub) attach(viewer domain.UserID, reading Reading, given domain.Position) *subscriber {
	s := &subscriber{
		viewer: viewer, given: given,
		followees: make(map[domain.UserID]int, len(reading.Followees)),
		queue:     newQueue(h.cfg.Buffer),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.position < 0 || !h.recent.reaches(reading.Through, h.position) {
		return nil
	}
	h.viewers[viewer] = append(h.viewers[viewer], s)
	s.attached = true
	for _, author := range reading.Followees {
		h.watch(s, author)
	}
	for p := reading.Through + 1; p <= h.position; p++ {
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
