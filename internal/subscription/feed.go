package subscription

import (
	"context"
	"errors"
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
	return func(yield func(Item, error) bool) {
		h.feeds.Add(1)
		defer h.feeds.Add(-1)
		subscribed, stop := h.subscriptionContext(ctx)
		defer stop()
		f := feed{hub: h, viewer: viewer, position: from.after, now: from.now, yield: yield}
		if err := endError(ctx, subscribed, f.run(subscribed)); err != nil {
			yield(Item{}, err)
		}
	}
}

// errStopped is returned inside the package when the consumer left the loop.
var errStopped = errors.New("the consumer stopped")

// endError returns the error to yield when a subscription ended with err, or nil.
// ctx is the subscriber's context, and subscribed the one derived from it, which the
// hub ends too.
func endError(ctx, subscribed context.Context, err error) error {
	switch {
	case errors.Is(err, errStopped) || ctx.Err() != nil:
		return nil
	case subscribed.Err() != nil:
		return context.Cause(subscribed)
	default:
		return err
	}
}

// feed is one iteration of Feed.
type feed struct {
	hub    *Hub
	viewer domain.UserID
	yield  func(Item, error) bool
	// position is that up to which everything was yielded.
	position domain.Position
	// now makes the first read set position to the views' checkpoint.
	now  bool
	pace pace
}

// run catches up with the views and then takes what the hub pushes, in a loop,
// because a slow subscriber has to catch up again. It ends only with an error.
func (f *feed) run(ctx context.Context) error {
	for {
		s, err := f.catchUp(ctx)
		if err != nil {
			return err
		}
		if err := f.live(ctx, s); err != nil {
			return err
		}
		f.hub.catchUps.Add(1)
	}
}

// catchUp yields the part of the feed after position and attaches to the hub.
func (f *feed) catchUp(ctx context.Context) (*subscriber, error) {
	for tries := 0; ; {
		limit := f.pageLimit()
		r, s, err := f.readAndJoin(ctx, limit)
		if err != nil {
			return nil, err
		}
		before := f.position
		if err := f.emitPage(ctx, r.items); err != nil {
			f.hub.leave(s)
			return nil, err
		}
		if r.full(limit) {
			if err := f.checkPace(r.through - before); err != nil {
				return nil, err
			}
			continue
		}
		// There is nothing else up to the page's checkpoint.
		f.now, f.pace = false, pace{}
		if f.position = max(f.position, r.through); s != nil {
			return s, nil
		}
		// The hub is too far ahead of the page. The next page is closer, unless
		// the views that serve now are behind those that served before; pause
		// until they have moved on.
		if f.position == before {
			tries++
			pauseWithJitter(ctx, tries)
		}
	}
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

// emitPage yields what a page holds.
func (f *feed) emitPage(ctx context.Context, items []Item) error {
	held := held{in: &f.hub.held}
	defer func() { held.add(-int(held.bytes.Load())) }()
	for i := range items {
		held.add(items[i].size())
	}
	for i := range items {
		held.add(-items[i].size())
		if err := f.emit(ctx, items[i]); err != nil {
			return err
		}
		items[i] = Item{}
	}
	return nil
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
		s, loading := f.hub.attach(f.viewer, r, max(f.position, r.through), c)
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

// live yields what the hub pushes. It returns nil when the hub has detached the
// subscriber and everything buffered was yielded, so that the feed has to catch up.
func (f *feed) live(ctx context.Context, s *subscriber) error {
	defer f.hub.leave(s)
	for {
		item, lost := s.queue.take()
		switch {
		case item != nil:
			if err := f.emit(ctx, *item); err != nil {
				return err
			}
		case lost > 0:
			// Everything before the chirp that did not fit was yielded.
			f.position = max(f.position, lost-1)
			return nil
		default:
			select {
			case <-s.queue.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// emit yields an item.
func (f *feed) emit(ctx context.Context, item Item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.position = item.Position
	if !f.yield(item, nil) {
		return errStopped
	}
	return nil
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
