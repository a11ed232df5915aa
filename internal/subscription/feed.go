package subscription

import (
	"context"
	"iter"
	"time"

	"chirp/internal/domain"
)

// Feed returns an iterator over a viewer's feed as it grows: each chirp once, with
// strictly ascending positions. It runs in the goroutine that iterates and starts
// none of its own, so nothing is left behind after the loop. Three things might end
// it:
//
//  1. The consumer leaves the loop, or ctx ends: no error is yielded.
//  2. The hub ends it: ErrTooSlow, ErrShuttingDown or ErrUndone is yielded last.
//  3. The feed cannot be read: that error is yielded last. While the store is
//     Unavailable, Feed tries again instead.
//
// Each iteration starts at from.
func (h *Hub) Feed(ctx context.Context, viewer domain.UserID, from Start) iter.Seq2[Item, error] {
	return all(ctx, func() *Follower[Item] { return h.FollowFeed(viewer, from) })
}

// FollowFeed returns a Follower that yields what Feed does.
func (h *Hub) FollowFeed(viewer domain.UserID, from Start) *Follower[Item] {
	h.feeds.Add(1)
	f := &feed{hub: h, viewer: viewer, position: from.after, now: from.now, bell: newBell(), history: h.present()}
	f.held.in = &h.held
	return &Follower[Item]{f, f.bell, f.history}
}

// feed is the source of a viewer's feed. It catches up with the views and then takes
// what the hub pushes, in a loop, because a slow subscriber has to catch up again.
type feed struct {
	hub     *Hub
	viewer  domain.UserID
	bell    *bell
	history context.Context //nolint:containedctx // as in Follower
	// position is that up to which everything was yielded.
	position domain.Position
	// now makes the first read set position to the views' checkpoint.
	now   bool
	pace  pace
	tries int // catch-up reads that came no further
	page  *page
	held  held        // by the page
	live  *subscriber // nil while catching up
}

// page is what a catch-up read has returned, as long as it is being yielded.
type page struct {
	feedPage
	full   bool            // there may be more
	before domain.Position // position before the page
	joined *subscriber     // which is live after the page; nil if there is none
}

// step implements source.
func (f *feed) step(ctx context.Context) (Item, bool, error) {
	for {
		switch {
		case f.page != nil && len(f.page.items) > 0:
			return f.takeFromPage(), true, nil
		case f.page != nil:
			if err := f.endPage(ctx); err != nil {
				return Item{}, false, err
			}
		case f.live == nil:
			if err := f.readPage(ctx); err != nil {
				return Item{}, false, err
			}
		default:
			if item, ok := f.takeLive(); ok || f.live != nil {
				return item, ok, nil
			}
		}
	}
}

// poll implements source.
func (f *feed) poll() (Item, bool) {
	if f.live == nil {
		return Item{}, false
	}
	return f.take()
}

// idle implements source.
func (f *feed) idle() bool { return f.live != nil && f.live.queue.isEmpty() }

// stop implements source.
func (f *feed) stop() {
	if f.page != nil {
		f.hub.leave(f.page.joined)
	}
	f.hub.leave(f.live)
	f.held.add(-int(f.held.bytes.Load()))
	f.hub.feeds.Add(-1)
}

// readPage reads the next page, and attaches to the hub if it is the last one.
func (f *feed) readPage(ctx context.Context) error {
	ctx, end := f.hub.subscriptionContext(ctx, f.history)
	defer end()
	limit := f.pageLimit()
	r, s, err := f.readAndJoin(ctx, limit)
	if err != nil {
		return err
	}
	for i := range r.items {
		f.held.add(r.items[i].size())
	}
	r.followees = nil
	f.page = &page{feedPage: r, full: r.full(limit), before: f.position, joined: s}
	return nil
}

// takeFromPage returns the page's next chirp.
func (f *feed) takeFromPage() Item {
	item := f.page.items[0]
	f.page.items[0] = Item{}
	f.page.items = f.page.items[1:]
	f.held.add(-item.size())
	f.position = item.Position
	return item
}

// endPage decides what comes after a page. It returns ErrTooSlow if the subscriber
// cannot keep up.
func (f *feed) endPage(ctx context.Context) error {
	p := f.page
	f.page = nil
	if p.full {
		return f.checkPace(p.through - p.before)
	}
	// There is nothing else up to the page's checkpoint.
	f.now, f.pace = false, pace{}
	f.position, f.live = max(f.position, p.through), p.joined
	if f.live != nil || f.position > p.before {
		f.tries = 0
		return nil
	}
	// The hub is too far ahead of the page. The next page is closer, unless
	// the views that serve now are behind those that served before; pause
	// until they have moved on.
	f.tries++
	ctx, end := f.hub.subscriptionContext(ctx, f.history)
	defer end()
	pauseWithJitter(ctx, f.tries)
	return nil
}

