package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
)

func TestSocketIsClosedForBreakingTheProtocol(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.Body = 4096 })
	text := func(s string) func(*wire) {
		return func(c *wire) { _ = c.ws.WriteMessage(websocket.TextMessage, []byte(s)) }
	}
	const watch = `{"id":"a","type":"subscribe","payload":{"query":"subscription { feedChirpAdded { cursor } }"}}`
	for _, c := range []struct {
		name  string
		ready bool
		do    func(*wire)
		code  int
	}{
		{"subscribe before init", false, text(watch), 4401},
		{"init twice", true, text(`{"type":"connection_init"}`), 4429},
		{"no JSON", true, text(`nonsense`), 4400},
		{"binary", true, func(c *wire) { _ = c.ws.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"ping"}`)) }, 4400},
		{"a type of the server's", true, text(`{"id":"a","type":"next","payload":{}}`), 4400},
		{"subscribe without an id", true, text(`{"type":"subscribe","payload":{"query":"{ __typename }"}}`), 4400},
		{"subscribe without a query", true, text(`{"id":"a","type":"subscribe","payload":{}}`), 4400},
		{"an id twice", true, func(c *wire) { text(watch)(c); text(watch)(c) }, 4409},
		{"a message too large", true, text(`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 1<<20) + `"}}`), 1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := w.dial(t, nil)
			if c.ready {
				s.initiate(w.token("user_00000000000000000000000001"))
			}
			c.do(s)
			if code, reason := s.closed(); code != c.code || reason == "" {
				t.Errorf("closed with %d %q, want %d and a reason", code, reason, c.code)
			}
		})
	}
}

func TestSocketIsClosedWithoutInitInTime(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.SocketInit = 200 * time.Millisecond })
	silent, pinging := w.dial(t, nil), w.dial(t, nil)
	pinging.send(message{Type: "ping"}) // does not put it off
	for _, c := range []*wire{silent, pinging} {
		if code, _ := c.closed(); code != 4408 {
			t.Errorf("closed with %d, want 4408", code)
		}
	}
}

func TestSocketUpgradeIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		header http.Header
		status int
	}{
		{"from a foreign origin", http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
		{"from its own origin", http.Header{"Origin": {w.server.URL}}, http.StatusSwitchingProtocols},
	} {
		ws, response, err := dialer.Dial("ws"+strings.TrimPrefix(w.server.URL, "http"), c.header)
		if response == nil || response.StatusCode != c.status {
			t.Errorf("%s: got %v, %v, want status %d", c.name, response, err, c.status)
		}
		if response != nil {
			_ = response.Body.Close()
		}
		if ws != nil {
			_ = ws.Close()
		}
	}
	c := dialTo(t, w.server, websocket.Dialer{}, nil)
	if code, _ := c.closed(); code != 4406 {
		t.Errorf("without the subprotocol: closed with %d, want 4406", code)
	}
}

func TestSocketHasALimitOfOperations(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.SocketOperations = 2 })
	c := w.socket(t, w.person("ada").token)
	for i := range 3 {
		c.subscribe(fmt.Sprint(i), feedAdded)
	}
	if m := c.read(); m.Type != "error" || m.ID != "2" || !strings.Contains(string(m.Payload), "RATE_LIMITED") {
		t.Errorf("got %+v, want error RATE_LIMITED for the third", m)
	}
	c.send(message{ID: "0", Type: "complete"})
	c.subscribe("q", `{ __typename }`)
	c.next("q")
}
