package ws_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"chirp/graph/graphtest"
)

// Sockets are many, and most of them wait.
func TestASocketThatWaitsHasOneGoroutine(t *testing.T) {
	const sockets = 50
	w := graphtest.New(t)
	ada := w.Person("ada")
	first := w.Socket(t, ada.Token) // starts what all share
	first.Subscribe("q", "{ __typename }")
	first.Next("q")
	before := runtime.NumGoroutine()
	for range sockets {
		w.Socket(t, ada.Token)
	}
	w.Eventually("a goroutine for each socket", func() bool { return runtime.NumGoroutine()-before <= sockets+sockets/10 })
}

// So has a socket with subscriptions that have nothing to send.
func TestASubscriptionThatWaitsHasNoGoroutine(t *testing.T) {
	const sockets = 20
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	profile := fmt.Sprintf(`subscription { profileUpdated(userId: %q) { chirpCount } }`, bob.ID)
	var all []*graphtest.Socket
	watch := func() {
		c := w.Socket(t, ada.Token)
		c.Subscribe("feed", `subscription { feedChirpAdded { node { content } } }`)
		c.Subscribe("own", `subscription { feedChirpAdded { node { content author { viewerFollows } } } }`) // not shared
		c.Subscribe("profile", profile)
		c.Next("profile")
		all = append(all, c)
	}
	watch() // starts what all share
	before := runtime.NumGoroutine()
	for range sockets {
		watch()
	}
	rest := func() bool { return runtime.NumGoroutine()-before <= sockets+sockets/10 }
	for _, content := range []string{"one", "two", "three"} {
		w.Eventually("live feeds", func() bool { return w.Hub.Stats().Live == 2*(sockets+1) })
		w.Eventually("a goroutine for each socket", rest)
		w.Post(bob, content)
		for i, c := range all {
			got := map[string]string{}
			for len(got) < 3 {
				m := c.Read()
				got[m.ID] = string(m.Payload)
			}
			if !strings.Contains(got["feed"], content) || !strings.Contains(got["own"], content) || !strings.Contains(got["profile"], "chirpCount") {
				t.Fatalf("socket %d got %v, want %s", i, got, content)
			}
		}
	}
	all[0].Send(graphtest.Message{ID: "feed", Type: "complete"})
	w.WaitForFeeds(2*(sockets+1) - 1)
	_ = all[1].Conn.NetConn().Close()
	w.WaitForFeeds(2*sockets - 1)
	w.Hub.Close()
	for _, id := range []string{"own", "profile"} {
		if m := all[0].Read(); m.Type != "error" || !strings.Contains(string(m.Payload), "shutting down") {
			t.Errorf("when the hub closed got %+v, want an error for %s", m, id)
		}
	}
	w.WaitForFeeds(0)
}
