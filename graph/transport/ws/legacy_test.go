package ws_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

func TestNewerSubprotocolIsPreferred(t *testing.T) {
	w := graphtest.New(t)
	for want, offered := range map[string][]string{
		"graphql-transport-ws": {"graphql-ws", "graphql-transport-ws"},
		"graphql-ws":           {"nonsense", "graphql-ws"},
		"":                     {"nonsense"},
	} {
		d := graphtest.Dialer
		d.Subprotocols = offered
		if got := graphtest.DialServer(t, w.Server, d, nil).Conn.Subprotocol(); got != want {
			t.Errorf("of %q the server took %q, want %q", offered, got, want)
		}
	}
}

func TestLegacySocketPushesChirpsAndStops(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	c := w.LegacySocket(t, ada.Token)
	c.Start("f", `subscription { feedChirpAdded { node { content } } }`)
	w.WaitForFeeds(1)
	w.Post(bob, "one")
	c.Expect("data", "f", `{"data":{"feedChirpAdded":{"node":{"content":"one"}}}}`)
	c.Send(graphtest.Message{ID: "f", Type: "stop"})
	w.WaitForFeeds(0)
	w.Post(bob, "two")
	c.Start("f", `{ viewer { username } }`)
	c.Expect("data", "f", `{"data":{"viewer":{"username":"ada"}}}`)
	c.Expect("complete", "f", "")
	c.Send(graphtest.Message{Type: "connection_terminate"})
	if code, _ := c.WaitClosed(); code != websocket.CloseNormalClosure {
		t.Errorf("closed with %d, want 1000", code)
	}
}

func TestLegacySocketGetsErrorsAsOneObject(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketOperations = 1 })
	c := w.LegacySocket(t, w.Person("ada").Token)
	c.Start("bad", `{ nope }`)
	c.Expect("error", "bad", `{"message":"Cannot query field`)
	c.Start("f", graphtest.FeedAdded)
	w.Eventually("feed", func() bool { return w.Hub.Stats().Feeds == 1 })
	c.Start("more", graphtest.FeedAdded)
	c.Expect("error", "more", `{"message":"this socket has 1 operations running`)
	w.Hub.Close()
	c.Expect("error", "f", `{"message":`)
	c.Start("q", `{ __typename }`)
	c.Expect("data", "q", `{"data":{"__typename":"Query"}}`)
}

func TestLegacyOperationReplacesOneWithTheSameID(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketOperations = 1 })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	c := w.LegacySocket(t, ada.Token)
	c.Start("f", graphtest.FeedAdded)
	w.WaitForFeeds(1)
	c.Start("f", fmt.Sprintf(`subscription { profileUpdated(userId: %q) { username } }`, bob.ID))
	c.Expect("data", "f", `{"data":{"profileUpdated":{"username":"bob"}}}`)
	w.WaitForFeeds(0)
}

func TestLegacySocketGetsKeepAlives(t *testing.T) {
	t.Parallel()
	w := graphtest.New(t, func(c *api.Config) { c.Transport.Ping = 500 * time.Millisecond })
	c := w.LegacySocket(t, "")
	for range 3 {
		c.Expect("ka", "", "")
	}
}

func TestLegacySocketGetsTheReasonBeforeItIsClosed(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketInit = time.Second })
	text := func(s string) func(*graphtest.Socket) {
		return func(c *graphtest.Socket) { _ = c.Conn.WriteMessage(websocket.TextMessage, []byte(s)) }
	}
	for _, c := range []struct {
		name  string
		ready bool
		do    func(*graphtest.Socket)
		code  int
	}{
		{"a bad token", false, text(`{"type":"connection_init","payload":{"authorization":"Bearer nope"}}`), 4403},
		{"no init", false, func(*graphtest.Socket) {}, 4408},
		{"start before init", false, text(`{"id":"a","type":"start","payload":{"query":"{ __typename }"}}`), 4401},
		{"no JSON", true, text(`nonsense`), 4400},
		{"a type of the other subprotocol", true, text(`{"id":"a","type":"subscribe","payload":{"query":"{ __typename }"}}`), 4400},
		{"a type of the server's", true, text(`{"id":"a","type":"data","payload":{}}`), 4400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := w.DialLegacy(t)
			if c.ready {
				s = w.LegacySocket(t, "")
			}
			c.do(s)
			s.Expect("connection_error", "", `{"message":"`)
			if code, reason := s.WaitClosed(); code != c.code || reason == "" {
				t.Errorf("closed with %d %q, want %d and a reason", code, reason, c.code)
			}
		})
	}
}
