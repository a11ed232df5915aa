package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
	"chirp/internal/auth"
)

// wire is a client's end of a socket.
type wire struct {
	t  *testing.T
	ws *websocket.Conn
}

type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

var dialer = websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: hang}

// dial opens a socket that is not initialised.
func (w *world) dial(t *testing.T, header http.Header) *wire {
	t.Helper()
	return dialTo(t, w.server, dialer, header)
}

func dialTo(t *testing.T, server *httptest.Server, d websocket.Dialer, header http.Header) *wire {
	t.Helper()
	ws, response, err := d.Dial("ws"+strings.TrimPrefix(server.URL, "http"), header)
	if err != nil {
		t.Fatalf("dial: %v, %v", err, response)
	}
	t.Cleanup(func() { _, _ = ws.Close(), response.Body.Close() })
	return &wire{t: t, ws: ws}
}

// socket opens a socket whose caller is a token's, or nobody's.
func (w *world) socket(t *testing.T, token string) *wire {
	t.Helper()
	c := w.dial(t, nil)
	c.initiate(token)
	return c
}

func (c *wire) initiate(token string) {
	c.t.Helper()
	payload := map[string]any{}
	if token != "" {
		payload["authorization"] = "Bearer " + token
	}
	c.send(message{Type: "connection_init", Payload: json.RawMessage(marshal(payload))})
	if m := c.read(); m.Type != "connection_ack" {
		c.t.Fatalf("got %+v, want connection_ack", m)
	}
}

func (c *wire) send(m message) {
	c.t.Helper()
	if err := c.ws.WriteJSON(m); err != nil {
		c.t.Fatal(err)
	}
}

func (c *wire) subscribe(id, operation string) {
	c.t.Helper()
	c.send(message{ID: id, Type: "subscribe", Payload: json.RawMessage(marshal(map[string]any{"query": operation}))})
}

func (c *wire) read() message {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(hang))
	var m message
	if err := c.ws.ReadJSON(&m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// next gives the payload of the next message, which must be of an operation.
func (c *wire) next(id string) answer {
	c.t.Helper()
	m := c.read()
	if m.Type != "next" || m.ID != id {
		c.t.Fatalf("got %s %q %s, want next %q", m.Type, m.ID, m.Payload, id)
	}
	checkPaths(c.t, string(m.Payload))
	a := answer{body: string(m.Payload)}
	if err := json.Unmarshal(m.Payload, &a); err != nil {
		c.t.Fatal(err)
	}
	return a
}

// closed reads until the socket is closed, and gives the code and reason.
func (c *wire) closed() (code int, reason string) {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(hang))
	for {
		_, _, err := c.ws.ReadMessage()
		if err == nil {
			continue
		}
		var e *websocket.CloseError
		if errors.As(err, &e) {
			return e.Code, e.Text
		}
		c.t.Fatalf("the socket ended without a close frame: %v", err)
	}
}

const feedAdded = `subscription { feedChirpAdded { cursor node { content author { username viewerFollows chirpCount } } } }`

func TestSocketPushesChirpsAndResumesAfterACursor(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	c := w.socket(t, ada.token)
	c.subscribe("feed", feedAdded)
	w.waitForFeeds(1)
	w.post(bob, "one")
	first := c.next("feed")
	want := map[string]any{"content": "one", "author": map[string]any{"username": "bob", "viewerFollows": true, "chirpCount": 1.0}}
	if !reflect.DeepEqual(first.at("feedChirpAdded.node"), want) {
		t.Errorf("got %s, want %v", first.body, want)
	}
	_ = c.ws.Close()
	w.waitForFeeds(0)
	for i := range 150 { // more than one page of catching up
		w.post(bob, fmt.Sprint("missed ", i))
	}
	again := w.socket(t, ada.token)
	again.subscribe("r", fmt.Sprintf(`subscription { feedChirpAdded(after: %q) { cursor node { content } } }`, first.at("feedChirpAdded.cursor")))
	for i := range 150 {
		if got := again.next("r"); got.at("feedChirpAdded.node.content") != fmt.Sprint("missed ", i) {
			t.Fatalf("got %s, want missed %d", got.body, i)
		}
	}
	w.post(bob, "live")
	last := again.next("r")
	if last.at("feedChirpAdded.node.content") != "live" {
		t.Errorf("got %s, want live", last.body)
	}
	feed := w.must(ada.token, `{ feed(first: 1) { edges { cursor } } }`, nil)
	if feed.at("feed.edges.0.cursor") != last.at("feedChirpAdded.cursor") {
		t.Errorf("the feed names the chirp %v, the push named it %v", feed.at("feed.edges.0.cursor"), last.at("feedChirpAdded.cursor"))
	}
}

