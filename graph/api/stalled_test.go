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
	"chirp/graph/graphtest"
)

// stall opens a subscription whose client reads nothing after the header.
func stall(t *testing.T, w *graphtest.World, server *httptest.Server, accept, token, operation string) {
	t.Helper()
	connection, err := graphtest.NarrowDialer.NetDial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	body := graphtest.Marshal(map[string]any{"query": operation})
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

func TestStalledReadersAreDroppedAndTheirResourcesFreed(t *testing.T) {
	const readers = 30
	const feed = `subscription { feedChirpAdded { cursor node { id content author { id username } } } }`
	for _, c := range []struct {
		name string
		open func(w *graphtest.World, t *testing.T, server *httptest.Server, p graphtest.Person)
	}{
		{"events", func(w *graphtest.World, t *testing.T, server *httptest.Server, p graphtest.Person) {
			stall(t, w, server, "text/event-stream", p.Token, feed)
		}},
		{"multipart", func(w *graphtest.World, t *testing.T, server *httptest.Server, p graphtest.Person) {
			stall(t, w, server, graphtest.MultipartSubscriptions, p.Token, feed)
		}},
		{"sockets", func(w *graphtest.World, t *testing.T, server *httptest.Server, p graphtest.Person) {
			s := graphtest.DialServer(t, server, graphtest.NarrowDialer, nil)
			s.Initiate(p.Token)
			s.Subscribe("f", feed)
		}},
		{"sockets of the older subprotocol", func(w *graphtest.World, t *testing.T, server *httptest.Server, p graphtest.Person) {
			d := graphtest.NarrowDialer
			d.Subprotocols = []string{"graphql-ws"}
			s := graphtest.DialServer(t, server, d, nil)
			s.Initiate(p.Token)
			s.Start("f", feed)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const late = 3 // the world's own goroutines that may not have started when they are counted first
			w := graphtest.New(t, func(c *api.Config) {
				c.Transport.Write, c.Transport.SocketQueue, c.Transport.SocketsPerUser = 300*time.Millisecond, 256<<10, readers
			})
			ada, bob := w.Person("ada"), w.Person("bob")
			w.Follow(ada, bob)
			server := w.NarrowServer(t)
			w.Must(ada.Token, `{ feed { edges { cursor } } }`, nil)
			goroutines, heap := runtime.NumGoroutine(), heapInUse()
			for range readers {
				c.open(w, t, server, ada)
			}
			w.WaitForFeeds(readers)
			long := strings.Repeat("è", 280)
			posted := 0
			for ; w.Hub.Stats().Feeds > 0 && posted < 5000; posted++ {
				w.Post(bob, long)
				time.Sleep(time.Millisecond)
			}
			w.WaitForFeeds(0)
			w.Eventually("return to as many goroutines as before", func() bool {
				return runtime.NumGoroutine() <= goroutines+late
			})
			w.Eventually("return to about as much memory as before", func() bool {
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
