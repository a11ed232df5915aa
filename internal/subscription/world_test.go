package subscription_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector/projectortest"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/subscription"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log, and views of it that show what the oracle says of the events up to
// a checkpoint. A test can stop it or make it fail at every call.
type world struct {
	eventstore.Log  // nil: the methods that the hub does not call
	readmodel.Store // nil: likewise

	mu         sync.Mutex
	changed    chan struct{} // closed at each change
	events     []eventstore.Event
	oracle     projectortest.Oracle
	keys       map[domain.UserID]readmodel.UserKey
	checkpoint domain.Position
	reads      int
	// sets counts the reads of followees, and unreadable is their error.
	sets       int
	unreadable error
	// held blocks the hub's Await, as if the hub were slow.
	held bool
	// outage is the error of all reads, nil for none.
	outage error
	// skips is how many times Follow omits the first event.
	skips int
	// readGate, if set, makes Snapshot take a token before it returns.
	readGate chan struct{}
	// behind is how far snapshots are behind the checkpoint.
	behind domain.Position
	// grow is how many chirps of grower are posted before each snapshot.
	grow   int
	grower domain.UserID
}

func newWorld() *world {
	return &world{changed: make(chan struct{}), keys: make(map[domain.UserID]readmodel.UserKey)}
}

// change changes the world under its lock and wakes all goroutines that wait for it.
func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// record adds an event to the log, not yet to the views.
func (w *world) record(fact domain.Event) (at domain.Position) {
	w.change(func() { at = w.add(fact) })
	return at
}

// add adds an event to the log. A nil fact stands for an event that cannot be read.
func (w *world) add(fact domain.Event) domain.Position {
	if fact == nil {
		return w.addRaw("of.a.newer.version.v9", `{}`)
	}
	at := domain.Position(len(w.events) + 1)
	if c, ok := fact.(domain.ChirpPosted); ok {
		c.ChirpID = domain.ChirpID(fmt.Sprintf("chirp_%d", at))
		c.Content = domain.Content(fmt.Sprintf("number %d", at))
		fact = c
	}
	wireName, data, err := domain.EncodeEvent(fact)
	if err != nil {
		panic(err)
	}
	w.addRaw(wireName, string(data))
	w.oracle.Add(at, w.events[at-1].RecordedAt, fact)
	return at
}

// addRaw adds an event with a type and data to the log, but not to the oracle.
func (w *world) addRaw(wireName, data string) domain.Position {
	at := domain.Position(len(w.events) + 1)
	w.events = append(w.events, eventstore.Event{
		Position: at, Stream: domain.StreamID(fmt.Sprintf("stream:%d", at)), RecordedAt: time.Unix(int64(at), 0).UTC(),
		Type: wireName, Data: []byte(data),
	})
	return at
}

// undo restores the log and the views to their state before an event.
func (w *world) undo(at domain.Position) {
	w.change(func() {
		w.events, w.oracle, w.checkpoint = w.events[:at-1:at-1], w.oracle.Through(at-1), at-1
	})
}

// show moves the views to the end of the log.
func (w *world) show() {
	w.change(func() { w.checkpoint = domain.Position(len(w.events)) })
}

// happen records an event and shows it.
func (w *world) happen(fact domain.Event) domain.Position {
	at := w.record(fact)
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

// Follow implements eventstore.Log, in batches of up to seven.
func (w *world) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		at := after
		w.mu.Lock()
		if w.skips > 0 {
			w.skips--
			at++
		}
		w.mu.Unlock()
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

// Hashes implements eventstore.Log.
func (w *world) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hashes := make(map[domain.Position]domain.EventHash)
	for _, p := range positions {
		if p > 0 && int(p) <= len(w.events) {
			hashes[p] = w.events[p-1].Hash()
		}
	}
	return hashes, w.outage
}

// Await implements readmodel.Store.
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

