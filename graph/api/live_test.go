package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
	"chirp/internal/auth"
)

const multipartSubscriptions = `multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json`

// parts is an open multipart stream.
type parts struct {
	t     *testing.T
	body  *bufio.Reader
	close func()
}

func (w *world) parts(t *testing.T, token, operation string) *parts {
	t.Helper()
	response, stop := w.open(t, multipartSubscriptions, token, operation) //nolint:bodyclose // the cleanup does
	p := &parts{t: t, body: bufio.NewReader(response.Body), close: stop}
	if got := p.chunk(); got != "\r\n" {
		t.Fatalf("the body begins with %q, want the first boundary", got)
	}
	return p
}

// chunk gives what is before the next boundary.
func (p *parts) chunk() string {
	p.t.Helper()
	const boundary = "--graphql"
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n"+boundary) {
		c, err := p.body.ReadByte()
		if err != nil {
			p.t.Fatalf("the stream ended with %q: %v", b.String(), err)
		}
		b.WriteByte(c)
	}
	return strings.TrimSuffix(b.String(), boundary)
}

// part is the JSON of a part. All fields are empty in a heartbeat.
type part struct {
	Payload *answer
	Errors  []struct {
		Message    string
		Extensions map[string]any
	}
	raw string
}

func (p *parts) part() part {
	p.t.Helper()
	chunk := p.chunk()
	text, ok := strings.CutPrefix(chunk, "\r\nContent-Type: application/json\r\n\r\n")
	got := part{raw: strings.TrimSuffix(text, "\r\n")}
	if err := json.Unmarshal([]byte(got.raw), &got); err != nil || !ok {
		p.t.Fatalf("got the part %q, want one of JSON: %v", chunk, err)
	}
	return got
}

// next gives the next part that is no heartbeat.
func (p *parts) next() part {
	p.t.Helper()
	for {
		if got := p.part(); got.raw != "{}" {
			return got
		}
	}
}

// end reads what must be the closing boundary's end.
func (p *parts) end() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.body); string(rest) != "--\r\n" || err != nil {
		p.t.Errorf("the body ends with %q, %v, want the closing boundary", rest, err)
	}
}

func TestMultipartPushesEveryChirp(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	w.must("", `{ viewer { id } }`, nil)
	p := w.parts(t, ada.token, `subscription { feedChirpAdded { node { content } } }`)
	for range 3 {
		if got := p.part(); got.raw != "{}" {
			t.Errorf("got %s before any chirp, want heartbeats", got.raw)
		}
	}
	w.waitForFeeds(1)
	for _, content := range []string{"one", "--graphql\n--graphql--", "three"} {
		w.post(bob, content)
		if got := p.next(); got.Payload == nil || got.Payload.at("feedChirpAdded.node.content") != content {
			t.Errorf("got %s, want a payload with %q", got.raw, content)
		}
	}
	p.close()
	w.waitForFeeds(0)
}

func TestMultipartAnswersOperationsThatEnd(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	w.must("", `{ user(username: "ada") { id } }`, nil)
	for _, c := range []struct{ operation, accept, want string }{
		{`{ viewer { username } }`, `multipart/mixed;subscriptionSpec=1.0`, `{"payload":{"data":{"viewer":{"username":"ada"}}}}`},
		{`mutation { postChirp(input: {content: "x"}) { chirp { content } } }`, `multipart/mixed;subscriptionSpec=1.0`,
			`{"payload":{"data":{"postChirp":{"chirp":{"content":"x"}}}}}`},
		{`{ nope }`, `multipart/mixed;subscriptionSpec="1.0"`, `{"payload":{"errors":[{"message":"Cannot query field`},
	} {
		response, _ := w.open(t, c.accept, ada.token, c.operation) //nolint:bodyclose // the cleanup does
		_, params, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		reader := multipart.NewReader(response.Body, params["boundary"])
		var all []string
		for {
			p, err := reader.NextPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(p)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(body))
		}
		if len(all) != 2 || all[0] != "{}" || !strings.HasPrefix(all[1], c.want) {
			t.Errorf("%s: got parts %q, want a heartbeat and %s", c.operation, all, c.want)
		}
	}
}

func TestRequestErrorsHaveNoData(t *testing.T) {
	w := newWorld(t)
	const bad = `subscription { nope }`
	if _, got := w.events(t, "", bad).next(); strings.Contains(got.body, `"data"`) {
		t.Errorf("as an event: got %s, want no data", got.body)
	}
	if got := w.ask("", `{ nope }`, nil); strings.Contains(got.body, `"data"`) {
		t.Errorf("as JSON: got %s, want no data", got.body)
	}
}

