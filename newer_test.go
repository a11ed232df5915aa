package main

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/subscription"
)

// TestAnOlderServerGoesOnBesideANewerOne upgrades one of two servers: the older
// one meets events that only the newer one can read.
func TestAnOlderServerGoesOnBesideANewerOne(t *testing.T) {
	t.Parallel()
	p := onMongoDB(mongotest.URI(t), mongotest.Database(t))
	older := start(t, p)
	users := registerAll(t, older.url, "ann", "bob")
	ann, bob := users[0].at(older.url), users[1].at(older.url)
	must(ann.follow(t.Context(), users[1].ID, ""))(t)
	ann.readAfter = must(bob.post(t.Context(), "first", ""))(t).Position
	first := must(ann.page(t.Context(), 1, ""))(t)
	socket := must(ann.connect(t.Context()))(t)
	defer socket.close()
	if err := socket.subscribe("feed", feedAddedDocument, vars{"after": first.Edges[0].Cursor}); err != nil {
		t.Fatal(err)
	}
	must(bob.post(t.Context(), "before", ""))(t)
	wantNext(t, socket, "before")

	store := p.openToWrite(t, false)
	at := poison(t, store, users[1].ID, "newer").Position
	awaitProbe(t, older.url, http.StatusServiceUnavailable, "the projector halted: project event "+at.String())
	newer := serveMended(t, p)
	ready(t, older.url)
	poison(t, store, users[1].ID, "newer again")
	must(bob.post(t.Context(), "after", ""))(t)
	wantNext(t, socket, "after")
	eventually(t, "the older server's feed has all", func() bool {
		edges, err := users[0].at(older.url).feed(t.Context(), 10)
		return err == nil && slices.Equal(contents(edges), []string{"after", "newer again", "newer", "before", "first"})
	})
	ready(t, newer)
	ready(t, older.url)
	if n := strings.Count(older.log.String(), "of a type that cannot be read"); n != 1 {
		t.Errorf("the older server logs the type that it cannot read %d times, want once", n)
	}
	if log := older.log.String(); !strings.Contains(log, "the views are past the event that it halted at") {
		t.Error("the older server does not log the end of its halt")
	}
}

func wantNext(t *testing.T, s *socket, want string) {
	t.Helper()
	if got, err := s.nextEdge("feed"); err != nil || got.Node.Content != want {
		t.Errorf("the next push: got %q, error %v, want %q", got.Node.Content, err, want)
	}
}

// TestALeaseFromAClockThatWasAheadIsNotWaitedFor starts servers where a lease
// is that cannot be, and where one is that can.
func TestALeaseFromAClockThatWasAheadIsNotWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		ahead  time.Duration
		waited bool
	}{"an hour ahead": {time.Hour, false}, "a day ahead": {24 * time.Hour, false}, "within its duration": {2900 * time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := mongotest.Database(t)
			lease := connectTo(t, mongotest.URI(t)).Database(database).Collection("lease")
			row := bson.D{{Key: "_id", Value: "projector"}, {Key: "holder", Value: "ghost"}, {Key: "until", Value: time.Now().Add(c.ahead)}, {Key: "for", Value: int64(3000)}}
			if _, err := lease.InsertOne(t.Context(), row); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			s := start(t, onMongoDB(mongotest.URI(t), database))
			eventually(t, "the server has the lease", func() bool { return projects(t, s.url) })
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("taking the lease over took %s", took)
			}
			if got := strings.Contains(s.log.String(), "holder=ghost until="); got != c.waited {
				t.Errorf("the log names the holder: %t, want %t", got, c.waited)
			}
		})
	}
}

// TestReadinessKnowsTheLiveHub lets a hub fail while the views move on.
func TestReadinessKnowsTheLiveHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var views atomic.Int64
		views.Store(1)
		log := &viewsLog{views: &views, broken: &broken}
		a := &app{hub: subscription.New(subscription.Config{Log: log, Views: log, Queries: &query.Service{Views: log}})}
		go func() { _ = a.hub.Run(t.Context()) }()
		pass := func(d time.Duration) {
			for range int(d / time.Second) {
				a.lag.note(domain.Position(views.Load()), domain.Position(views.Load()), nil)
				time.Sleep(time.Second)
			}
		}
		want := func(when, reason string) {
			t.Helper()
			got := strings.Join(a.hubReasons(), "\n")
			if reason == "" && got != "" || !strings.Contains(got, reason) {
				t.Errorf("%s: got the reasons %q, want %q", when, got, reason)
			}
		}
		pass(20 * time.Second)
		want("while all is well", "")
		broken.Store(true)
		pass(time.Second)
		views.Add(5)
		pass(5 * time.Second)
		want("after five seconds", "")
		pass(20 * time.Second)
		want("after the lag bound", "the live hub is at position 1 and has been trying again for 2")
		want("after the lag bound", "a page is damaged")
		broken.Store(false)
		pass(10 * time.Second)
		want("once it is mended", "")
		a.hub.Close()
		time.Sleep(time.Second) // for those that sleep
	})
}

// viewsLog is a log that ends where its views are, while it is not broken. All
// its events are of one stream and time, and of a type that cannot be read.
type viewsLog struct {
	eventstore.Log
	readmodel.Store
	views  *atomic.Int64
	broken *atomic.Bool
}

func (l *viewsLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for at := after; ctx.Err() == nil; {
			switch {
			case l.broken.Load():
				yield(nil, errors.New("a page is damaged"))
				return
			case int64(at) < l.views.Load():
				at++
				if !yield([]eventstore.Event{{Position: at, Type: newerType}}, nil) {
					return
				}
			default:
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}

func (l *viewsLog) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	hashes := make(map[domain.Position]domain.EventHash)
	for _, p := range positions {
		hashes[p] = eventstore.Event{}.Hash()
	}
	return hashes, nil
}

func (l *viewsLog) Await(context.Context, domain.Position) (domain.Position, error) {
	return domain.Position(l.views.Load()), nil
}
