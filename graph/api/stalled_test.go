package api_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"chirp/graph/api"
)

// stall opens a subscription whose client reads nothing after the answer's head.
func (w *world) stall(t *testing.T, server *httptest.Server, accept, token, operation string) {
	t.Helper()
	connection, err := narrowDialer.NetDial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	body := marshal(map[string]any{"query": operation})
	_, err = fmt.Fprintf(connection, "POST / HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		accept, token, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(connection, 16), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v, want status 200", response, err)
	}
}

func TestStalledReadersAreReapedWithAllTheyHold(t *testing.T) {
	const readers = 30
	const feed = `subscription { feedChirpAdded { cursor node { id content author { id username } } } }`
	for _, c := range []struct {
		name string
		open func(w *world, t *testing.T, server *httptest.Server, p person)
	}{
		{"events", func(w *world, t *testing.T, server *httptest.Server, p person) {
			w.stall(t, server, "text/event-stream", p.token, feed)
		}},
		{"multipart", func(w *world, t *testing.T, server *httptest.Server, p person) {
			w.stall(t, server, multipartSubscriptions, p.token, feed)
		}},
		{"sockets", func(w *world, t *testing.T, server *httptest.Server, p person) {
			s := dialTo(t, server, narrowDialer, nil)
			s.initiate(p.token)
			s.subscribe("f", feed)
		}},
		{"sockets of the older subprotocol", func(w *world, t *testing.T, server *httptest.Server, p person) {
			d := narrowDialer
			d.Subprotocols = []string{"graphql-ws"}
			s := dialTo(t, server, d, nil)
			s.initiate(p.token)
			s.start("f", feed)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(c *api.Config) {
				c.Transport.Write, c.Transport.SocketQueue, c.Transport.SocketsPerUser = 300*time.Millisecond, 256<<10, readers
			})
			ada, bob := w.person("ada"), w.person("bob")
			w.follow(ada, bob)
			server := w.narrowServer(t)
			w.must(ada.token, `{ feed { edges { cursor } } }`, nil)
			goroutines, heap := runtime.NumGoroutine(), heapInUse()
			for range readers {
				c.open(w, t, server, ada)
			}
			w.waitForFeeds(readers)
			long := strings.Repeat("è", 280)
			posted := 0
			for ; w.hub.Stats().Feeds > 0 && posted < 5000; posted++ {
				w.post(bob, long)
				time.Sleep(time.Millisecond)
			}
			w.waitForFeeds(0)
			w.eventually("return to as many goroutines as before", func() bool {
				return runtime.NumGoroutine() <= goroutines
			})
			w.eventually("return to about as much memory as before", func() bool {
				return heapInUse() < heap+uint64(posted)*4096+1<<20 // the log in memory grows with each chirp
			})
			t.Logf("%d readers were gone after %d chirps: %d goroutines before, %d after; %d kB before, %d kB after",
				readers, posted, goroutines, runtime.NumGoroutine(), heap>>10, heapInUse()>>10)
		})
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
