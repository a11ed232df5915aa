package query_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/projector/projectortest"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/readmodel/readmodeltest"
)

const epoch = "this-log"

// tester is the part of *testing.T and *rapid.T that world uses.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world fills views by the rules of delivery, one event at a time, and adds each
// event to an oracle, which says what the lists must be.
type world struct {
	t     tester
	store *readmodeltest.Memory
	at    domain.Position
	// hashes holds the hash of each event, by position.
	hashes map[domain.Position]domain.EventHash

	oracle projectortest.Oracle
	pull   map[readmodel.UserKey]bool // users who ever posted a pull chirp
	pushed map[readmodel.UserKey][]domain.Position
	// backfill is how many pushed chirps a follow delivers; it skips older ones.
	backfill int
	// cache is the Service's, or nil.
	cache *query.Cache
	// history is added to the ids of chirps.
	history string
}

func newWorld(t tester) *world {
	w := &world{t: t, store: readmodeltest.NewMemory(), pull: make(map[readmodel.UserKey]bool),
		pushed: make(map[readmodel.UserKey][]domain.Position), backfill: 100,
		hashes: make(map[domain.Position]domain.EventHash)}
	if _, err := w.store.Serving(context.Background(), epoch, 1); err != nil {
		t.Fatalf("open the views: %v", err)
	}
	return w
}

// event applies a batch as the next event.
func (w *world) event(fact domain.Event, b readmodel.Batch) domain.Position {
	w.t.Helper()
	w.at++
	w.oracle.Add(w.at, time.Unix(int64(w.at), 0).UTC(), fact)
	w.hashes[w.at] = hashOf(w.at, b)
	b.To.Position, b.To.Event = w.at, w.hashes[w.at]
	w.apply(b)
	return w.at
}

// hashOf returns the hash of the event that a batch applies.
func hashOf(at domain.Position, b readmodel.Batch) domain.EventHash {
	switch {
	case len(b.Chirps) == 1:
		return domain.HashEvent(domain.ChirpStream(b.Chirps[0].ID), b.Chirps[0].PostedAt)
	case len(b.Profiles) == 1:
		return domain.HashEvent(domain.UserStream(b.Profiles[0].ID), b.Profiles[0].JoinedAt)
	default:
		return domain.HashEvent("follow", time.Unix(int64(at), 0))
	}
}

// cursor returns the cursor of the event at a position.
func (w *world) cursor(r *query.Reader, p domain.Position) string { return r.Cursor(p, w.hashes[p]) }

// hashesOf is the query.Service's Hashes.
func (w *world) hashesOf(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	found := make(map[domain.Position]domain.EventHash)
	for _, p := range positions {
		if h, is := w.hashes[p]; is {
			found[p] = h
		}
	}
	return found, nil
}

func (w *world) apply(b readmodel.Batch) {
	w.t.Helper()
	writer, err := w.store.Serving(context.Background(), epoch, 1)
	if err != nil {
		w.t.Fatalf("open the views: %v", err)
	}
	g, err := writer.Generation(context.Background())
	if err != nil {
		w.t.Fatalf("read the generation: %v", err)
	}
	b.From = g.Checkpoint
	if err := writer.Apply(context.Background(), b); err != nil {
		w.t.Fatalf("apply event %d: %v", b.To.Position, err)
	}
}

// next returns the position of the next event.
func (w *world) next() domain.Position { return w.at + 1 }

func userID(k readmodel.UserKey) domain.UserID { return domain.UserID(fmt.Sprintf("user_%d", k)) }

func (w *world) register() readmodel.UserKey {
	w.t.Helper()
	k := readmodel.UserKey(w.next())
	registered := domain.UserRegistered{UserID: userID(k), Username: domain.Username(fmt.Sprintf("User%d", k))}
	w.event(registered, readmodel.Batch{Profiles: []readmodel.Profile{{Key: k, ID: registered.UserID, Username: registered.Username}}})
	return k
}