// Snapshot implements readmodel.Store.
func (w *world) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	w.mu.Lock()
	gate, grow := w.readGate, w.grow
	w.mu.Unlock()
	for range grow {
		w.post(w.grower)
	}
	w.mu.Lock()
	w.reads++
	outage, through := w.outage, max(w.checkpoint-w.behind, 0)
	s := &snapshot{world: w, through: through, oracle: w.oracle.Through(through)}
	w.mu.Unlock()
	if outage != nil {
		return nil, outage
	}
	if gate == nil {
		return s, nil
	}
	select {
	case <-gate:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// snapshot answers what the oracle says at a position. It has a profile for every
// id, and all chirps are pushed to the timelines.
type snapshot struct {
	readmodel.Snapshot // nil: the methods that a feed does not call
	world              *world
	through            domain.Position
	oracle             projectortest.Oracle
}

func (s *snapshot) Close() {}

func (s *snapshot) Generation() readmodel.Generation {
	return readmodel.Generation{Number: 1, Checkpoint: readmodel.Checkpoint{Position: s.through}}
}

// ProfileByID returns a profile with a negative key, as if the user had registered
// before the first event.
func (s *snapshot) ProfileByID(_ context.Context, id domain.UserID) (readmodel.Profile, error) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	key, known := s.world.keys[id]
	if !known {
		key = readmodel.UserKey(-1 - len(s.world.keys))
		s.world.keys[id] = key
	}
	return readmodel.Profile{Key: key, ID: id}, nil
}

func (s *snapshot) Profiles(_ context.Context, keys []readmodel.UserKey) (found []readmodel.Profile, _ error) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	for id, key := range s.world.keys {
		if slices.Contains(keys, key) {
			found = append(found, readmodel.Profile{Key: key, ID: id})
		}
	}
	return found, nil
}

func (s *snapshot) Timeline(ctx context.Context, owner readmodel.UserKey, w readmodel.Window) (found []domain.Position, _ error) {
	owners, _ := s.Profiles(ctx, []readmodel.UserKey{owner})
	for _, c := range slices.Backward(s.oracle.Feed(owners[0].ID)) {
		if c.Position > w.After && c.Position < w.Before && len(found) < w.Limit {
			found = append(found, c.Position)
		}
	}
	return found, nil
}

// Chirps returns those that are in the feed of a user who was read before.
func (s *snapshot) Chirps(ctx context.Context, at []domain.Position) ([]readmodel.Chirp, error) {
	s.world.mu.Lock()
	viewers := slices.Collect(maps.Keys(s.world.keys))
	s.world.mu.Unlock()
	rows := map[domain.Position]readmodel.Chirp{}
	for _, viewer := range viewers {
		for _, c := range s.oracle.Feed(viewer) {
			if slices.Contains(at, c.Position) {
				author, _ := s.ProfileByID(ctx, c.Author)
				rows[c.Position] = readmodel.Chirp{Position: c.Position, ID: c.ID, Author: author.Key, Content: c.Content, PostedAt: c.PostedAt}
			}
		}
	}
	return slices.Collect(maps.Values(rows)), nil
}

func (s *snapshot) Sources(context.Context, readmodel.UserKey, domain.Position) ([]readmodel.Source, error) {
	return nil, nil
}

func (s *snapshot) FolloweeIDs(ctx context.Context, follower readmodel.UserKey) ([]domain.UserID, error) {
	followers, _ := s.Profiles(ctx, []readmodel.UserKey{follower})
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.sets++
	return slices.Collect(maps.Keys(s.oracle.Following(followers[0].ID))), s.world.unreadable
}

// feedOf returns a viewer's feed at the end of the log, oldest first.
func (w *world) feedOf(viewer domain.UserID) []subscription.Item {
	var feed []subscription.Item
	for _, c := range slices.Backward(w.oracle.Feed(viewer)) {
		feed = append(feed, subscription.Item(c))
	}
	return feed
}

// chirpAt returns the chirp at a position, and whether there is one.
func (w *world) chirpAt(p domain.Position) (subscription.Item, bool) {
	e := w.events[p-1]
	fact, err := domain.DecodeEvent(e.Type, e.Data)
	posted, ok := fact.(domain.ChirpPosted)
	return subscription.Item{Position: p, ID: posted.ChirpID, Author: posted.AuthorID, Content: posted.Content, PostedAt: e.RecordedAt}, ok && err == nil
}

// newHub returns a hub of the world.
func (w *world) newHub(cfg subscription.Config) *subscription.Hub {
	cfg.Log, cfg.Views, cfg.Queries = w, w, &query.Service{Views: w}
	return subscription.New(cfg)
}

// hub returns a hub of the world that runs until the test ends.
func (w *world) hub(t *testing.T, cfg subscription.Config) *subscription.Hub {
	t.Helper()
	h := w.newHub(cfg)
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
	// gate, if set, makes the client take a token before it takes an item.
	gate chan struct{}
	stop context.CancelFunc
}

// connect starts a client, whose goroutine ends with the test at the latest.
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

// wantItems checks what a client has received once all goroutines are blocked.
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
