package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/graph/transport"
	"chirp/internal/storage/sqlite"
)

// prompt is how soon everything must be answered while others crowd in. A
// server whose requests wait for each other needs minutes.
const prompt = 10 * time.Second

// tenPosts posts ten chirps in one operation and reads after each of them.
func tenPosts() string {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "m%d: postChirp(input: {content: \"chirp %d\"}) { chirp { author { chirpCount viewerFollows } } } ", i, i)
	}
	return "mutation { " + b.String() + "}"
}

// TestOperationsThatReadAfterEachMutation sends many of them at once, at the
// default rate limit: each is answered soon, and so are another user's query
// and the probes.
func TestOperationsThatReadAfterEachMutation(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p, "--rate-limit", "20")
		users := registerAll(t, s.url, "ada", "bob")
		asking := users[1].at(s.url)
		asking.readAfter = users[1].Position
		ctx, cancel := context.WithTimeout(t.Context(), prompt)
		defer cancel()
		var posting sync.WaitGroup
		for range 4 {
			posting.Go(func() {
				if err := users[0].at(s.url).do(ctx, tenPosts(), nil, nil); err != nil {
					t.Errorf("ten posts: %v", err)
				}
			})
			posting.Go(func() {
				if err := users[0].at(s.url).overSocket(ctx, tenPosts()); err != nil {
					t.Errorf("ten posts over a socket: %v", err)
				}
			})
		}
		posted := make(chan struct{})
		go func() { posting.Wait(); close(posted) }()
		for busy := true; busy; {
			select {
			case <-posted:
				busy = false
			default:
			}
			begun := time.Now()
			if err := asking.do(ctx, `{ viewer { chirpCount } recentChirps { edges { node { author { username } } } } }`, nil, nil); err != nil {
				t.Fatalf("another user's query after %s: %v", time.Since(begun), err)
			}
			if status, body, err := probe(ctx, s.url+"/readyz"); err != nil || status != http.StatusOK {
				t.Fatalf("/readyz after %s: got %d %q, %v, want 200", time.Since(begun), status, body, err)
			}
		}
	})
}

// overSocket carries an operation out on a socket of its own.
func (a api) overSocket(ctx context.Context, document string) error {
	s, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.subscribe("1", document, nil); err != nil {
		return err
	}
	return s.next("1", nil)
}

// TestMetricsShowWhoWaits looks for the numbers that tell an operator that
// clients crowd the store.
func TestMetricsShowWhoWaits(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		_, text, err := probe(t.Context(), s.url+"/metrics")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"chirp_connections{pool=", "chirp_connections_in_use{pool=", "chirp_connections_waited_for{pool=", "chirp_connections_refused_total{pool=", "chirp_password_hashes_waited_for 0", "chirp_password_hashes_refused_total 0"} {
			if !strings.Contains(text, want) {
				t.Errorf("/metrics has no %q", want)
			}
		}
	})
}

// TestACrowdOfReadersDelaysClientsOnly takes every connection of the embedded
// views that clients may have. The server's own work goes on; clients are told
// to try again.
func TestACrowdOfReadersDelaysClientsOnly(t *testing.T) {
	store, url := serveHere(t)
	users := registerAll(t, url, "ada", "bob")
	if _, err := users[1].at(url).follow(t.Context(), users[0].ID, ""); err != nil {
		t.Fatal(err)
	}
	bob := users[1].at(url)
	bob.readAfter = must(users[0].at(url).post(t.Context(), "before", ""))(t).Position
	newest := must(bob.page(t.Context(), 1, ""))(t).Edges[0].Cursor
	live := must(bob.connect(t.Context()))(t)
	defer live.close()
	if err := live.subscribe("feed", feedAddedDocument, vars{"after": newest}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the subscription is live", func() bool {
		_, text, err := probe(t.Context(), url+"/metrics")
		return err == nil && strings.Contains(text, "chirp_feed_subscriptions 1")
	})
	const most = 16
	for range most {
		s, err := store.Views().Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	posted := must(users[0].at(url).post(t.Context(), "while it is crowded", ""))(t)
	if got, err := live.nextEdge("feed"); err != nil || got.Node.Content != "while it is crowded" {
		t.Errorf("a subscriber got %+v, %v, want the chirp", got, err)
	}
	begun := time.Now()
	asking := users[1].at(url)
	asking.readAfter = posted.Position
	if _, err := asking.page(t.Context(), 1, ""); code(err) != "UNAVAILABLE" || time.Since(begun) > prompt {
		t.Errorf("a query: got %v after %s, want UNAVAILABLE soon", err, time.Since(begun))
	}
	if status, body, err := probe(t.Context(), url+"/readyz"); err != nil || status != http.StatusOK {
		t.Errorf("/readyz: got %d %q, %v, want 200", status, body, err)
	}
	_, text, err := probe(t.Context(), url+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`chirp_connections{pool="views"} 20`, `chirp_connections_in_use{pool="views"} 16`, `chirp_connections_refused_total{pool="views"} 1`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("/metrics has no line %s", want)
		}
	}
}

// serveHere serves an embedded store within the test process.
func serveHere(t *testing.T) (storage, string) {
	t.Helper()
	cfg, err := parseConfig([]string{"--rate-limit", "0"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	app, err := startApp(t.Context(), cfg, store, log)
	if err != nil {
		t.Fatal(errors.Join(err, store.Close()))
	}
	front := newFront(log, &transport.Origins{})
	front.serve(app)
	server := httptest.NewServer(front)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		app.stop()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	ready(t, server.URL)
	return store, server.URL
}
