package api_test

import (
	"fmt"
	"testing"

	"chirp/graph/graphtest"
)

// BenchmarkFeedPage answers a page of 20 chirps with their authors.
func BenchmarkFeedPage(b *testing.B) {
	w := graphtest.New(b)
	ada := w.Person("ada")
	for i := range 20 {
		author := w.Person(fmt.Sprint("author", i))
		w.Follow(ada, author)
		w.Post(author, "hello")
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Must(ada.Token, `{ feed { edges { cursor node { id content postedAt author { id username viewerFollows } } } pageInfo { endCursor hasNextPage } } }`, nil)
	}
}

// BenchmarkPush posts one chirp and reads it on each of 200 sockets.
func BenchmarkPush(b *testing.B) {
	const sockets = 200
	w := graphtest.New(b)
	bob := w.Person("bob")
	arrived := make(chan error, sockets)
	next := make([]chan struct{}, sockets)
	for i := range sockets {
		ada := w.Person(fmt.Sprint("ada", i))
		w.Follow(ada, bob)
		next[i] = make(chan struct{})
		go listen(w, ada.Token, next[i], arrived)
	}
	for range sockets {
		if err := <-arrived; err != nil {
			b.Fatal(err)
		}
	}
	w.WaitForFeeds(sockets)
	opened := w.Views.Opened.Load()
	for b.Loop() {
		w.Post(bob, "hello")
		for i := range sockets {
			next[i] <- struct{}{}
		}
		for range sockets {
			if err := <-arrived; err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(w.Views.Opened.Load()-opened)/float64(b.N), "snapshots/op")
	for i := range sockets {
		close(next[i])
	}
}

// listen subscribes, and then reads one push for each value from next.
func listen(w *graphtest.World, token string, next <-chan struct{}, arrived chan<- error) {
	ws, response, err := graphtest.Dialer.Dial("ws"+w.Server.URL[len("http"):], nil)
	if err != nil {
		arrived <- err
		return
	}
	defer func() { _, _ = ws.Close(), response.Body.Close() }()
	_ = ws.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + token}})
	var ack graphtest.Message
	err = ws.ReadJSON(&ack)
	_ = ws.WriteJSON(map[string]any{"id": "f", "type": "subscribe",
		"payload": map[string]any{"query": `subscription { feedChirpAdded { cursor node { id content author { username followerCount } } } }`}})
	arrived <- err
	for range next {
		_, _, err := ws.ReadMessage()
		arrived <- err
	}
}
