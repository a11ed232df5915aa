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

// TestRebuildUnderLoad rebuilds the views twice, with different thresholds, while
// users act, a projector applies events, feeds are read and one feed is watched.
func TestRebuildUnderLoad(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := newWorld(t, stores.log)
		w.register(7)
		for u := 2; u < 7; u++ {
			w.follow(u, 0)
			w.follow(u, 1)
		}
		w.write()
		l := newLoad(t, stores, w.users)
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
		last.post(0, 1) // the watched feed ends with it
		last.write()
		wantExact(t, stores, 100)
		l.end(t, last.head())
	})
}

// load is what runs beside a rebuild: a projector, readers and a subscription.
type load struct {
	stores  storePair
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

// feedPage is the first page of a feed that a reader got.
type feedPage struct {
	viewer     domain.UserID
	checkpoint domain.Position
	chirps     []domain.Position
}

func newLoad(t *testing.T, stores storePair, users []domain.UserID) *load {
	l := &load{stores: stores, users: users, viewer: users[2]}
	l.ctx, l.stop = context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(func() { l.stop(); l.parts.Wait() })
	l.queries = &query.Service{Views: stores.views, ReadAfterTimeout: time.Minute, Head: func(ctx context.Context) (domain.Position, error) {
		head, err := stores.log.Head(ctx)
		return head.Position, err
	}}
	l.hub = subscription.New(subscription.Config{Log: stores.log, Views: stores.views, Queries: l.queries})
	return l
}

func (l *load) begin(t *testing.T) {
	p := projector.New(projector.Config{Log: l.stores.log, Views: l.stores.views, Threshold: 3, Holder: "a", LeaseTTL: 400 * time.Millisecond})
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
		t.Fatalf("the views were not created: %v", err)
	}
	part("subscription", l.watch)
	for n := range 2 {
		part("reader", func(ctx context.Context) error { return l.readFeeds(ctx, l.users[2+n:], n == 0) })
	}
}

// readFeeds reads feeds until ctx ends. Each answer must be at or after the position
// of the one before and, with readAfter, the log's head before it was read.
func (l *load) readFeeds(ctx context.Context, viewers []domain.UserID, readAfter bool) error {
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
			return fmt.Errorf("an answer is at position %d, after one at %d, and %d was asked for", page.checkpoint, seen, after)
		}
		seen = page.checkpoint
		l.mu.Lock()
		l.pages = append(l.pages, page)
		l.mu.Unlock()
	}
	return nil
}

func (l *load) page(ctx context.Context, viewer domain.UserID, after domain.Position) (feedPage, error) {
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

// watch records what a subscription delivers.
func (l *load) watch(ctx context.Context) error {
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

// end stops everything once the last chirp was watched, and compares what was read
// with the log.
func (l *load) end(t *testing.T, last domain.Position) {
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
			t.Errorf("the subscription delivered position %d after %d", p, l.watched[i])
		}
	}
	t.Logf("%d pages read, %d chirps watched", len(l.pages), len(l.watched))
}

func (l *load) hasWatched(p domain.Position) bool {
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
