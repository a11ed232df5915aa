package transport_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

// unreadKiB returns how much of its responses the server keeps for clients.
func unreadKiB(w *graphtest.World) int { return w.Gate("unread").Inside }

// ask sends a request on a connection of its own, and does not read the response.
func ask(t *testing.T, w *graphtest.World, token, accept, operation string) net.Conn {
	t.Helper()
	conn, err := w.Server.Client().Transport.(*http.Transport).DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	body := graphtest.Marshal(map[string]any{"query": operation})
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: chirp.test\r\nAuthorization: Bearer %s\r\nAccept: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		token, accept, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// beginStream sends a request for a stream, and reads the first bytes of the response.
func beginStream(t *testing.T, w *graphtest.World, token, operation string) {
	t.Helper()
	conn := ask(t, w, token, "text/event-stream", operation)
	got := make([]byte, 4096)
	for text := ""; !strings.Contains(text, ":\n\n"); {
		n, err := conn.Read(got)
		if err != nil {
			t.Fatal(err)
		}
		text += string(got[:n])
	}
}

// longChirps posts 100 long chirps, and waits until they are in the views.
func longChirps(w *graphtest.World, ada graphtest.Person) {
	for range 100 {
		w.Post(ada, strings.Repeat("è", 280))
	}
	w.Must("", `{ user(username: "ada") { id } }`, nil)
}

// Those who do not read what they asked for may not fill the server's memory with it,
// nor keep others at their address from being answered.
func TestWhatIsNotReadIsBounded(t *testing.T) {
	const clients, most = 20, 250 // KiB; without a bound they would leave 1,200
	const page = `chirps(first: 100) { edges { node { content } } }`
	const query, pushed = `{ user(username: "ada") { ` + page + ` } }`, `subscription { feedChirpAdded { node { author { ` + page + ` } } } }`
	ways := map[string]func(t *testing.T, w *graphtest.World, token string){
		"documents": func(t *testing.T, w *graphtest.World, token string) { ask(t, w, token, "application/json", query) },
		"streams":   func(t *testing.T, w *graphtest.World, token string) { ask(t, w, token, "text/event-stream", query) },
		"sockets":   func(t *testing.T, w *graphtest.World, token string) { w.Socket(t, token).Subscribe("1", query) },
		"pushes to sockets": func(t *testing.T, w *graphtest.World, token string) {
			w.Socket(t, token).Subscribe("1", pushed)
		},
		"pongs": func(t *testing.T, w *graphtest.World, token string) {
			c := w.Socket(t, token)
			go func() {
				for range 10 {
					_ = c.Conn.WriteJSON(graphtest.Message{Type: "ping", Payload: []byte(`{"x":"` + strings.Repeat("x", 6<<10) + `"}`)})
				}
			}()
		},
		"pushes to streams": func(t *testing.T, w *graphtest.World, token string) { beginStream(t, w, token, pushed) },
	}
	for name, begin := range ways {
		t.Run(name, func(t *testing.T) {
			graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
				ada, bob, reader := w.Person("ada"), w.Person("bob"), w.Person("reader")
				longChirps(w, ada)
				w.Follow(reader, ada)
				for range clients {
					begin(t, w, reader.Token)
				}
				synctest.Wait()
				w.Post(ada, "now") // for those who wait for it
				time.Sleep(time.Second)
				synctest.Wait()
				if kept := unreadKiB(w); kept == 0 || kept > most {
					t.Errorf("the server keeps %d KiB for the clients, want some and at most %d", kept, most)
				}
				if got := w.Ask(bob.Token, `{ viewer { username } }`, nil); got.At("viewer.username") != "bob" {
					t.Errorf("another user got %s, want an answer", got.Body)
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if kept := unreadKiB(w); kept > 0 {
					t.Errorf("the server still keeps %d KiB, want none", kept)
				}
			}, func(c *api.Config) { c.Transport.Unread, c.Transport.Executing = 2<<20, 1 })
		})
	}
}

func TestManyCallersOfANetworkShareItsBound(t *testing.T) {
	const callers, most = 30, 600 // KiB; without a bound they would leave 1,700
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		longChirps(w, ada)
		for i := range callers {
			ask(t, w, w.Person(fmt.Sprint("caller", i)).Token, "application/json", `{ user(username: "ada") { chirps(first: 100) { edges { node { content } } } } }`)
		}
		synctest.Wait()
		if kept := unreadKiB(w); kept == 0 || kept > most {
			t.Errorf("the server keeps %d KiB for the clients, want some and at most %d", kept, most)
		}
	}, func(c *api.Config) { c.Transport.Unread, c.Transport.Executing = 1<<20, 1 }) // twice 256 KiB for a network
}

func TestARequestWaitsForResponsesToBeRead(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		longChirps(w, ada)
		const query = `{ viewer { chirps(first: 100) { edges { node { content } } } } }`
		var unread []net.Conn
		for range 2 {
			unread = append(unread, ask(t, w, ada.Token, "application/json", query))
		}
		synctest.Wait()
		if got := w.Ask(ada.Token, `{ viewer { id } }`, nil); got.Code() != "UNAVAILABLE" || !strings.Contains(got.Body, "read them first") {
			t.Errorf("a request got %s, want UNAVAILABLE and why", got.Body)
		}
		done := make(chan graphtest.Answer, 1)
		go func() { done <- w.Ask(ada.Token, `{ viewer { username } }`, nil) }()
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("a request did not wait")
		}
		_ = unread[0].Close()
		if got := <-done; got.At("viewer.username") != "ada" {
			t.Errorf("the request that waited got %s, want an answer", got.Body)
		}
	}, func(c *api.Config) { c.Transport.Unread = 1 << 20 })
}

// A client that reads nothing at all is given up long before a slow one could have
// read the message.
func TestALargeMessageThatIsNotReadIsSoonDropped(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		longChirps(w, ada)
		const page = `: chirps(first: 100) { edges { node { content } } } `
		w.Socket(t, ada.Token).Subscribe("1", `{ viewer { a`+page+`b`+page+`c`+page+`d`+page+`e`+page+`} }`)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if kept := unreadKiB(w); kept < 250 {
			t.Fatalf("the server keeps %d KiB for the client, want all", kept)
		}
		time.Sleep(3 * time.Second) // all may take 19 s
		synctest.Wait()
		if kept := unreadKiB(w); kept > 0 {
			t.Errorf("the server still keeps %d KiB for a client that has read nothing", kept)
		}
	})
}
