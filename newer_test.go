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

	"chirp/internal/apitest"
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
	p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	older := start(t, p)
	users := apitest.RegisterAll(t, older.url, "ann", "bob")
	ann, bob := users[0].At(older.url), users[1].At(older.url)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	ann.ReadAfter = apitest.Must(bob.Post(t.Context(), "first", ""))(t).Position
	first := apitest.Must(ann.Page(t.Context(), 1, ""))(t)
	socket := apitest.Must(ann.Connect(t.Context()))(t)
	defer socket.Close()
	if err := socket.Subscribe("feed", apitest.FeedAddedDocument, apitest.Vars{"after": first.Edges[0].Cursor}); err != nil {
		t.Fatal(err)
	}
	apitest.Must(bob.Post(t.Context(), "before", ""))(t)
	wantNext(t, socket, "before")

	store := p.OpenToWrite(t, false)
	at := poison(t, store, users[1].ID, "newer").Position
	apitest.AwaitProbe(t, older.url, http.StatusServiceUnavailable, "the projector halted: project event "+at.String())
	newer := serveMended(t, p)
	apitest.Ready(t, older.url)
	poison(t, store, users[1].ID, "newer again")
	apitest.Must(bob.Post(t.Context(), "after", ""))(t)
	wantNext(t, socket, "after")
	apitest.Eventually(t, "the older server's feed has all", func() bool {
		edges, err := users[0].At(older.url).Feed(t.Context(), 10)
		return err == nil && slices.Equal(apitest.Contents(edges), []string{"after", "newer again", "newer", "before", "first"})
	})
	apitest.Ready(t, newer)
	apitest.Ready(t, older.url)
	if n := strings.Count(older.log.String(), "of a type that cannot be read"); n != 1 {
		t.Errorf("the older server logs the type that it cannot read %d times, want once", n)
	}
	if log := older.log.String(); !strings.Contains(log, "the views are past the event that it halted at") {
		t.Error("the older server does not log the end of its halt")
	}
}

// TestReadinessKnowsTheLiveHub lets a hub fail while the views move on.
func TestReadinessKnowsTheLiveHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var views atomic.Int64
		views.Store(1)
		log := &viewsLog{views: &views, broken: &broken}
		a := &application{hub: subscription.New(subscription.Config{Log: log, Views: log, Queries: &query.Service{Views: log}})}
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

func wantNext(t *testing.T, s *apitest.Socket, want string) {
	t.Helper()
	if got, err := s.NextEdge("feed"); err != nil || got.Node.Content != want {
		t.Errorf("the next push: got %q, error %v, want %q", got.Node.Content, err, want)
	}
}
