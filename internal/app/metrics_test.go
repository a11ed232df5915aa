package app_test

import (
	"context"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/app"
)

// TestMetricsCountLiveFeeds has a subscription, at first and after it has ended.
func TestMetricsCountLiveFeeds(t *testing.T) {
	p := apitest.Embedded(t.TempDir())
	s := apitest.ServeApp(t, func(ctx context.Context) (app.Storage, error) { return p.OpenToServe(ctx) }, nil)
	apitest.Ready(t, s.URL)
	user := apitest.RegisterAll(t, s.URL, "ada")[0]
	live := apitest.Must(user.At(s.URL).Connect(t.Context()))(t)
	defer live.Close()
	if err := live.Subscribe("feed", apitest.FeedAddedDocument, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"chirp_feed_subscriptions_live 1\n", "chirp_feed_subscriptions_live 0\n"} {
		apitest.Eventually(t, want, func() bool {
			_, text, err := apitest.Probe(t.Context(), s.Ops+"/metrics")
			return err == nil && strings.Contains(text, want)
		})
		live.Close()
	}
}
