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

// Hub passes events of the log to subscribers. Nothing arrives unless Run is
// running.
type Hub struct {
	cfg      Config
	feeds    atomic.Int64
	catchUps atomic.Uint64
	dropped  atomic.Uint64
	outage   outage.Outage

	// life ends with Close, and ends Run and every subscription.
	life context.Context
	end  context.CancelCauseFunc
	// started is closed once position is known for the first time.
	started chan struct{}
	start   sync.Once

	mu sync.Mutex
	// history ends when the log is restored to an earlier state, and ends every
	// subscription begun in it. restart then begins another one.
	history context.Context
	undo    context.CancelCauseFunc
	// position is that of the last event dispatched, -1 while it is not known.
	position domain.Position
	recent   ring
	// authors holds for each author the live subscribers that follow it.
	authors map[domain.UserID][]*subscriber
	// viewers holds for each user its own live feed subscriptions.
	viewers map[domain.UserID][]*subscriber
	// watchers holds for each user the subscriptions to its profile.
	watchers map[domain.UserID][]*watcher

	unreadable map[string]bool // types of events; used by Run's goroutine only
}

// New returns a Hub, whose Run the caller calls.
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

// Run follows the log from the views' checkpoint and dispatches events as they
// become visible, until ctx ends, whose error it returns, or the hub is closed,
// when it returns nil. After any error of the log or the views it tries again,
// without limit and at most 2 s apart, and continues after the last event that it
// dispatched, so none is missed. When the log was restored to an earlier state, it
// ends all subscriptions with ErrUndone and starts again at the views' checkpoint.
// Run is called once; when it returns, the hub is closed.
func (h *Hub) Run(ctx context.Context) error {
	defer h.Close()
	running, stop := h.untilClosed(ctx)
	defer stop()
	for running.Err() == nil {
		err := h.follow(running)
		if running.Err() != nil {
			break
		}
		if domain.KindOf(err) == domain.CursorInvalid {
			h.restart()
		}
		tries := h.outage.Failed(h.cfg.Logger, "the live hub lost the log and tries again", err, "position", h.at())
		outage.Pause(running, outage.Delay(firstPause, tries))
	}
	return ctx.Err()
}

const (
	// firstPause is the pause after a first failure, of the hub or a subscriber.
	firstPause = 50 * time.Millisecond
	// recoveredAfter is how long the hub follows a log without new events until
	// it considers an outage over.
	recoveredAfter = 2 * time.Second
)

func (h *Hub) recovered() { h.outage.Ended(h.cfg.Logger, "the live hub follows the log again") }

// untilClosed returns a context that also ends when the hub is closed, with
// ErrShuttingDown as the cause.
func (h *Hub) untilClosed(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if h.life.Err() != nil {
		cancel(ErrShuttingDown)
	}
	stop := context.AfterFunc(h.life, func() { cancel(ErrShuttingDown) })
	return ctx, func() { stop(); cancel(nil) }
}

// subscriptionContext returns a context that also ends when the hub is closed and
// when the log's history ends, each with the error for the subscriber as the cause.
func (h *Hub) subscriptionContext(ctx context.Context) (context.Context, func()) {
	h.mu.Lock()
	history := h.history
	h.mu.Unlock()
	ctx, stopLife := h.untilClosed(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(history, func() { cancel(context.Cause(history)) })
	return ctx, func() { stop(); cancel(nil); stopLife() }
}

// restart ends the log's history and makes begin start again at the views'
// checkpoint. The recent events are those of the old history, so it drops them.
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

// dispatch passes one event to the subscribers that it concerns. It takes the lock
// for each event, so that a subscriber that comes or goes waits for one event, not
// for a batch.
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
		h.changeFollows(e, fact.FollowerID)
	case domain.UserUnfollowed:
		h.changeFollows(e, fact.FollowerID)
	case domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved:
	}
	for _, user := range e.fact.Users() {
		h.notifyWatchers(user, e.Position)
	}
	return nil
}

// push adds a chirp to the queues of all live subscribers that follow its author.
func (h *Hub) push(e event, posted domain.ChirpPosted) {
	list := h.authors[posted.AuthorID]
	if len(list) == 0 {
		return
	}
	item := itemOf(e, posted)
	// Backwards, because detachLocked moves the list's last subscriber into the
	// place of the one it removes, and that one has been visited already.
	for i := len(list) - 1; i >= 0; i-- {
		if s := list[i]; e.Position > s.yielded && !s.queue.push(item) {
			h.detachLocked(s)
		}
	}
}

// changeFollows applies a follow or an unfollow to the follower's subscriptions.
func (h *Hub) changeFollows(e event, follower domain.UserID) {
	for _, s := range h.viewers[follower] {
		h.apply(s, e)
	}
}

// apply applies one event to one subscriber, and reports whether it is still
// attached afterwards. It skips chirps that the subscriber has yielded. While the
// hub is behind the catch-up read, it applies follows and unfollows that the read
// shows already. That does no harm: for each author the last one decides, and all
// chirps up to the read's checkpoint are skipped.
func (h *Hub) apply(s *subscriber, e event) bool {
	switch fact := e.fact.(type) {
	case domain.ChirpPosted:
		_, follows := s.followees[fact.AuthorID]
		if follows && e.Position > s.yielded && !s.queue.push(itemOf(e, fact)) {
			h.detachLocked(s)
			return false
		}
	case domain.UserFollowed:
		if fact.FollowerID == s.viewer {
			h.addAuthor(s, fact.FolloweeID)
		}
	case domain.UserUnfollowed:
		if fact.FollowerID == s.viewer {
			h.removeAuthor(s, fact.FolloweeID)
		}
	case domain.UserRegistered, domain.UsernameReserved, domain.IdentityReserved:
	}
	return true
}

// attach makes a viewer live after the catch-up read r. yielded is the position up
// to which everything was yielded; it is at least r.through. attach replays the
// events between the read and now while it holds the lock, so that no event is
// dispatched in between and missed. It returns nil if the recent events don't
// reach back to the read, which must then be repeated.
func (h *Hub) attach(viewer domain.UserID, r feedPage, yielded domain.Position) *subscriber {
	s := &subscriber{
		viewer: viewer, yielded: yielded,
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
		h.addAuthor(s, author)
	}
	for p := r.through + 1; p <= h.position; p++ {
		if !h.apply(s, h.recent.get(p)) {
			break
		}
	}
	return s
}

// detach removes a subscriber from the hub, if it is still attached.
func (h *Hub) detach(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.detachLocked(s)
}

// detachLocked is detach for callers that hold the lock.
func (h *Hub) detachLocked(s *subscriber) {
	if !s.attached {
		return
	}
	s.attached = false
	for author := range s.followees {
		h.removeAuthor(s, author)
	}
	h.viewers[s.viewer] = without(h.viewers[s.viewer], s)
	if len(h.viewers[s.viewer]) == 0 {
		delete(h.viewers, s.viewer)
	}
}

// addAuthor makes a subscriber receive an author's chirps.
func (h *Hub) addAuthor(s *subscriber, author domain.UserID) {
	if _, has := s.followees[author]; has {
		return
	}
	s.followees[author] = len(h.authors[author])
	h.authors[author] = append(h.authors[author], s)
}

// removeAuthor stops a subscriber from receiving an author's chirps. It moves the
// last subscriber of the author's list into the place of the removed one, so that
// it takes the same time however long the list is.
func (h *Hub) removeAuthor(s *subscriber, author domain.UserID) {
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

// Stats returns the hub's current state.
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
