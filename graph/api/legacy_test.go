package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
)

// legacy opens a socket of the older subprotocol that is not initialised.
func (w *world) legacy(t *testing.T) *wire {
	t.Helper()
	d := dialer
	d.Subprotocols = []string{"graphql-ws"}
	return dialTo(t, w.server, d, nil)
}

// legacySocket opens one that is, up to the first sign of life.
func (w *world) legacySocket(t *testing.T, token string) *wire {
	t.Helper()
	c := w.legacy(t)
	c.initiate(token)
	if m := c.read(); m.Type != "ka" || m.ID != "" || m.Payload != nil {
		t.Fatalf("got %+v after connection_ack, want ka", m)
	}
	return c
}

func (c *wire) start(id, operation string) {
	c.t.Helper()
	c.send(message{ID: id, Type: "start", Payload: json.RawMessage(marshal(map[string]any{"query": operation, "variables": nil}))})
}

func (c *wire) expect(kind, id, payload string) {
	c.t.Helper()
	if m := c.read(); m.Type != kind || m.ID != id || !strings.HasPrefix(string(m.Payload), payload) {
		c.t.Fatalf("got %s %q %s, want %s %q %s", m.Type, m.ID, m.Payload, kind, id, payload)
	}
}

func TestNewerSubprotocolIsPreferred(t *testing.T) {
	w := newWorld(t)
	for want, offered := range map[string][]string{
		"graphql-transport-ws": {"graphql-ws", "graphql-transport-ws"},
		"graphql-ws":           {"nonsense", "graphql-ws"},
		"":                     {"nonsense"},
	} {
		d := dialer
		d.Subprotocols = offered
		if got := dialTo(t, w.server, d, nil).ws.Subprotocol(); got != want {
			t.Errorf("of %q the server took %q, want %q", offered, got, want)
		}
	}
}

func TestLegacySocketPushesChirpsAndStops(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	c := w.legacySocket(t, ada.token)
	c.start("f", `subscription { feedChirpAdded { node { content } } }`)
	w.waitForFeeds(1)
	w.post(bob, "one")
	c.expect("data", "f", `{"data":{"feedChirpAdded":{"node":{"content":"one"}}}}`)
	c.send(message{ID: "f", Type: "stop"})
	w.waitForFeeds(0)
	w.post(bob, "two")
	c.start("f", `{ viewer { username } }`)
	c.expect("data", "f", `{"data":{"viewer":{"username":"ada"}}}`)
	c.expect("complete", "f", "")
	c.send(message{Type: "connection_terminate"})
	if code, _ := c.closed(); code != websocket.CloseNormalClosure {
		t.Errorf("closed with %d, want 1000", code)
	}
}

func TestLegacySocketSaysWhatIsWrongInOneObject(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.SocketOperations = 1 })
	c := w.legacySocket(t, w.person("ada").token)
	c.start("bad", `{ nope }`)
	c.expect("error", "bad", `{"message":"Cannot query field`)
	c.start("f", feedAdded)
	w.eventually("feed", func() bool { return w.hub.Stats().Feeds == 1 })
	c.start("more", feedAdded)
	c.expect("error", "more", `{"message":"this socket has 1 operations under way`)
	w.hub.Close()
	c.expect("error", "f", `{"message":`)
	c.start("q", `{ __typename }`)
	c.expect("data", "q", `{"data":{"__typename":"Query"}}`)
}

func TestLegacyOperationReplacesOneOfTheSameID(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.SocketOperations = 1 })
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	c := w.legacySocket(t, ada.token)
	c.start("f", feedAdded)
	w.waitForFeeds(1)
	c.start("f", fmt.Sprintf(`subscription { profileUpdated(userId: %q) { username } }`, bob.id))
	c.expect("data", "f", `{"data":{"profileUpdated":{"username":"bob"}}}`)
	w.waitForFeeds(0)
}

func TestLegacySocketHearsThatItLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 500 * time.Millisecond })
	c := w.legacySocket(t, "")
	for range 3 {
		c.expect("ka", "", "")
	}
}

func TestLegacySocketIsToldWhyItIsClosed(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.SocketInit = time.Second })
	text := func(s string) func(*wire) {
		return func(c *wire) { _ = c.ws.WriteMessage(websocket.TextMessage, []byte(s)) }
	}
	for _, c := range []struct {
		name  string
		ready bool
		do    func(*wire)
		code  int
	}{
		{"a bad token", false, text(`{"type":"connection_init","payload":{"authorization":"Bearer nope"}}`), 4403},
		{"no init", false, func(*wire) {}, 4408},
		{"start before init", false, text(`{"id":"a","type":"start","payload":{"query":"{ __typename }"}}`), 4401},
		{"no JSON", true, text(`nonsense`), 4400},
		{"a type of the other subprotocol", true, text(`{"id":"a","type":"subscribe","payload":{"query":"{ __typename }"}}`), 4400},
		{"a type of the server's", true, text(`{"id":"a","type":"data","payload":{}}`), 4400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := w.legacy(t)
			if c.ready {
				s = w.legacySocket(t, "")
			}
			c.do(s)
			s.expect("connection_error", "", `{"message":"`)
			if code, reason := s.closed(); code != c.code || reason == "" {
				t.Errorf("closed with %d %q, want %d and a reason", code, reason, c.code)
			}
		})
	}
}