// takeLive returns the next chirp that the hub has pushed. If the hub has detached the
// subscriber and everything buffered was yielded, the feed has to catch up.
func (f *feed) takeLive() (Item, bool) {
	item, ok := f.take()
	if lost := f.live.queue.lostAt(); !ok && lost > 0 {
		// Everything before the chirp that did not fit was yielded.
		f.position = max(f.position, lost-1)
		f.hub.leave(f.live)
		f.live = nil
		f.hub.catchUps.Add(1)
	}
	return item, ok
}

func (f *feed) take() (Item, bool) {
	item := f.live.queue.take()
	if item == nil {
		return Item{}, false
	}
	f.position = item.Position
	return *item, true
}

// fewItems is how many chirps a catch-up read asks for while the feeds hold half of
// what they may.
const fewItems = 4

// pageLimit returns how many chirps the next catch-up read asks for.
func (f *feed) pageLimit() int {
	switch {
	case f.now:
		return 0
	case f.hub.held.Load() > int64(f.hub.cfg.AllBytes/2):
		return min(fewItems, f.hub.cfg.Page)
	default:
		return f.hub.cfg.Page
	}
}

// readAndJoin reads a page, and attaches to the hub if the page is the last one. If
// the viewer's followees are not known and nobody is reading them, it reads them from
// the same snapshot.
func (f *feed) readAndJoin(ctx context.Context, limit int) (feedPage, *subscriber, error) {
	c := f.hub.claim(f.viewer)
	defer c.end()
	r, err := f.read(ctx, limit, c != nil)
	if err != nil || r.full(limit) {
		return r, nil, err
	}
	s, err := f.join(ctx, r, c)
	return r, s, err
}

// checkPace returns ErrTooSlow if the subscriber cannot keep up. behind is its
// distance to the views before the page that it has just yielded.
func (f *feed) checkPace(behind domain.Position) error {
	if !f.pace.tooSlow(behind, f.hub.cfg) {
		return nil
	}
	f.hub.dropped.Add(1)
	f.hub.cfg.Logger.Info("a feed subscription is too slow", "viewer", f.viewer, "behind", behind)
	return ErrTooSlow
}

// join attaches to the hub once it has started and nobody is reading the viewer's
// followees. It returns nil if the hub cannot continue from the page.
func (f *feed) join(ctx context.Context, r feedPage, c *claim) (*subscriber, error) {
	for wait := (<-chan struct{})(f.hub.started); ; {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		s, loading := f.hub.attach(f, r, max(f.position, r.through), c)
		if loading == nil {
			return s, nil
		}
		wait = loading
	}
}

// readingPatience is how long a catch-up read waits for its turn until it logs that.
const readingPatience = 10 * time.Minute

// read reads the feed after position. It tries again while the store is
// Unavailable.
func (f *feed) read(ctx context.Context, limit int, withFollowees bool) (feedPage, error) {
	for tries := 1; ; tries++ {
		r, err := f.readOnce(ctx, limit, withFollowees)
		if err == nil || domain.KindOf(err) != domain.Unavailable || ctx.Err() != nil {
			return r, err
		}
		f.hub.cfg.Logger.Debug("a feed subscription cannot read and tries again", "viewer", f.viewer, "error", err)
		pauseWithJitter(ctx, tries)
	}
}

// readOnce reads when it is the viewer's turn.
func (f *feed) readOnce(ctx context.Context, limit int, withFollowees bool) (feedPage, error) {
	var keys []string
	if f.hub.cfg.Keys != nil {
		keys = f.hub.cfg.Keys(ctx)
	}
	leave, err := f.hub.readings.Enter(ctx, append(keys, string(f.viewer))...)
	if err != nil {
		return feedPage{}, err
	}
	defer leave()
	return readFeedPage(ctx, f.hub.cfg.Queries, f.viewer, f.position, limit, withFollowees)
}

// minRounds is the number of catch-up reads that a subscriber has at least to come
// closer to the views. It is not time alone that counts, because a subscriber whose
// consumer was blocked for a while did not read in that time.
const minRounds = 10

// pace keeps track of whether a subscriber comes closer to the views.
type pace struct {
	least  domain.Position // the smallest distance so far
	since  time.Time       // when it was that
	rounds int             // reads since then
}

// tooSlow records the distance at a catch-up read, and reports whether the
// subscriber is too slow.
func (p *pace) tooSlow(behind domain.Position, cfg Config) bool {
	if p.since.IsZero() || behind < p.least {
		*p = pace{least: behind, since: time.Now()}
		return false
	}
	p.rounds++
	return p.rounds >= minRounds && time.Since(p.since) >= cfg.Patience && behind > cfg.MaxBehind
}
