package e2e

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

// TestAnotherServerTakesTheProjectionOver runs two servers under load, and ends
// the one that projects.
func TestAnotherServerTakesTheProjectionOver(t *testing.T) {
	for name, end := range map[string]func(*apitest.Process, testing.TB){
		"from one that is killed": func(p *apitest.Process, _ testing.TB) { p.Kill() },
		"from one that stops":     (*apitest.Process).Terminate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			anotherServerTakesOver(t, end)
		})
	}
}

func anotherServerTakesOver(t *testing.T, end func(*apitest.Process, testing.TB)) {
	p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	active := apitest.Launch(t, p, "--celebrity-threshold", "3")
	apitest.Ready(t, active.URL)
	standby := apitest.Launch(t, p, "--celebrity-threshold", "3")
	apitest.Ready(t, standby.URL)
	apitest.Eventually(t, "one server keeps the views", func() bool { return projects(t, active.Ops) != projects(t, standby.Ops) })
	if projects(t, standby.Ops) {
		active, standby = standby, active
	}
	users := apitest.RegisterAll(t, active.URL, "ann", "bob", "cid", "dot", "viewer")
	viewer := users[4]
	set := followAndPost(t, viewer.At(active.URL), users[:3], active.URL)
	watch := startWatch(t, viewer, func() string { return standby.URL })

	l := &load{users: users, url: func() string { return standby.URL }}
	l.run(t, 4, rand.Uint64(), func() {
		apitest.Eventually(t, "the load is under way", func() bool { return l.acknowledged() >= 50 || t.Failed() })
		end(active, t)
		ended := time.Now()
		apitest.Eventually(t, "the server that is left keeps the views", func() bool { return projects(t, standby.Ops) })
		t.Logf("taken over within %s", time.Since(ended).Round(10*time.Millisecond))
		enough := l.acknowledged() + 50
		apitest.Eventually(t, "the load continues", func() bool { return l.acknowledged() >= enough || t.Failed() })
	})
	events := p.Events(t)
	feeds := checkFeeds(t, standby.URL, users, events)
	watch.check(t, feeds[viewer.ID])
	checkFacts(t, append(factsOf(t, events, 2*5)[:len(set)], l.facts...), factsOf(t, events, 2*5))
}

// projects reports whether a server's projector is the active one.
func projects(t testing.TB, ops string) bool {
	t.Helper()
	_, body, err := apitest.Probe(t.Context(), ops+"/metrics")
	return err == nil && strings.Contains(body, `chirp_projector_phase{phase="active"} 1`)
}