func chirpAt(p domain.Position, author readmodel.UserKey, d readmodel.Delivery) readmodel.Chirp {
	return readmodel.Chirp{
		Position: p, ID: domain.ChirpID(fmt.Sprintf("chirp_%d", p)), Author: author,
		Content: "hello", PostedAt: time.Unix(int64(p), 0).UTC(), Delivery: d,
	}
}

func (w *world) post(author readmodel.UserKey, d readmodel.Delivery) domain.Position {
	w.t.Helper()
	c := chirpAt(w.next(), author, d)
	c.ID += domain.ChirpID(w.history)
	b := readmodel.Batch{Chirps: []readmodel.Chirp{c}}
	all := readmodel.Range{Through: w.at}
	if d == readmodel.Push {
		w.pushed[author] = append(w.pushed[author], c.Position)
		b.FanOuts = []readmodel.FanOut{{Chirp: c.Position, Author: author, Range: all}}
	} else {
		w.pull[author] = true
		b.Marks = []readmodel.Mark{{Followee: author, Range: all}}
	}
	return w.event(domain.ChirpPosted{ChirpID: c.ID, AuthorID: userID(author), Content: c.Content}, b)
}

func (w *world) follow(follower, followee readmodel.UserKey) domain.Position {
	w.t.Helper()
	f := readmodel.Follow{Follower: follower, Followee: followee, Since: w.next(), Pull: w.pull[followee]}
	if pushed := w.pushed[followee]; len(pushed) > w.backfill {
		skipped := len(pushed) - w.backfill
		f.Split = readmodel.Split{Older: pushed[skipped-1], Skipped: int64(skipped)}
	}
	return w.event(domain.UserFollowed{FollowerID: userID(follower), FolloweeID: userID(followee)}, readmodel.Batch{
		Follows:   []readmodel.Follow{f},
		Backfills: []readmodel.Delivered{{Owner: follower, Author: followee, Range: readmodel.Range{After: f.Older, Through: w.at}}},
	})
}

func (w *world) unfollow(follower, followee readmodel.UserKey) domain.Position {
	w.t.Helper()
	return w.event(domain.UserUnfollowed{FollowerID: userID(follower), FolloweeID: userID(followee)}, readmodel.Batch{
		Unfollows: []readmodel.Follow{{Follower: follower, Followee: followee}},
		Cleanups:  []readmodel.Delivered{{Owner: follower, Author: followee, Range: readmodel.Range{Through: w.at}}},
	})
}

// feed returns the positions of a feed, newest first.
func (w *world) feed(viewer readmodel.UserKey) []domain.Position {
	at := []domain.Position{}
	for _, c := range w.oracle.Feed(userID(viewer)) {
		at = append(at, c.Position)
	}
	return at
}

// rows returns the rows of all lists except the feeds.
func (w *world) rows() projectortest.Rows { return w.oracle.Rows(projectortest.Rules{Threshold: 1}) }

// service returns a Service of the world, whose log ends at its views' checkpoint.
func (w *world) service() *query.Service {
	head := func(context.Context) (domain.Position, error) { return w.at, nil }
	return &query.Service{Views: w.store, Head: head, Hashes: w.hashesOf, Cache: w.cache}
}

func (w *world) open() *query.Reader {
	w.t.Helper()
	return open(w.t, w.service(), 0)
}

func open(t tester, s *query.Service, readAfter domain.Position) *query.Reader {
	t.Helper()
	r, err := s.Open(context.Background(), readAfter)
	if err != nil {
		t.Fatalf("Open after %d: %v", readAfter, err)
	}
	return r
}

func wantKind(t *testing.T, err error, want domain.Kind) {
	t.Helper()
	if err == nil || domain.KindOf(err) != want {
		t.Errorf("got the error %v of kind %d, want kind %d", err, domain.KindOf(err), want)
	}
}
