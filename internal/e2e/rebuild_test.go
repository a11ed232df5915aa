package e2e

import (
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"chirp/internal/apitest"
)

// TestRebuildBesideAServerUnderLoad rebuilds the views twice, with different
// thresholds, beside a server that executes mutations. Feeds and the live feed
// must be what was acknowledged.
func TestRebuildBesideAServerUnderLoad(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		url, start := newVictim(t, p)
		server := start()
		apitest.Ready(t, url())
		users := apitest.RegisterAll(t, url(), "ann", "bob", "cid", "dot", "eve", "viewer")
		viewer := users[len(users)-1]
		followAndPost(t, viewer.At(url()), users[:3], url())
		l := &load{users: users, url: url}
		watch := startWatch(t, viewer, url)
		l.run(t, 4, rand.Uint64(), func() {
			for i, threshold := range []string{"2", "100"} {
				enough := l.acknowledged() + 50
				apitest.Eventually(t, "the load continues", func() bool { return l.acknowledged() >= enough || t.Failed() })
				out := rebuildBeside(t, p, threshold)
				if want := regexp.MustCompile(`Generation (\d+) of the views serves: \d+ events in .* celebrities from ` + threshold + ` followers`).FindStringSubmatch(out); want == nil || want[1] != []string{"2", "3"}[i] {
					t.Errorf("rebuild said %q", out)
				}
				wantServing(t, p, i+2, threshold)
			}
		})
		apitest.Eventually(t, "the server's projector continues with the new views", func() bool {
			return strings.Contains(server.Log.String(), "continues with another generation") && strings.Contains(server.Log.String(), "generation=3")
		})
		post := apitest.Must(users[0].At(url()).Post(t.Context(), "after the rebuilds", ""))(t)
		reader := viewer.At(url())
		reader.ReadAfter = post.Position
		if _, err := reader.Page(t.Context(), 1, ""); err != nil {
			t.Errorf("a feed after position %s: %v", post.Position, err)
		}
		events := p.Events(t)
		feeds := checkFeeds(t, url(), users, events)
		watch.check(t, feeds[viewer.ID])
		server.Terminate(t)
	})
}

// rebuildBeside rebuilds the views and returns what the command printed.
func rebuildBeside(t testing.TB, p apitest.Place, threshold string) string {
	t.Helper()
	r := p.Command(t, "rebuild", "--celebrity-threshold", threshold)
	if r.Code != 0 {
		t.Errorf("rebuild: exit code %d\n%s", r.Code, r.Log)
	}
	return r.Out
}

func wantServing(t testing.TB, p apitest.Place, number int, threshold string) {
	t.Helper()
	store := apitest.Must(p.Open(t.Context()))(t)
	defer store.Close()
	s := apitest.Must(store.Views().Snapshot(t.Context()))(t)
	defer s.Close()
	if g := s.Generation(); g.Number != number || strconv.FormatInt(g.Threshold, 10) != threshold {
		t.Errorf("%+v serves, want generation %d with threshold %s", g, number, threshold)
	}
}
