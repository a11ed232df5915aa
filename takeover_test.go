package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"chirp/internal/storage/mongodb/mongotest"
)

// TestAnotherServerTakesTheProjectionOver ends, of two servers under load, the
// one that keeps the views.
func TestAnotherServerTakesTheProjectionOver(t *testing.T) {
	for name, end := range map[string]func(*process, testing.TB){
		"from one that is killed": func(p *process, _ testing.TB) { p.kill() },
		"from one that stops":     (*process).terminate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			anotherServerTakesOver(t, end)
		})
	}
}

func anotherServerTakesOver(t *testing.T, end func(*process, testing.TB)) {
	p := onMongoDB(mongotest.URI(t), mongotest.Database(t))
	active := launch(t, p, "--celebrity-threshold", "3")
	ready(t, active.url)
	standby := launch(t, p, "--celebrity-threshold", "3")
	ready(t, standby.url)
	eventually(t, "one server keeps the views", func() bool { return projects(t, active.url) != projects(t, standby.url) })
	if projects(t, standby.url) {
		active, standby = standby, active
	}
	users := registerAll(t, active.url, "ann", "bob", "cid", "dot", "viewer")
	viewer := users[4]
	set := followAndPost(t, viewer.at(active.url), users[:3], active.url)
	watch := startWatch(t, viewer, func() string { return standby.url })

	l := &load{users: users, url: func() string { return standby.url }}
	l.run(t, 4, rand.Uint64(), func() {
		eventually(t, "the load is under way", func() bool { return l.acknowledged() >= 50 || t.Failed() })
		end(active, t)
		ended := time.Now()
		eventually(t, "the server that is left keeps the views", func() bool { return projects(t, standby.url) })
		t.Logf("taken over within %s", time.Since(ended).Round(10*time.Millisecond))
		enough := l.acknowledged() + 50
		eventually(t, "the load goes on", func() bool { return l.acknowledged() >= enough || t.Failed() })
	})
	events := p.events(t)
	feeds := checkFeeds(t, standby.url, users, events)
	watch.check(t, feeds[viewer.ID])
	checkFacts(t, append(factsOf(t, events, 2*5)[:len(set)], l.facts...), factsOf(t, events, 2*5))
}

// projects says whether a server's projector is the active one.
func projects(t testing.TB, url string) bool {
	t.Helper()
	_, body, err := probe(t.Context(), url+"/metrics")
	return err == nil && strings.Contains(body, `chirp_projector_phase{phase="active"} 1`)
}
