package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
	"chirp/graph/transport"
)

// byHeader takes a client's address from a header.
func byHeader(c *api.Config) {
	c.ClientIP = func(r *http.Request) string { return r.Header.Get("X-Address") }
}

func from(address string) http.Header { return http.Header{"X-Address": {address}} }

func TestUserKeepsSoManyConnectionsOpen(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.SocketsPerUser = 3 })
	ada, bob := w.person("ada"), w.person("bob")
	first := w.socket(t, ada.token)
	w.socket(t, ada.token)
	e := w.events(t, ada.token, feedAdded)
	w.eventually("feed", func() bool { return w.hub.Stats().Feeds == 1 })

	refused := w.dial(t, nil)
	refused.send(message{Type: "connection_init", Payload: []byte(`{"authorization":"Bearer ` + ada.token + `"}`)})
	if code, reason := refused.closed(); code != 1013 || !strings.HasPrefix(reason, "too many connections: a user may keep 3 open") {
		t.Errorf("a socket too many: closed with %d %q, want 1013 and why", code, reason)
	}
	for _, accept := range []string{"text/event-stream", multipartSubscriptions} {
		got := w.send(ada.token, feedAdded, nil, http.Header{"Accept": {accept}})
		if got.status != http.StatusTooManyRequests || got.code() != "RATE_LIMITED" || got.header.Get("Retry-After") == "" {
			t.Errorf("a stream too many: got %d %s, want 429 RATE_LIMITED and when to try again", got.status, got.body)
		}
	}
	if name, got := w.events(t, ada.token, `{ viewer { username } }`).next(); name != "next" || got.code() != "" {
		t.Errorf("a query as events: got %s %s, want an answer", name, got.body)
	}
	w.socket(t, bob.token)
	w.socket(t, "")

	_ = first.ws.Close()
	e.close()
	for range 2 {
		w.eventually("room for a socket", func() bool {
			c := w.dial(t, nil)
			c.send(message{Type: "connection_init", Payload: []byte(`{"authorization":"Bearer ` + ada.token + `"}`)})
			_ = c.ws.SetReadDeadline(time.Now().Add(hang))
			var m message
			return c.ws.ReadJSON(&m) == nil && m.Type == "connection_ack"
		})
	}
}

func TestAddressKeepsSoManyAnonymousConnectionsOpen(t *testing.T) {
	w := newWorld(t, byHeader, func(c *api.Config) { c.Transport.SocketsPerAddress = 2 })
	ada := w.person("ada")
	for range 2 {
		w.dial(t, from("192.0.2.1")).initiate("")
	}
	c := w.dial(t, from("192.0.2.1"))
	c.send(message{Type: "connection_init"})
	if code, reason := c.closed(); code != 1013 || !strings.Contains(reason, "an address may keep 2 open") {
		t.Errorf("closed with %d %q, want 1013 and why", code, reason)
	}
	w.dial(t, from("192.0.2.1")).initiate(ada.token) // a user does not count
	w.dial(t, from("192.0.2.2")).initiate("")
	w.dial(t, from("2001:db8::1")).initiate("")
	w.dial(t, from("2001:db8::2")).initiate("")
	c = w.dial(t, from("2001:db8::3")) // of the same network
	c.send(message{Type: "connection_init"})
	if code, _ := c.closed(); code != 1013 {
		t.Errorf("a third of one network: closed with %d, want 1013", code)
	}
}

func TestSocketsThatWaitForInitAreBoundedByAddress(t *testing.T) {
	w := newWorld(t, byHeader, func(c *api.Config) { c.Transport.SocketsPerAddress = 2 })
	waiting := w.dial(t, from("192.0.2.1"))
	w.dial(t, from("192.0.2.1"))
	ws, response, err := dialer.Dial("ws"+strings.TrimPrefix(w.server.URL, "http"), from("192.0.2.1"))
	if err == nil {
		_ = ws.Close()
		t.Fatal("a third socket was opened, want it refused")
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("got status %d, want 429", response.StatusCode)
	}
	w.dial(t, from("192.0.2.2"))
	waiting.initiate("")
	w.dial(t, from("192.0.2.1")).initiate("")
}

func TestPagesOfAllowedOriginsOpenSockets(t *testing.T) {
	allowed := []string{"https://app.example.com", "https://*.example.org", "http://localhost:*"}
	w := newWorld(t, func(c *api.Config) { c.Origins = origins(t, allowed...) })
	everyone := newWorld(t, func(c *api.Config) { c.Origins = origins(t, "*") })
	for _, c := range []struct {
		w      *world
		origin string
		ok     bool
	}{
		{w, "", true},
		{w, w.server.URL, true},
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
		ws, response, err := dialer.Dial("ws"+strings.TrimPrefix(c.w.server.URL, "http"), header)
		if response == nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if ws != nil {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(hang))
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
