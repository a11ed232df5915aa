package subscription_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/subscription"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log, and views of it that are a pure pull over the events up to a
// checkpoint. It can be stopped and made to fail in every place.
type world struct {
	mu         sync.Mutex
	changed    chan struct{} // closed at each change
	events     []subscription.Recorded
	checkpoint domain.Position
	reads      int

	// held stops the hub's Await, as if the hub were slow.
	held bool
	// outage makes Follow, Await and Read fail.
	outage error
	// readGate, if set, lets a reading wait, once made, for a token.
	readGate chan struct{}
	// behind makes readings show views that are so far behind the checkpoint.
	behind domain.Position
	// grow posts so many chirps of an author before each reading.
	grow   int
	grower domain.UserID
}

func newWorld() *world { return &world{changed: make(chan struct{})} }

// change changes the world under its lock and wakes all who wait.
func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// record adds an event to the log, not yet to the views.
func (w *world) record(e domain.Event) (at domain.Position) {
	w.change(func() { at = w.add(e) })
	return at
}

func (w *world) add(e domain.Event) domain.Position {
	at := domain.Position(len(w.events) + 1)
	if c, ok := e.(domain.ChirpPosted); ok {
		c.ChirpID = domain.ChirpID(fmt.Sprintf("chirp_%d", at))
		c.Content = domain.Content(fmt.Sprintf("number %d", at))
		e = c
	}
	w.events = append(w.events, subscription.Recorded{Position: at, At: time.Unix(int64(at), 0).UTC(), Event: e})
	return at
}

// show moves the views to the end of the log.
func (w *world) show() {
	w.change(func() { w.checkpoint = domain.Position(len(w.events)) })
}

// happen records an event and shows it.
func (w *world) happen(e domain.Event) domain.Position {
	at := w.record(e)
	w.show()
	return at
}

func (w *world) post(author domain.UserID) domain.Position {
	return w.happen(domain.ChirpPosted{AuthorID: author})
}

func (w *world) follow(follower, followee domain.UserID) domain.Position {
	return w.happen(domain.UserFollowed{FollowerID: follower, FolloweeID: followee})
}

func (w *world) unfollow(follower, followee domain.UserID) domain.Position {
	return w.happen(domain.UserUnfollowed{FollowerID: follower, FolloweeID: followee})
}

// Follow implements Config.Follow, in batches of up to seven.
func (w *world) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]subscription.Recorded, error] {
	return func(yield func([]subscription.Recorded, error) bool) {
		at := after
		for {
			w.mu.Lock()
			outage, changed := w.outage, w.changed
			batch := w.events[min(int(at), len(w.events)):min(int(at)+7, len(w.events))]
			w.mu.Unlock()
			if outage != nil {
				yield(nil, outage)
				return
			}
			if len(batch) > 0 {
				at = batch[len(batch)-1].Position
				if !yield(batch, nil) {
					return
				}
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// Await implements Config.Await.
func (w *world) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	for {
		w.mu.Lock()
		checkpoint, held, outage, changed := w.checkpoint, w.held, w.outage, w.changed
		w.mu.Unlock()
		if outage != nil {
			return 0, outage
		}
		if !held && checkpoint > beyond {
			return checkpoint, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// Read implements Config.Read.
func (w *world) Read(ctx context.Context, viewer domain.UserID, after domain.Position, limit int) (subscription.Reading, error) {
	w.mu.Lock()
	gate, grow := w.readGate, w.grow
	w.mu.Unlock()
	for range grow {
		w.post(w.grower)
	}
	w.mu.Lock()
	w.reads++
	outage, through := w.outage, max(w.checkpoint-w.behind, 0)
	events := w.events[:through]
	w.mu.Unlock()
	if outage != nil {
		return subscription.Reading{}, outage
	}
	r := subscription.Reading{Through: through}
	feed, followees := feedAt(events, viewer)
	for _, item := range feed {
		if item.Position > after && len(r.Items) < limit {
			r.Items = append(r.Items, item)
		}
	}
	if len(r.Items) < limit || limit == 0 {
		r.Followees = followees
	}
	if gate == nil {
		return r, nil
	}
	select {
	case <-gate:
		return r, nil
	case <-ctx.Done():
		return subscription.Reading{}, ctx.Err()
	}
}

// feedAt is what a viewer's feed is after some events, oldest first.
func feedAt(events []subscription.Recorded, viewer domain.UserID) (items []subscription.Item, followees []domain.UserID) {
	follows := make(map[domain.UserID]bool)
	for _, r := range events {
		switch e := r.Event.(type) {
		case domain.UserFollowed:
			if e.FollowerID == viewer {
				follows[e.FolloweeID] = true
			}
		case domain.UserUnfollowed:
			if e.FollowerID == viewer {
				delete(follows, e.FolloweeID)
			}
		}
	}
	for _, r := range events {
		if e, ok := r.Event.(domain.ChirpPosted); ok && follows[e.AuthorID] {
			items = append(items, subscription.Item{Position: r.Position, Chirp: e.ChirpID, Author: e.AuthorID, Content: e.Content, PostedAt: r.At})
		}
	}
	for id := range follows {
		followees = append(followees, id)
	}
	slices.SortFunc(followees, func(a, b domain.UserID) int { return cmp.Compare(a, b) })
	return items, followees
}

// hub makes a hub of the world and runs it until the test's end.
func (w *world) hub(t *testing.T, cfg subscription.Config) *subscription.Hub {
	t.Helper()
	cfg.Follow, cfg.Await, cfg.Read = w.Follow, w.Await, w.Read
	h := subscription.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

// client is a consumer of a feed. Its fields are read after synctest.Wait.
type client struct {
	items []subscription.Item
	err   error
	ended bool
	// gate, if set, makes it wait for a token before it takes an item.
	gate chan struct{}
	stop context.CancelFunc
}

// connect makes a client, whose goroutine ends with the test at the latest.
func connect(t *testing.T, h *subscription.Hub, viewer domain.UserID, from subscription.Start, gate chan struct{}) *client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &client{gate: gate, stop: cancel}
	t.Cleanup(cancel)
	go func() {
		for item, err := range h.Feed(ctx, viewer, from) {
			if err != nil {
				c.err = err
				break
			}
			if c.gate != nil {
				select {
				case <-c.gate:
				case <-ctx.Done():
				}
			}
			c.items = append(c.items, item)
		}
		c.ended = true
	}()
	return c
}

func (c *client) positions() []domain.Position {
	at := []domain.Position{}
	for _, item := range c.items {
		at = append(at, item.Position)
	}
	return at
}

// wantItems checks what a client got so far, once everything is at rest.
func wantItems(t *testing.T, c *client, want ...domain.Position) {
	t.Helper()
	synctest.Wait()
	if c.err != nil {
		t.Fatalf("the feed ended with %v", c.err)
	}
	if got := c.positions(); !slices.Equal(got, want) {
		t.Fatalf("got the chirps at %v, want %v", got, want)
	}
}
