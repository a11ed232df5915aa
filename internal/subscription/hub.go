package subscription

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/outage"
)

// Hub passes events of the log to subscribers. Nothing arrives unless Run is
// running.
type Hub struct {
	cfg       Config
	feeds     atomic.Int64
	catchUps  atomic.Uint64
	dropped   atomic.Uint64
	outage    outage.Outage
	histories atomic.Int64
	held      atomic.Int64 // bytes of chirps that feeds hold
	waker     waker
	readings  *gate.Gate // of catch-up reads

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
	// authors are the users whom viewers follow, and viewers the users who have live
	// feed subscriptions or are about to have them.
	authors map[domain.UserID]*author
	viewers map[domain.UserID]*viewer
	// watched are the users whose profiles have subscriptions, of which there are
	// profiles in all.
	watched  map[domain.UserID]*watched
	profiles int
	// feedBells and profileBells are to be rung for the event that is being dispatched.
	// They are used by dispatch.
	feedBells, profileBells []*bell

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
		authors:    make(map[domain.UserID]*author),
		viewers:    make(map[domain.UserID]*viewer),
		watched:    make(map[domain.UserID]*watched),
		waker:      waker{added: make(chan struct{}, 1)},
		readings:   gate.NewLimited("catch-up", gate.Limits{Places: cfg.Readings, Patience: readingPatience}),
		unreadable: make(map[string]bool),
	}
}

// Close ends all subscriptions with ErrShuttingDown, refuses new ones the same
// way, and makes Run return. It may be called more than once.
func (h *Hub) Close() {
	h.end(ErrShuttingDown)
	h.mu.Lock()
	bells := h.bells()
	h.mu.Unlock()
	for _, b := range bells {
		b.ring()
	}
}

// bells returns those of all subscriptions that may be waiting. Its caller has locked
// h.mu.
func (h *Hub) bells() (all []*bell) {
	for _, v := range h.viewers {
		for _, s := range v.live {
			all = append(all, s.queue.bell)
		}
	}
	for _, u := range h.watched {
		for _, w := range u.watchers {
			all = append(all, w.bell)
		}
	}
	return all
}

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
	var waking sync.WaitGroup
	waking.Go(func() { h.waker.run(running) })
	defer waking.Wait()
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

// present returns the log's present history.
func (h *Hub) present() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.history
}

// subscriptionContext returns a context that also ends when the log's history does in
// which a subscription began, as it does when the hub is closed.
func (h *Hub) subscriptionContext(ctx, history context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(history, func() { cancel(context.Cause(history)) })
	return ctx, func() { stop(); cancel(nil) }
}

// restart ends the log's history and makes begin start again at the views'
// checkpoint. The recent events are those of the old history, so it drops them.
func (h *Hub) restart() {
	for _, b := range h.startHistory() {
		b.ring()
	}
}

// startHistory is restart, and returns the bells of the subscriptions that end.
func (h *Hub) startHistory() []*bell {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.undo(ErrUndone)
	ended := h.bells()
	h.history, h.undo = context.WithCancelCause(h.life)
	h.position, h.recent.kept = -1, 0
	clear(h.authors)
	h.viewers = make(map[domain.UserID]*viewer)
	h.watched = make(map[domain.UserID]*watched)
	h.histories.Add(1)
	return ended
}

// History returns a number for the log's present history: another one after the log was
// restored to an earlier state. What is said of a position holds within a history.
func (h *Hub) History() int64 { return h.histories.Load() }

func (h *Hub) at() domain.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position
}

// dispatch passes one event to the subscribers that it concerns, and wakes them.
func (h *Hub) dispatch(e event) error {
	err := h.pass(e)
	h.profileBells = h.waker.wake(h.profileBells)
	h.feedBells = h.waker.wake(h.feedBells)
	return err
}

// pass passes one event to the subscribers that it concerns. It takes the lock for each
// event, so that a subscriber that comes or goes waits for one event, not for a batch.
func (h *Hub) pass(e event) error {
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
	if posted, ok := e.fact.(domain.ChirpPosted); ok {
		h.push(e, posted)
	}
	if c, ok := followChangeOf(e.fact); ok {
		h.changeFollows(c.follower, e.fact)
	}
	for _, user := range e.fact.Users() {
		h.changed(user, e.Position)
	}
	return nil
}

// push adds a chirp to the queues of all live subscribers that follow its author.
func (h *Hub) push(e event, posted domain.ChirpPosted) {
	a := h.authors[posted.AuthorID]
	if a == nil {
		return
	}
	item := itemOf(e, posted)
	// Backwards, because a subscriber that is removed is replaced by the last one of
	// its list, and a viewer likewise, which have been visited already.
	for i := len(a.viewers) - 1; i >= 0; i-- {
		live := a.viewers[i].live
		for j := len(live) - 1; j >= 0; j-- {
			s := live[j]
			h.feedBells = append(h.feedBells, s.queue.bell)
			h.offer(s, item)
		}
	}
}

// changeFollows applies a follow or an unfollow to the follower's followees, if they
// are known here.
func (h *Hub) changeFollows(follower domain.UserID, fact domain.Event) {
	if v := h.viewers[follower]; v != nil && v.followees != nil {
		h.changeFollowees(v, fact)
	}
}

// Stats returns the hub's current state.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	live := 0
	for _, v := range h.viewers {
		live += len(v.live)
	}
	stats := Stats{
		Feeds: int(h.feeds.Load()), Live: live, Profiles: h.profiles,
		Authors: len(h.authors), Held: int(h.held.Load()), Position: max(h.position, 0),
		CatchUps: h.catchUps.Load(), Dropped: h.dropped.Load(),
	}
	if report, ongoing := h.outage.Now(); ongoing {
		stats.Outage = &report
	}
	return stats
}
