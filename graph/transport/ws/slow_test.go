package ws_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

func TestSlowReaderIsDroppedAndDelaysNoOther(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.Write, c.Transport.SocketQueue = 300*time.Millisecond, 16<<10 })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	server := w.NarrowServer(t)
	slow, quick := graphtest.DialServer(t, server, graphtest.NarrowDialer, nil), w.Socket(t, ada.Token)
	slow.Initiate(ada.Token)
	slow.Subscribe("f", graphtest.FeedAdded)
	quick.Subscribe("f", graphtest.FeedAdded)
	w.WaitForFeeds(2)
	long := strings.Repeat("è", 280)
	posted := 0
	for ; w.Hub.Stats().Feeds == 2 && posted < 5000; posted++ {
		w.Post(bob, long)
		quick.Next("f")
	}
	if posted == 5000 {
		t.Fatalf("the slow reader is still connected after %d chirps", posted)
	}
	w.WaitForFeeds(1)
	w.Post(bob, "after")
	if got := quick.Next("f"); got.At("feedChirpAdded.node.content") != "after" {
		t.Errorf("the quick reader got %s, want after", got.Body)
	}
}

func TestAClientThatReadsGetsAllItAskedFor(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketQueue = 64 << 10 })
	ada := w.Person("ada")
	for range 100 {
		w.Post(ada, strings.Repeat("è", 280))
	}
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	c := w.Socket(t, ada.Token)
	for i := range 90 {
		c.Subscribe(fmt.Sprint(i), `{ viewer { chirps(first: 100) { edges { node { content } } } } }`)
	}
	answered := map[string]bool{}
	for len(answered) < 90 { // each as large as the queue, or nearly
		m := c.Read()
		if m.Type == "error" {
			t.Fatalf("operation %s: got %s, want an answer", m.ID, m.Payload)
		}
		if m.Type == "complete" {
			answered[m.ID] = true
		}
	}
}

func TestAClientThatDoesNotReadIsClosed(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketQueue, c.Transport.Write = 64<<10, 100*time.Millisecond })
	ada := w.Person("ada")
	for range 100 {
		w.Post(ada, strings.Repeat("è", 280))
	}
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	c := graphtest.DialServer(t, w.NarrowServer(t), graphtest.NarrowDialer, nil)
	c.Initiate(ada.Token)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(graphtest.Hang))
	w.Eventually("end of the socket", func() bool {
		return c.Conn.WriteJSON(graphtest.Message{ID: uuid.NewString(), Type: "subscribe",
			Payload: []byte(`{"query":"{ viewer { chirps(first: 100) { edges { node { content } } } } }"}`)}) != nil
	})
}

func TestCatchingUpWaitsForTheReader(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketQueue = 16 << 10 })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	w.Post(bob, "first")
	cursor := w.Must(ada.Token, `{ feed { edges { cursor } } }`, nil).At("feed.edges.0.cursor")
	for i := range 500 { // many times what the queue holds
		w.Post(bob, fmt.Sprint(i, strings.Repeat("è", 270)))
	}
	c := graphtest.DialServer(t, w.NarrowServer(t), graphtest.NarrowDialer, nil)
	c.Initiate(ada.Token)
	c.Subscribe("f", fmt.Sprintf(`subscription { feedChirpAdded(after: %q) { node { content } } }`, cursor))
	for i := range 500 {
		if content := fmt.Sprint(c.Next("f").At("feedChirpAdded.node.content")); strings.TrimRight(content, "è") != fmt.Sprint(i) {
			t.Fatalf("got %.10s…, want chirp %d", content, i)
		}
	}
}
