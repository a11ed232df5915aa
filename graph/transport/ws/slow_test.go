package ws_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

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

// longChirps posts n long chirps, and returns an operation that reads them.
func longChirps(w *graphtest.World, ada graphtest.Person, n int) (operation string) {
	for range n {
		w.Post(ada, strings.Repeat("è", 280))
	}
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	return `{ viewer { chirps(first: 100) { edges { node { content } } } } }`
}

// The client reads a message every five seconds, so that the queue is not empty for
// longer than a silent client has.
func TestAClientThatReadsSlowlyStaysConnected(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		operation := longChirps(w, ada, 50)
		c := w.Socket(t, ada.Token)
		const n = 12
		for i := range n {
			c.Subscribe(fmt.Sprint(i), operation)
		}
		for range 2 * n { // next and complete
			time.Sleep(5 * time.Second)
			if m := c.Read(); m.Type == "error" {
				t.Fatalf("got %s, want an answer", m.Payload)
			}
		}
	})
}

// The server reads no further while there is no room for answers, which must not
// count as the client's silence.
func TestWaitingForRoomIsNotTheClientsSilence(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		operation := longChirps(w, ada, 20)
		c := w.Socket(t, ada.Token)
		c.Conn.SetPingHandler(func(string) error { return nil }) // it cannot answer while the server does not read
		go func() {
			for i := range 10 {
				_ = c.Conn.WriteJSON(graphtest.Message{ID: fmt.Sprint(i), Type: "subscribe", Payload: []byte(graphtest.Marshal(map[string]any{"query": operation}))})
				synctest.Wait() // until its answer takes room, or the server would read all at once
			}
		}()
		for range 8 {
			time.Sleep(9 * time.Second)
			if m := c.Read(); m.Type == "error" {
				t.Fatalf("got %s, want an answer", m.Payload)
			}
		}
		_ = c.Conn.Close()
	}, func(c *api.Config) { c.Transport.SocketQueue, c.Transport.Ping = 8<<10, 3*time.Second })
}

// Large messages that never end take the places of others, and frames between their
// fragments keep the socket alive.
func TestALargeMessageMustArriveInTime(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		c := w.Socket(t, "")
		c.Conn.SetPingHandler(func(string) error { return nil })
		ended := make(chan string, 1)
		go func() {
			_ = c.Conn.SetReadDeadline(time.Time{})
			_, _, err := c.Conn.ReadMessage()
			ended <- fmt.Sprint(err)
		}()
		half, err := c.Conn.NextWriter(websocket.TextMessage)
		if err == nil {
			_, err = half.Write(bytes.Repeat([]byte{' '}, 40<<10))
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(7 * time.Second)
			_ = c.Conn.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second))
		}
		if got := w.Ask("", "{ __typename }"+strings.Repeat(" ", 40<<10), nil); got.At("__typename") != "Query" {
			t.Errorf("a large request got %.200s, want an answer", got.Body)
		}
		_ = c.Conn.Close()
		if got := <-ended; !strings.Contains(got, "1013") || !strings.Contains(got, "the message did not arrive in time") {
			t.Errorf("the socket was closed with %s, want 1013 and why", got)
		}
	}, func(c *api.Config) { c.Transport.Receiving = 256 << 10 })
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
