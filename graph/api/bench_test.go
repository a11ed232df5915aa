package api_test

import (
	"fmt"
	"testing"
)

// BenchmarkFeedPage answers a page of 20 chirps with their authors.
func BenchmarkFeedPage(b *testing.B) {
	w := newWorld(b)
	ada := w.person("ada")
	for i := range 20 {
		author := w.person(fmt.Sprint("author", i))
		w.follow(ada, author)
		w.post(author, "hello")
	}
	b.ReportAllocs()
	for b.Loop() {
		w.must(ada.token, `{ feed { edges { cursor node { id content postedAt author { id username viewerFollows } } } pageInfo { endCursor hasNextPage } } }`, nil)
	}
}

// BenchmarkPush posts one chirp and reads it on each of 200 sockets.
func BenchmarkPush(b *testing.B) {
	const sockets = 200
	w := newWorld(b)
	bob := w.person("bob")
	arrived := make(chan error, sockets)
	next := make([]chan struct{}, sockets)
	for i := range sockets {
		ada := w.person(fmt.Sprint("ada", i))
		w.follow(ada, bob)
		next[i] = make(chan struct{})
		go listen(w, ada.token, next[i], arrived)
	}
	for range sockets {
		if err := <-arrived; err != nil {
			b.Fatal(err)
		}
	}
	w.waitForFeeds(sockets)
	opened := w.views.opened.Load()
	for b.Loop() {
		w.post(bob, "hello")
		for i := range sockets {
			next[i] <- struct{}{}
		}
		for range sockets {
			if err := <-arrived; err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(w.views.opened.Load()-opened)/float64(b.N), "snapshots/op")
	for i := range sockets {
		close(next[i])
	}
}

// listen subscribes, and then reads one push for each sign.
func listen(w *world, token string, next <-chan struct{}, arrived chan<- error) {
	ws, response, err := dialer.Dial("ws"+w.server.URL[len("http"):], nil)
	if err != nil {
		arrived <- err
		return
	}
	defer func() { _, _ = ws.Close(), response.Body.Close() }()
	_ = ws.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + token}})
	var ack message
	err = ws.ReadJSON(&ack)
	_ = ws.WriteJSON(map[string]any{"id": "f", "type": "subscribe",
		"payload": map[string]any{"query": `subscription { feedChirpAdded { cursor node { id content author { username followerCount } } } }`}})
	arrived <- err
	for range next {
		_, _, err := ws.ReadMessage()
		arrived <- err
	}
}