func TestSocketWatchesAProfile(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	c := w.socket(t, "")
	c.subscribe("p", fmt.Sprintf(`subscription { profileUpdated(userId: %q) { username followerCount chirpCount } }`, ada.id))
	if got := c.next("p"); got.at("profileUpdated.followerCount") != 0.0 || got.at("profileUpdated.username") != "ada" {
		t.Errorf("got %s, want ada as she is", got.body)
	}
	w.follow(bob, ada)
	for c.next("p").at("profileUpdated.followerCount") != 1.0 { // a state may be given twice
	}
	for range 20 {
		w.post(ada, "hello")
	}
	last := 0.0
	for last < 20 {
		count := c.next("p").at("profileUpdated.chirpCount").(float64)
		if count < last {
			t.Fatalf("chirpCount went from %v to %v", last, count)
		}
		last = count
	}
}

func TestSocketAnswersQueriesAndMutations(t *testing.T) {
	w := newWorld(t)
	c := w.socket(t, w.person("ada").token)
	c.subscribe("m", `mutation { postChirp(input: {content: "hello"}) { chirp { content author { chirpCount } } } }`)
	if got := c.next("m"); got.at("postChirp.chirp.author.chirpCount") != 1.0 {
		t.Errorf("got %s, want the author with 1 chirp", got.body)
	}
	if m := c.read(); m.Type != "complete" || m.ID != "m" {
		t.Errorf("got %+v, want complete", m)
	}
	c.subscribe("m", `{ viewer { username } }`)
	if got := c.next("m"); got.at("viewer.username") != "ada" {
		t.Errorf("got %s, want ada", got.body)
	}
}

func TestSocketCallerComesFromThePayloadOrTheUpgrade(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	w.must("", `{ user(username: "ada") { id } }`, nil)
	bearer := "Bearer " + ada.token
	for _, c := range []struct {
		name    string
		header  http.Header
		payload string
		want    any // the viewer, or why the socket is closed
	}{
		{"payload", nil, `{"authorization": "` + bearer + `"}`, "ada"},
		{"payload with a capital", nil, `{"Authorization": "` + bearer + `"}`, "ada"},
		{"upgrade", http.Header{"Authorization": {bearer}}, `{}`, "ada"},
		{"upgrade, no payload", http.Header{"Authorization": {bearer}}, ``, "ada"},
		{"nobody", nil, `{}`, nil},
		{"null", nil, `{"authorization": null}`, nil},
		{"bad token", nil, `{"authorization": "Bearer nope"}`, 4403},
		{"bad upgrade", http.Header{"Authorization": {"Bearer nope"}}, `{}`, 4403},
		{"no text", nil, `{"authorization": 1}`, 4403},
		{"no object", nil, `1`, 4400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := w.dial(t, c.header)
			s.send(message{Type: "connection_init", Payload: json.RawMessage(c.payload)})
			if code, ok := c.want.(int); ok {
				if got, reason := s.closed(); got != code || reason == "" {
					t.Errorf("closed with %d %q, want %d and a reason", got, reason, code)
				}
				return
			}
			s.read()
			s.subscribe("v", `{ viewer { username } }`)
			if got := s.next("v"); got.at("viewer.username") != c.want {
				t.Errorf("got %s, want %v", got.body, c.want)
			}
		})
	}
}

func TestSocketThatGoesWithoutACloseFrameLeavesNothing(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	c := w.socket(t, ada.token)
	for i := range 5 {
		c.subscribe(fmt.Sprint(i), feedAdded)
	}
	w.waitForFeeds(5)
	_ = c.ws.NetConn().Close()
	w.waitForFeeds(0) // and TestMain looks for goroutines
}

