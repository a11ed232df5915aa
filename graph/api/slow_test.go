package api_test

import (
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
)

// narrow is a listener whose connections buffer little, so that a client that
// does not read is noticed after little data.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(4096)
	}
	return c, err
}

var narrowDialer = websocket.Dialer{
	Subprotocols: dialer.Subprotocols,
	NetDial: func(network, address string) (net.Conn, error) {
		c, err := net.Dial(network, address)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4096)
		}
		return c, err
	},
}

// narrowServer serves a world's handler through narrow connections.
func (w *world) narrowServer(t *testing.T) *httptest.Server {
	server := httptest.NewUnstartedServer(w.handler)
	server.Listener = narrow{server.Listener}
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

func TestSlowReaderIsDroppedAndDelaysNobody(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.Write, c.Transport.SocketQueue = 300*time.Millisecond, 16<<10 })
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	server := w.narrowServer(t)
	slow, quick := dialTo(t, server, narrowDialer, nil), w.socket(t, ada.token)
	slow.initiate(ada.token)
	slow.subscribe("f", feedAdded)
	quick.subscribe("f", feedAdded)
	w.waitForFeeds(2)
	long := strings.Repeat("è", 280)
	posted := 0
	for ; w.hub.Stats().Feeds == 2 && posted < 5000; posted++ {
		w.post(bob, long)
		quick.next("f")
	}
	if posted == 5000 {
		t.Fatalf("the slow reader is still connected after %d chirps", posted)
	}
	w.waitForFeeds(1)
	w.post(bob, "after")
	if got := quick.next("f"); got.at("feedChirpAdded.node.content") != "after" {
		t.Errorf("the quick reader got %s, want after", got.body)
	}
}

func TestSocketForWhichTooMuchWaitsIsClosedWithAReason(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.SocketQueue = 64 << 10 })
	ada := w.person("ada")
	for range 100 {
		w.post(ada, strings.Repeat("è", 280))
	}
	w.must("", `{ user(username: "ada") { id } }`, nil)
	c := dialTo(t, w.narrowServer(t), narrowDialer, nil)
	c.initiate(ada.token)
	for i := range 90 {
		c.subscribe(fmt.Sprint(i), `{ viewer { chirps(first: 100) { edges { node { content } } } } }`)
	}
	if code, reason := c.closed(); code != 1013 || !strings.HasPrefix(reason, "slow consumer") {
		t.Errorf("closed with %d %q, want 1013 slow consumer", code, reason)
	}
}

func TestCatchingUpIsPacedByTheReader(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.SocketQueue = 16 << 10 })
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	w.post(bob, "first")
	cursor := w.must(ada.token, `{ feed { edges { cursor } } }`, nil).at("feed.edges.0.cursor")
	for i := range 500 { // many times what the queue holds
		w.post(bob, fmt.Sprint(i, strings.Repeat("è", 270)))
	}
	c := dialTo(t, w.narrowServer(t), narrowDialer, nil)
	c.initiate(ada.token)
	c.subscribe("f", fmt.Sprintf(`subscription { feedChirpAdded(after: %q) { node { content } } }`, cursor))
	for i := range 500 {
		if content := fmt.Sprint(c.next("f").at("feedChirpAdded.node.content")); strings.TrimRight(content, "è") != fmt.Sprint(i) {
			t.Fatalf("got %.10s…, want chirp %d", content, i)
		}
	}
}
