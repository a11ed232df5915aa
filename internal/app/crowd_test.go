package app_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/app"
)

// TestCrowdOfReadersDelaysClientsOnly takes every connection of the embedded
// views that clients may have. The server's own work continues; clients are told
// to try again.
func TestCrowdOfReadersDelaysClientsOnly(t *testing.T) {
	p := apitest.Embedded(t.TempDir())
	var store app.Storage
	s := apitest.ServeApp(t, func(ctx context.Context) (opened app.Storage, err error) {
		store, err = p.OpenToServe(ctx)
		return store, err
	}, nil)
	apitest.Ready(t, s.URL)
	url := s.URL
	users := apitest.RegisterAll(t, url, "ada", "bob")
	if _, err := users[1].At(url).Follow(t.Context(), users[0].ID, ""); err != nil {
		t.Fatal(err)
	}
	bob := users[1].At(url)
	bob.ReadAfter = apitest.Must(users[0].At(url).Post(t.Context(), "before", ""))(t).Position
	newest := apitest.Must(bob.Page(t.Context(), 1, ""))(t).Edges[0].Cursor
	live := apitest.Must(bob.Connect(t.Context()))(t)
	defer live.Close()
	if err := live.Subscribe("feed", apitest.FeedAddedDocument, apitest.Vars{"after": newest}); err != nil {
		t.Fatal(err)
	}
	apitest.Eventually(t, "the subscription is live", func() bool {
		_, text, err := apitest.Probe(t.Context(), s.Ops+"/metrics")
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
	posted := apitest.Must(users[0].At(url).Post(t.Context(), "while it is crowded", ""))(t)
	if got, err := live.NextEdge("feed"); err != nil || got.Node.Content != "while it is crowded" {
		t.Errorf("a subscriber got %+v, %v, want the chirp", got, err)
	}
	begun := time.Now()
	asking := users[1].At(url)
	asking.ReadAfter = posted.Position
	if _, err := asking.Page(t.Context(), 1, ""); apitest.Code(err) != "UNAVAILABLE" || time.Since(begun) > 10*time.Second {
		t.Errorf("a query: got %v after %s, want UNAVAILABLE soon", err, time.Since(begun))
	}
	if status, body, err := apitest.Probe(t.Context(), url+"/readyz"); err != nil || status != http.StatusOK {
		t.Errorf("/readyz: got %d %q, %v, want 200", status, body, err)
	}
	_, text, err := apitest.Probe(t.Context(), s.Ops+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`chirp_connections{pool="views"} 20`, `chirp_connections_in_use{pool="views"} 16`, `chirp_connections_refused_total{pool="views"} 1`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("/metrics has no line %s", want)
		}
	}
}