func TestSocketOfADeadPeerIsReaped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 500 * time.Millisecond })
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	dead, alive := w.socket(t, ada.token), w.socket(t, ada.token)
	dead.subscribe("f", feedAdded)
	alive.subscribe("f", feedAdded)
	answered := make(chan message)
	go func() { // whoever reads answers pings
		_ = alive.ws.SetReadDeadline(time.Now().Add(hang))
		var m message
		_ = alive.ws.ReadJSON(&m)
		answered <- m
	}()
	w.waitForFeeds(2)
	w.waitForFeeds(1) // dead reads nothing
	time.Sleep(1500 * time.Millisecond)
	w.post(bob, "still there")
	if m := <-answered; m.Type != "next" {
		t.Errorf("the live peer got %+v, want next", m)
	}
}

func TestSocketIsClosedWhenItsTokenExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 500 * time.Millisecond })
	c := w.socket(t, w.person("ada").token)
	c.subscribe("f", feedAdded)
	w.eventually("feed", func() bool { return w.hub.Stats().Feeds == 1 })
	w.skew.Store(int64(auth.TokenLifetime + time.Hour))
	if code, reason := c.closed(); code != 4403 || !strings.Contains(reason, "expired") {
		t.Errorf("closed with %d %q, want 4403 and that the token expired", code, reason)
	}
}

func TestASlowIssuerDelaysNoPush(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	c := w.socket(t, ada.token)
	c.subscribe("f", feedAdded)
	e := w.events(t, ada.token, feedAdded)
	w.waitForFeeds(2)
	slow := &issuer{make(chan struct{}, 100), make(chan struct{})}
	w.slow.Store(slow)
	defer close(slow.answers)
	defer w.slow.Store(nil)
	for range 2 { // one for each connection
		<-slow.asked
	}
	w.post(bob, "meanwhile")
	if got := c.next("f"); got.at("feedChirpAdded.node.content") != "meanwhile" {
		t.Errorf("a socket: got %s, want the chirp", got.body)
	}
	if name, got := e.next(); name != "next" || got.at("feedChirpAdded.node.content") != "meanwhile" {
		t.Errorf("events: got %s %s, want the chirp", name, got.body)
	}
}

func TestDrainClosesSocketsAndRefusesNewOnes(t *testing.T) {
	w := newWorld(t)
	c, idle := w.socket(t, w.person("ada").token), w.dial(t, nil)
	c.subscribe("f", feedAdded)
	w.eventually("feed", func() bool { return w.hub.Stats().Feeds == 1 })
	drained := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), hang)
		defer cancel()
		drained <- w.handler.Drain(ctx, "the server is stopping")
	}()
	for _, s := range []*wire{c, idle} {
		if code, reason := s.closed(); code != 1001 || reason != "the server is stopping" {
			t.Errorf("closed with %d %q, want 1001 and the reason", code, reason)
		}
		_ = s.ws.Close()
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
	if code, _ := w.dial(t, nil).closed(); code != 1001 {
		t.Errorf("a new socket was closed with %d, want 1001", code)
	}
	if got := w.ask("", `{ __typename }`, nil); got.at("__typename") != "Query" {
		t.Errorf("a plain request got %s, want an answer", got.body)
	}
}

func TestSubscriptionThatEndsByItselfSaysWhy(t *testing.T) {
	w := newWorld(t)
	c := w.socket(t, w.person("ada").token)
	c.subscribe("f", feedAdded)
	w.eventually("feed", func() bool { return w.hub.Stats().Feeds == 1 })
	w.hub.Close()
	m := c.read()
	var errs []struct {
		Message    string
		Path       []any
		Extensions struct{ Code string }
	}
	if err := json.Unmarshal(m.Payload, &errs); err != nil || m.Type != "error" || m.ID != "f" || len(errs) != 1 {
		t.Fatalf("got %s %s %s, want error f", m.Type, m.ID, m.Payload)
	}
	if errs[0].Extensions.Code != "UNAVAILABLE" || errs[0].Path != nil {
		t.Errorf("got %+v, want UNAVAILABLE, without a path because there is no data", errs[0])
	}
	c.subscribe("q", `{ __typename }`) // nothing more about f, and the socket lives
	c.next("q")
}
