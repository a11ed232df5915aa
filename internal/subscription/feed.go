package subscription

import (
	"context"
	"errors"
	"iter"
	"time"

	"chirp/internal/domain"
)

// Feed gives a viewer's feed as it grows: each chirp once, with strictly
// ascending positions. It works in the goroutine that iterates and starts none
// of its own, so breaking off the loop, or the end of ctx, leaves nothing
// behind. Three things might end it:
//
//  1. The consumer breaks off, or ctx ends: no error is given.
//  2. ErrTooSlow or ErrShuttingDown: given as the last pair.
//  3. Another failure to read the feed: given as the last pair. While the
//     store is Unavailable, reading is tried again.
//
// Each iteration begins anew at from.
func (h *Hub) Feed(ctx context.Context, viewer domain.UserID, from Start) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		h.feeds.Add(1)
		defer h.feeds.Add(-1)
		within, stop := h.subscribed(ctx)
		defer stop()
		f := feed{hub: h, viewer: viewer, place: from.after, now: from.now, yield: yield}
		if err := reason(ctx, within, f.run(within)); err != nil {
			yield(Item{}, err)
		}
	}
}

// errStopped says that the consumer wants no more.
var errStopped = errors.New("the consumer broke off")

// reason gives the error to be told to the consumer, if any.
func reason(ctx, within context.Context, err error) error {
	switch {
	case errors.Is(err, errStopped) || ctx.Err() != nil:
		return nil
	case within.Err() != nil:
		return context.Cause(within)
	default:
		return err
	}
}

// feed is one iteration of Feed.
type feed struct {
	hub    *Hub
	viewer domain.UserID
	yield  func(Item, error) bool
	// place is the position up to which everything was given.
	place domain.Position
	// now makes the first reading decide on place.
	now  bool
	pace pace
}

// run reads until level with the views, then listens to the hub, as often as
// it takes. It ends only with an error.
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

// catchUp gives what the feed has after the place and attaches to the hub.
func (f *feed) catchUp(ctx context.Context) (*subscriber, error) {
	for tries := 0; ; {
		limit := f.hub.cfg.Page
		if f.now {
			limit = 0
		}
		r, err := f.read(ctx, limit)
		if err != nil {
			return nil, err
		}
		before := f.place
		for _, item := range r.items {
			if err := f.give(ctx, item); err != nil {
				return nil, err
			}
		}
		if limit > 0 && len(r.items) >= limit {
			if err := f.checkPace(r.through - before); err != nil {
				return nil, err
			}
			continue
		}
		// The reading had room for more: there is nothing else up to its checkpoint.
		f.now, f.pace = false, pace{}
		f.place = max(f.place, r.through)
		if s, err := f.join(ctx, r); s != nil || err != nil {
			return s, err
		}
		// The hub is too far beyond the reading. The next one is nearer, unless
		// the views that serve now are behind those that served before.
		if f.place == before {
			tries++
			pauseApart(ctx, tries)
		}
	}
}

func (f *feed) checkPace(behind domain.Position) error {
	if !f.pace.lost(behind, f.hub.cfg) {
		return nil
	}
	f.hub.dropped.Add(1)
	f.hub.cfg.Logger.Info("a feed subscription is too slow", "viewer", f.viewer, "behind", behind)
	return ErrTooSlow
}

// join attaches to the hub once it has started. It returns nil when the hub
// cannot take over from the reading.
func (f *feed) join(ctx context.Context, r reading) (*subscriber, error) {
	select {
	case <-f.hub.started:
		return f.hub.attach(f.viewer, r, f.place), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// read reads the feed after the place, for as long as it takes the store to
// answer.
func (f *feed) read(ctx context.Context, limit int) (reading, error) {
	for tries := 1; ; tries++ {
		r, err := read(ctx, f.hub.cfg.Queries, f.viewer, f.place, limit)
		if err == nil || domain.KindOf(err) != domain.Unavailable || ctx.Err() != nil {
			return r, err
		}
		f.hub.cfg.Logger.Debug("a feed subscription cannot read and tries again", "viewer", f.viewer, "error", err)
		pauseApart(ctx, tries)
	}
}

// live gives what the hub pushes, until the hub has let go of the subscriber
// and everything buffered is given (nil), or with an error.
func (f *feed) live(ctx context.Context, s *subscriber) error {
	defer f.hub.detach(s)
	var items []*Item
	for {
		var lost domain.Position
		items, lost = s.queue.take(items)
		for _, item := range items {
			if err := f.give(ctx, *item); err != nil {
				return err
			}
		}
		switch {
		case lost > 0:
			// Everything before the chirp that found no room was given.
			f.place = max(f.place, lost-1)
			return nil
		case len(items) == 0:
			select {
			case <-s.queue.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// give passes an item on.
func (f *feed) give(ctx context.Context, item Item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.place = item.Position
	if !f.yield(item, nil) {
		return errStopped
	}
	return nil
}

// minRounds is how many catch-up reads a subscriber has at least to come
// nearer in: one that was only stopped for a while gets as far as it can.
const minRounds = 10

// pace watches whether a subscriber comes nearer to the views.
type pace struct {
	least  domain.Position // the smallest distance so far
	since  time.Time       // when it was that
	rounds int             // reads since then
}

// lost notes the distance at a catch-up read and says whether the subscriber
// is too slow.
func (p *pace) lost(behind domain.Position, cfg Config) bool {
	if p.since.IsZero() || behind < p.least {
		*p = pace{least: behind, since: time.Now()}
		return false
	}
	p.rounds++
	return p.rounds >= minRounds && time.Since(p.since) >= cfg.Patience && behind > cfg.MaxBehind
}
