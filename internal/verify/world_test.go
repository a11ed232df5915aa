package verify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/sqlite"
	"chirp/internal/verify"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// threshold is low, so that users become celebrities and stop being so.
const threshold = 3

// store is what both adapters offer.
type store interface {
	Log() eventstore.Log
	Views() readmodel.Store
	Close() error
}

// kind is a kind of store. open opens a new store, and returns its place as well, so
// that a test can damage it.
type kind struct {
	name string
	open func(t testing.TB) (store, place)
}

// place is where a store keeps its data: a folder, or a URI and a database.
type place struct{ dir, uri, database string }

var kinds = []kind{
	{"embedded", func(t testing.TB) (store, place) {
		p := place{dir: t.TempDir()}
		return p.reopen(t), p
	}},
	{"mongodb", func(t testing.TB) (store, place) {
		p := place{uri: mongotest.URI(t), database: mongotest.Database(t)}
		return p.reopen(t), p
	}},
}

// reopen opens the store of a place until the test ends.
func (p place) reopen(t testing.TB) store {
	t.Helper()
	var s store
	var err error
	if p.dir != "" {
		s, err = sqlite.Open(t.Context(), p.dir, sqlite.Options{})
	} else {
		s, err = mongodb.Open(t.Context(), p.uri, p.database, mongodb.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// writer writes histories by executing commands.
type writer struct {
	command.Handler
	users   []command.User
	follows map[[2]int]bool // in random histories
}

func newWriter(log eventstore.Log) *writer {
	return &writer{follows: make(map[[2]int]bool), Handler: command.Handler{
		Events: log, Now: time.Now, NewID: func() [16]byte { return uuid.Must(uuid.NewV7()) },
		SaveCredential: func(context.Context, domain.UserID, string) error { return nil },
	}}
}

func (w *writer) register(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		r, err := w.RegisterUser(t.Context(), command.RegisterUser{Username: name, Password: "correct horse"})
		if err != nil {
			t.Fatal(err)
		}
		w.users = append(w.users, r.User)
	}
}

// identify registers a user with an external identity.
func (w *writer) identify(t testing.TB, name, subject string) {
	t.Helper()
	r, err := w.RegisterUser(t.Context(), command.RegisterUser{
		Username: name, Identity: domain.Identity{Issuer: "https://issuer.example", Subject: subject},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.users = append(w.users, r.User)
}

func (w *writer) post(t testing.TB, author int, text string) {
	t.Helper()
	if _, err := w.PostChirp(t.Context(), command.PostChirp{Author: w.users[author].ID, Content: text}); err != nil {
		t.Fatal(err)
	}
}

func (w *writer) follow(t testing.TB, follower, followee int) {
	t.Helper()
	_, err := w.FollowUser(t.Context(), command.FollowUser{Follower: w.users[follower].ID, Followee: string(w.users[followee].ID)})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *writer) unfollow(t testing.TB, follower, followee int) {
	t.Helper()
	_, err := w.UnfollowUser(t.Context(), command.UnfollowUser{Follower: w.users[follower].ID, Followee: string(w.users[followee].ID)})
	if err != nil {
		t.Fatal(err)
	}
}

// random writes a history of posts, follows, unfollows and, now and then, a
// registration.
func (w *writer) random(t testing.TB, random *rand.Rand, commands int) {
	t.Helper()
	for i := range commands {
		if len(w.users) < 3 || random.IntN(20) == 0 {
			if name := fmt.Sprintf("u%d", len(w.users)); random.IntN(2) == 0 {
				w.identify(t, name, name)
			} else {
				w.register(t, name)
			}
		}
		a, b := random.IntN(len(w.users)), random.IntN(min(len(w.users), 4))
		pair := [2]int{a, b}
		switch {
		case random.IntN(2) == 0 || a == b:
			w.post(t, a, fmt.Sprintf("chirp %d: \"é\"\n👩‍🚀", i))
		case w.follows[pair]:
			w.unfollow(t, a, b)
			w.follows[pair] = false
		default:
			w.follow(t, a, b)
			w.follows[pair] = true
		}
	}
}

// small writes the history whose positions the test tables use. It has the users 1,
// 3, 5 and 7, of whom the first is a celebrity from position 12 to 17.
func (w *writer) small(t testing.TB) {
	t.Helper()
	const ann, bob, cid, dan = 0, 1, 2, 3
	w.register(t, "ann", "bob", "cid", "dan")
	w.post(t, ann, "one") // 9
	w.follow(t, bob, ann)
	w.follow(t, cid, ann)
	w.follow(t, dan, ann)
	w.post(t, ann, "two")   // 13, pulled
	w.post(t, bob, "three") // 14
	w.follow(t, cid, bob)
	w.post(t, bob, "four") // 16
	w.unfollow(t, dan, ann)
	w.post(t, ann, "five") // 18
}

// project brings the views up to the log's head, in small batches.
func project(t testing.TB, log eventstore.Log, views readmodel.Store) {
	t.Helper()
	projectIn(t, log, views, threshold, 7, 3)
}

// projectIn is project with a threshold and batch sizes.
func projectIn(t testing.TB, log eventstore.Log, views readmodel.Store, threshold int64, maxEvents, maxDeliveries int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	head, err := log.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p := projector.New(projector.Config{Log: log, Views: views, Threshold: threshold, Holder: uuid.NewString(), MaxEvents: maxEvents, MaxDeliveries: maxDeliveries, Backfill: 2})
	done := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { done <- p.Run(running) }()
	if _, err := views.Await(ctx, head.Position-1); err != nil {
		t.Fatalf("await position %d: %v, projector %+v", head.Position, err, p.State())
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// found verifies and returns the differences as lines.
func found(t testing.TB, cfg verify.Config) (verify.Summary, []string) {
	t.Helper()
	var lines []string
	cfg.Report = func(d verify.Difference) { lines = append(lines, d.String()) }
	sum, err := verify.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if int(sum.Differences) != len(lines) {
		t.Errorf("got %d differences in the summary and %d reported", sum.Differences, len(lines))
	}
	return sum, lines
}