// expiring gives a token that is good for so long.
func (w *world) expiring(p person, in time.Duration) string {
	w.skew.Store(int64(in - auth.TokenLifetime))
	defer w.skew.Store(0)
	return w.token(p.id)
}

func TestStreamsEndWithAReason(t *testing.T) {
	for _, c := range []struct {
		name, code string
		protocol   bool // the end is the server's, not the operation's
		token      func(w *world, p person) string
		end        func(w *world)
	}{
		{"when the hub closes", "UNAVAILABLE", false, nil, func(w *world) { w.hub.Close() }},
		{"when the handler drains", "UNAVAILABLE", true, nil, func(w *world) { go func() { _ = w.handler.Drain(context.Background(), "going") }() }},
		{"when the token is good no more", "UNAUTHENTICATED", true, nil, func(w *world) { w.skew.Store(int64(auth.TokenLifetime + time.Hour)) }},
		{"when the token expires, which a request may outlive a little", "UNAUTHENTICATED", true,
			func(w *world, p person) string { return w.expiring(p, 2*time.Second) }, func(*world) {}},
	} {
		open := func(t *testing.T) (*world, string) {
			t.Parallel()
			w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
			ada := w.person("ada")
			if c.token != nil {
				return w, c.token(w, ada)
			}
			return w, ada.token
		}
		t.Run("events "+c.name, func(t *testing.T) {
			w, token := open(t)
			e := w.events(t, token, `subscription { feedChirpAdded { cursor } }`)
			w.eventually("feed", func() bool { return w.hub.Stats().Feeds == 1 })
			c.end(w)
			if name, got := e.next(); name != "next" || got.code() != c.code {
				t.Errorf("got %s %s, want code %s", name, got.body, c.code)
			}
			if name, _ := e.next(); name != "complete" {
				t.Errorf("got %s, want complete", name)
			}
		})
		t.Run("multipart "+c.name, func(t *testing.T) {
			w, token := open(t)
			p := w.parts(t, token, `subscription { feedChirpAdded { cursor } }`)
			w.eventually("feed", func() bool { return w.hub.Stats().Feeds == 1 })
			c.end(w)
			got := p.next()
			errs := got.Errors
			if c.protocol != strings.Contains(got.raw, `"payload":null`) || c.protocol != (len(errs) == 1) {
				t.Fatalf("got %s, want errors of the protocol: %t", got.raw, c.protocol)
			}
			if c.protocol && errs[0].Extensions["code"] != c.code || !c.protocol && got.Payload.code() != c.code {
				t.Errorf("got %s, want code %s", got.raw, c.code)
			}
			p.end()
		})
	}
}

func TestSocketIsClosedWithItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.person("ada")
	for _, protocol := range []string{"graphql-transport-ws", "graphql-ws"} {
		d := dialer
		d.Subprotocols = []string{protocol}
		c := dialTo(t, w.server, d, nil)
		c.initiate(w.expiring(ada, 2*time.Second))
		if code, reason := c.closed(); code != 4403 || !strings.Contains(reason, "expired") {
			t.Errorf("%s: closed with %d %q, want 4403 and that the token expired", protocol, code, reason)
		}
	}
	c := w.dial(t, nil)
	bearer := map[string]any{"authorization": "Bearer " + w.expiring(ada, -5*time.Second)} // a request would still do
	c.send(message{Type: "connection_init", Payload: json.RawMessage(marshal(bearer))})
	_ = c.ws.SetReadDeadline(time.Now().Add(hang))
	if _, got, err := c.ws.ReadMessage(); !websocket.IsCloseError(err, 4403) {
		t.Errorf("with a token that has just expired: got %s, %v, want close code 4403 and no more", got, err)
	}
}

func TestBrowsersOpenEventStreamsByGet(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
	ada := w.person("ada")
	target := "?operationName=B&query=" + url.QueryEscape(`query A { viewer { id } } subscription B($id: ID!) { profileUpdated(userId: $id) { username } }`) +
		"&variables=" + url.QueryEscape(marshal(map[string]any{"id": ada.id}))
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cache-Control", "no-cache")
	response, err := w.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	var next, comments int
	for comments < 3 && lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, ": "):
			comments++ // keep the connection alive
		case line == `data: {"data":{"profileUpdated":{"username":"ada"}}}`:
			next++
		}
	}
	if next != 1 || comments != 3 {
		t.Errorf("got %d profiles and %d keep-alives, %v; want 1 and 3", next, comments, lines.Err())
	}
}
