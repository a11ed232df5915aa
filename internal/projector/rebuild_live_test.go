package projector_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/projector"
	"chirp/internal/projector/projectortest"
	"chirp/internal/query"
	"chirp/internal/subscription"
)

// TestRebuildWhileEverythingGoesOn rebuilds the views twice, with other
// thresholds, while users act, a projector applies, feeds are read and one is
// watched live.
func TestRebuildWhileEverythingGoesOn(t *testing.T) {
	onEach(t, func(t *testing.T, stores pair) {
		w := newWorld(t, stores.log)
		w.register(7)
		for u := 2; u < 7; u++ {
			w.follow(u, 0)
			w.follow(u, 1)
		}
		w.write()
		l := newLive(t, stores, w.users)
		l.begin(t)

		var acts sync.WaitGroup
		acts.Go(func() { race(t, w, 40) })
		for _, threshold := range []int64{2, 100} {
			cfg := projector.Config{Log: stores.log, Views: stores.views, Threshold: threshold}
			if err := projector.Rebuild(l.ctx, cfg, projector.RebuildConfig{}); err != nil {
				t.Fatalf("Rebuild: %v", err)
			}
		}
		acts.Wait()
		last := newWorld(t, stores.log)
		last.users = w.users
		last.post(0, 1) // that the watched feed has an end
		last.write()
		wantExact(t, stores, 100)
		l.end(t, last.head())
	})
}

// live is what goes on beside a rebuild.
type live struct {
	stores  pair
	users   []domain.UserID
	viewer  domain.UserID
	queries *query.Service
	hub     *subscription.Hub
	ctx     context.Context
	stop    context.CancelFunc
	parts   sync.WaitGroup

	mu      sync.Mutex
	pages   []feedPage
	watched []domain.Position
}

// feedPage is what a reader was given.
type feedPage struct {
	viewer     domain.UserID
	checkpoint domain.Position
	chirps     []domain.Position
}

func newLive(t *testing.T, stores pair, users []domain.UserID) *live {
	l := &live{stores: stores, users: users, viewer: users[2]}
	l.ctx, l.stop = context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(func() { l.stop(); l.parts.Wait() })
	l.queries = &query.Service{Views: stores.views, ReadAfterTimeout: time.Minute, Head: func(ctx context.Context) (domain.Position, error) {
		head, err := stores.log.Head(ctx)
		return head.Position, err
	}}
	l.hub = subscription.New(subscription.Config{Log: stores.log, Views: stores.views, Queries: l.queries})
	return l
}

func (l *live) begin(t *testing.T) {
	p := projector.New(projector.Config{Log: l.stores.log, Views: l.stores.views, Threshold: 3, Holder: "live", LeaseTTL: 400 * time.Millisecond})
	part := func(name string, run func(context.Context) error) {
		l.parts.Go(func() {
			if err := run(l.ctx); err != nil && l.ctx.Err() == nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	part("projector", p.Run)
	part("hub", l.hub.Run)
	head, err := l.stores.log.Head(l.ctx)
	if err == nil {
		_, err = l.stores.views.Await(l.ctx, head.Position-1)
	}
	if err != nil {
		t.Fatalf("the views are not there: %v", err)
	}
	part("subscription", l.watch)
	for n := range 2 {
		part("reader", func(ctx context.Context) error { return l.hammer(ctx, l.users[2+n:], n == 0) })
	}
}

// hammer reads feeds over and over. A position that was seen, be it in the log
// or in an answer, must be visible in the next one that asks for it.
func (l *live) hammer(ctx context.Context, viewers []domain.UserID, readAfter bool) error {
	var seen domain.Position
	for n := 0; ctx.Err() == nil; n++ {
		viewer, after := viewers[n%len(viewers)], domain.Position(0)
		if readAfter {
			head, err := l.queries.Head(ctx)
			if err != nil {
				return err
			}
			after = head
		}
		page, err := l.page(ctx, viewer, after)
		if err != nil {
			return fmt.Errorf("read a feed after position %d: %w", after, err)
		}
		if page.checkpoint < after || page.checkpoint < seen {
			return fmt.Errorf("an answer is at position %d, after %d was seen and %d asked for", page.checkpoint, seen, after)
		}
		seen = page.checkpoint
		l.mu.Lock()
		l.pages = append(l.pages, page)
		l.mu.Unlock()
	}
	return nil
}

func (l *live) page(ctx context.Context, viewer domain.UserID, after domain.Position) (feedPage, error) {
	r, err := l.queries.Open(ctx, after)
	if err != nil {
		return feedPage{}, err
	}
	defer r.Close()
	found, err := r.Feed(ctx, viewer, query.Page{First: new(20)})
	page := feedPage{viewer: viewer, checkpoint: r.Checkpoint()}
	for _, e := range found.Edges {
		page.chirps = append(page.chirps, e.Node.Position)
	}
	return page, err
}

// watch keeps what a subscription gives.
func (l *live) watch(ctx context.Context) error {
	for item, err := range l.hub.Feed(ctx, l.viewer, subscription.After(0)) {
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.watched = append(l.watched, item.Position)
		l.mu.Unlock()
	}
	return nil
}

// end stops everything once the last chirp was watched, and holds what was read
// against the log.
func (l *live) end(t *testing.T, last domain.Position) {
	t.Helper()
	for l.ctx.Err() == nil && !l.hasWatched(last) {
		time.Sleep(5 * time.Millisecond)
	}
	oracle, err := projectortest.Read(allEvents(t, l.stores.log))
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.stores.views.Snapshot(l.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if g := s.Generation(); g.Number != 3 || g.Threshold != 100 {
		t.Errorf("%+v serves, want generation 3 with threshold 100", g)
	}
	s.Close()
	l.stop()
	l.parts.Wait()
	for i, p := range l.pages {
		want := feedPositions(oracle.Through(p.checkpoint).Feed(p.viewer), 20)
		if !slices.Equal(p.chirps, want) {
			t.Fatalf("page %d of %d, at position %d: got %v, want %v", i, len(l.pages), p.checkpoint, p.chirps, want)
		}
	}
	if n := len(l.watched); len(l.pages) == 0 || n == 0 || l.watched[n-1] != last {
		t.Fatalf("%d pages were read and the chirps %v watched, want some of both and %d last", len(l.pages), l.watched, last)
	}
	for i, p := range l.watched[1:] {
		if p <= l.watched[i] {
			t.Errorf("the subscription gave position %d after %d", p, l.watched[i])
		}
	}
	t.Logf("%d pages read, %d chirps watched", len(l.pages), len(l.watched))
}

func (l *live) hasWatched(p domain.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.watched, p)
}

func feedPositions(feed []projectortest.Chirp, most int) []domain.Position {
	var found []domain.Position
	for _, c := range feed[:min(most, len(feed))] {
		found = append(found, c.Position)
	}
	return found
}
