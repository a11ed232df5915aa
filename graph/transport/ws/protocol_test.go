package ws_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

func TestSocketIsClosedForBreakingTheProtocol(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.Body = 4096 })
	text := func(s string) func(*graphtest.Socket) {
		return func(c *graphtest.Socket) { _ = c.Conn.WriteMessage(websocket.TextMessage, []byte(s)) }
	}
	const watch = `{"id":"a","type":"subscribe","payload":{"query":"subscription { feedChirpAdded { cursor } }"}}`
	for _, c := range []struct {
		name  string
		ready bool
		do    func(*graphtest.Socket)
		code  int
	}{
		{"subscribe before init", false, text(watch), 4401},
		{"init twice", true, text(`{"type":"connection_init"}`), 4429},
		{"no JSON", true, text(`nonsense`), 4400},
		{"binary", true, func(c *graphtest.Socket) { _ = c.Conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"ping"}`)) }, 4400},
		{"a type of the server's", true, text(`{"id":"a","type":"next","payload":{}}`), 4400},
		{"subscribe without an id", true, text(`{"type":"subscribe","payload":{"query":"{ __typename }"}}`), 4400},
		{"subscribe without a query", true, text(`{"id":"a","type":"subscribe","payload":{}}`), 4400},
		{"an id twice", true, func(c *graphtest.Socket) { text(watch)(c); text(watch)(c) }, 4409},
		{"a message too large", true, text(`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 1<<20) + `"}}`), 1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := w.Dial(t, nil)
			if c.ready {
				s.Initiate(w.Token("user_00000000000000000000000001"))
			}
			c.do(s)
			if code, reason := s.WaitClosed(); code != c.code || reason == "" {
				t.Errorf("closed with %d %q, want %d and a reason", code, reason, c.code)
			}
		})
	}
}

func TestSocketIsClosedWithoutInitInTime(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketInit = 200 * time.Millisecond })
	silent, pinging := w.Dial(t, nil), w.Dial(t, nil)
	pinging.Send(graphtest.Message{Type: "ping"}) // does not put it off
	for _, c := range []*graphtest.Socket{silent, pinging} {
		if code, _ := c.WaitClosed(); code != 4408 {
			t.Errorf("closed with %d, want 4408", code)
		}
	}
}

func TestSocketUpgradeIsRefused(t *testing.T) {
	w := graphtest.New(t)
	for _, c := range []struct {
		name   string
		header http.Header
		status int
	}{
		{"from a foreign origin", http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
		{"from its own origin", http.Header{"Origin": {w.Server.URL}}, http.StatusSwitchingProtocols},
	} {
		ws, response, err := graphtest.Dialer.Dial("ws"+strings.TrimPrefix(w.Server.URL, "http"), c.header)
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
	c := graphtest.DialServer(t, w.Server, websocket.Dialer{}, nil)
	if code, _ := c.WaitClosed(); code != 4406 {
		t.Errorf("without the subprotocol: closed with %d, want 4406", code)
	}
}

func TestSocketHasALimitOfOperations(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketOperations = 2 })
	c := w.Socket(t, w.Person("ada").Token)
	for i := range 3 {
		c.Subscribe(fmt.Sprint(i), graphtest.FeedAdded)
	}
	if m := c.Read(); m.Type != "error" || m.ID != "2" || !strings.Contains(string(m.Payload), "RATE_LIMITED") {
		t.Errorf("got %+v, want error RATE_LIMITED for the third", m)
	}
	c.Send(graphtest.Message{ID: "0", Type: "complete"})
	c.Subscribe("q", `{ __typename }`)
	c.Next("q")
}
