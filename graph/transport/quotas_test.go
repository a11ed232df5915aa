package transport_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/graph/transport"
)

// byHeader reads a client's address from a header.
func byHeader(c *api.Config) {
	c.ClientIP = func(r *http.Request) string { return r.Header.Get("X-Address") }
}

func from(address string) http.Header { return http.Header{"X-Address": {address}} }

func TestConnectionsAreLimitedByUser(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.SocketsPerUser = 3 })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Must(ada.Token, `{ viewer { username } }`, nil) // so that her account is visible
	first := w.Socket(t, ada.Token)
	w.Socket(t, ada.Token)
	e := w.Events(t, ada.Token, graphtest.FeedAdded)
	w.Eventually("feed", func() bool { return w.Hub.Stats().Feeds == 1 })

	refused := w.Dial(t, nil)
	refused.Send(graphtest.Message{Type: "connection_init", Payload: []byte(`{"authorization":"Bearer ` + ada.Token + `"}`)})
	if code, reason := refused.WaitClosed(); code != 1013 || !strings.HasPrefix(reason, "too many connections: a user may keep 3 open") {
		t.Errorf("a socket too many: closed with %d %q, want 1013 and why", code, reason)
	}
	for _, accept := range []string{"text/event-stream", graphtest.MultipartSubscriptions} {
		got := w.Send(ada.Token, graphtest.FeedAdded, nil, http.Header{"Accept": {accept}})
		if got.Status != http.StatusTooManyRequests || got.Code() != "RATE_LIMITED" || got.Header.Get("Retry-After") == "" {
			t.Errorf("a stream too many: got %d %s, want 429 RATE_LIMITED and when to try again", got.Status, got.Body)
		}
	}
	if name, got := w.Events(t, ada.Token, `{ viewer { username } }`).Next(); name != "next" || got.Code() != "" {
		t.Errorf("a query as events: got %s %s, want an answer", name, got.Body)
	}
	w.Socket(t, bob.Token)
	w.Socket(t, "")

	_ = first.Conn.Close()
	e.Close()
	for range 2 {
		w.Eventually("room for a socket", func() bool {
			c := w.Dial(t, nil)
			c.Send(graphtest.Message{Type: "connection_init", Payload: []byte(`{"authorization":"Bearer ` + ada.Token + `"}`)})
			_ = c.Conn.SetReadDeadline(time.Now().Add(graphtest.Hang))
			var m graphtest.Message
			return c.Conn.ReadJSON(&m) == nil && m.Type == "connection_ack"
		})
	}
}

func TestAnonymousConnectionsAreLimitedByAddress(t *testing.T) {
	w := graphtest.New(t, byHeader, func(c *api.Config) { c.Transport.SocketsPerAddress = 2 })
	ada := w.Person("ada")
	for range 2 {
		w.Dial(t, from("192.0.2.1")).Initiate("")
	}
	c := w.Dial(t, from("192.0.2.1"))
	c.Send(graphtest.Message{Type: "connection_init"})
	if code, reason := c.WaitClosed(); code != 1013 || !strings.Contains(reason, "an address may keep 2 open") {
		t.Errorf("closed with %d %q, want 1013 and why", code, reason)
	}
	w.Dial(t, from("192.0.2.1")).Initiate(ada.Token) // a user does not count
	w.Dial(t, from("192.0.2.2")).Initiate("")
	w.Dial(t, from("2001:db8::1")).Initiate("")
	w.Dial(t, from("2001:db8::2")).Initiate("")
	c = w.Dial(t, from("2001:db8::3")) // of the same network
	c.Send(graphtest.Message{Type: "connection_init"})
	if code, _ := c.WaitClosed(); code != 1013 {
		t.Errorf("a third of one network: closed with %d, want 1013", code)
	}
}

func TestUninitializedSocketsAreLimitedByAddress(t *testing.T) {
	w := graphtest.New(t, byHeader, func(c *api.Config) { c.Transport.SocketsPerAddress = 2 })
	waiting := w.Dial(t, from("192.0.2.1"))
	w.Dial(t, from("192.0.2.1"))
	ws, response, err := graphtest.Dialer.Dial("ws"+strings.TrimPrefix(w.Server.URL, "http"), from("192.0.2.1"))
	if err == nil {
		_ = ws.Close()
		t.Fatal("a third socket was opened, want it refused")
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("got status %d, want 429", response.StatusCode)
	}
	w.Dial(t, from("192.0.2.2"))
	waiting.Initiate("")
	w.Dial(t, from("192.0.2.1")).Initiate("")
}

func TestPagesOfAllowedOriginsOpenSockets(t *testing.T) {
	allowed := []string{"https://app.example.com", "https://*.example.org", "http://localhost:*"}
	w := graphtest.New(t, func(c *api.Config) { c.Origins = origins(t, allowed...) })
	everyone := graphtest.New(t, func(c *api.Config) { c.Origins = origins(t, "*") })
	for _, c := range []struct {
		w      *graphtest.World
		origin string
		ok     bool
	}{
		{w, "", true},
		{w, w.Server.URL, true},
		{w, "https://app.example.com", true},
		{w, "https://APP.example.com", true},
		{w, "http://app.example.com", false},
		{w, "https://app.example.com:8443", false},
		{w, "https://app.example.com.evil.example", false},
		{w, "https://a.example.org", true},
		{w, "https://example.org", false},
		{w, "https://.example.org.evil.example", false},
		{w, "http://localhost:3000", true},
		{w, "null", false},
		{w, "evil", false},
		{everyone, "https://evil.example", true},
		{everyone, "null", true},
	} {
		header := http.Header{}
		if c.origin != "" {
			header.Set("Origin", c.origin)
		}
		ws, response, err := graphtest.Dialer.Dial("ws"+strings.TrimPrefix(c.w.Server.URL, "http"), header)
		if response == nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if ws != nil {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(graphtest.Hang))
			_ = ws.Close()
		}
		if ok := err == nil; ok != c.ok || !ok && response.StatusCode != http.StatusForbidden {
			t.Errorf("from %q: got %t, status %d, want %t (403 if not)", c.origin, ok, response.StatusCode, c.ok)
		}
	}
}

func origins(t *testing.T, sites ...string) *transport.Origins {
	t.Helper()
	parsed, err := transport.ParseOrigins(sites)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
