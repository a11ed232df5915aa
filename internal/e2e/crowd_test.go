package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/internal/apitest"
)

// prompt is how soon the server must answer everything under a crowd of
// requests. One whose requests wait for each other needs minutes.
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
// default rate limit: the server answers each soon, and another user's query and
// the probes too.
func TestOperationsThatReadAfterEachMutation(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p, "--rate-limit", "20")
		users := apitest.RegisterAll(t, s.URL, "ada", "bob")
		asking := users[1].At(s.URL)
		asking.ReadAfter = users[1].Position
		ctx, cancel := context.WithTimeout(t.Context(), prompt)
		defer cancel()
		var posting sync.WaitGroup
		for range 4 {
			posting.Go(func() {
				if err := users[0].At(s.URL).Do(ctx, tenPosts(), nil, nil); err != nil {
					t.Errorf("ten posts: %v", err)
				}
			})
			posting.Go(func() {
				if err := overSocket(ctx, users[0].At(s.URL), tenPosts()); err != nil {
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
			if err := asking.Do(ctx, `{ viewer { chirpCount } recentChirps { edges { node { author { username } } } } }`, nil, nil); err != nil {
				t.Fatalf("another user's query after %s: %v", time.Since(begun), err)
			}
			if status, body, err := apitest.Probe(ctx, s.URL+"/readyz"); err != nil || status != http.StatusOK {
				t.Fatalf("/readyz after %s: got %d %q, %v, want 200", time.Since(begun), status, body, err)
			}
			time.Sleep(20 * time.Millisecond) // the query may be sent some 130 times a second
		}
	})
}

// overSocket executes an operation on a socket of its own.
func overSocket(ctx context.Context, a apitest.API, document string) error {
	s, err := a.Connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Subscribe("1", document, nil); err != nil {
		return err
	}
	return s.Next("1", nil)
}

// TestMetricsShowWhoWaits looks for the numbers that show an operator that
// clients crowd the store.
func TestMetricsShowWhoWaits(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		_, text, err := apitest.Probe(t.Context(), s.Ops+"/metrics")
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
