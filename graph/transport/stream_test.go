package transport_test

import (
	"bufio"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/internal/auth"
)

func TestMultipartPushesEveryChirp(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	w.Must("", `{ viewer { id } }`, nil)
	p := w.Parts(t, ada.Token, `subscription { feedChirpAdded { node { content } } }`)
	for range 3 {
		if got := p.Part(); got.Raw != "{}" {
			t.Errorf("got %s before any chirp, want heartbeats", got.Raw)
		}
	}
	w.WaitForFeeds(1)
	for _, content := range []string{"one", "--graphql\n--graphql--", "three"} {
		w.Post(bob, content)
		if got := p.Next(); got.Payload == nil || got.Payload.At("feedChirpAdded.node.content") != content {
			t.Errorf("got %s, want a payload with %q", got.Raw, content)
		}
	}
	p.Close()
	w.WaitForFeeds(0)
}

func TestMultipartAnswersOperationsThatEnd(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	for _, c := range []struct{ operation, accept, want string }{
		{`{ viewer { username } }`, `multipart/mixed;subscriptionSpec=1.0`, `{"payload":{"data":{"viewer":{"username":"ada"}}}}`},
		{`mutation { postChirp(input: {content: "x"}) { chirp { content } } }`, `multipart/mixed;subscriptionSpec=1.0`,
			`{"payload":{"data":{"postChirp":{"chirp":{"content":"x"}}}}}`},
		{`{ nope }`, `multipart/mixed;subscriptionSpec="1.0"`, `{"payload":{"errors":[{"message":"Cannot query field`},
	} {
		response, _ := w.Open(t, c.accept, ada.Token, c.operation) //nolint:bodyclose // the cleanup does
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
	w := graphtest.New(t)
	const bad = `subscription { nope }`
	if _, got := w.Events(t, "", bad).Next(); strings.Contains(got.Body, `"data"`) {
		t.Errorf("as an event: got %s, want no data", got.Body)
	}
	if got := w.Ask("", `{ nope }`, nil); strings.Contains(got.Body, `"data"`) {
		t.Errorf("as JSON: got %s, want no data", got.Body)
	}
}

func TestStreamsEndWithAReason(t *testing.T) {
	for _, c := range []struct {
		name, code string
		protocol   bool // the end is the server's, not the operation's
		token      func(w *graphtest.World, p graphtest.Person) string
		end        func(w *graphtest.World)
	}{
		{"when the hub closes", "UNAVAILABLE", false, nil, func(w *graphtest.World) { w.Hub.Close() }},
		{"when the handler drains", "UNAVAILABLE", true, nil, func(w *graphtest.World) { go func() { _ = w.Handler.Drain(context.Background(), "going") }() }},
		{"when the token is good no more", "UNAUTHENTICATED", true, nil, func(w *graphtest.World) { w.ClockSkew.Store(int64(auth.TokenLifetime + time.Hour)) }},
		{"when the token expires, which a request may outlive a little", "UNAUTHENTICATED", true,
			func(w *graphtest.World, p graphtest.Person) string { return w.Expiring(p, 2*time.Second) }, func(*graphtest.World) {}},
	} {
		open := func(t *testing.T) (*graphtest.World, string) {
			t.Parallel()
			w := graphtest.New(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
			ada := w.Person("ada")
			if c.token != nil {
				return w, c.token(w, ada)
			}
			return w, ada.Token
		}
		t.Run("events "+c.name, func(t *testing.T) {
			w, token := open(t)
			e := w.Events(t, token, `subscription { feedChirpAdded { cursor } }`)
			w.Eventually("feed", func() bool { return w.Hub.Stats().Feeds == 1 })
			c.end(w)
			if name, got := e.Next(); name != "next" || got.Code() != c.code {
				t.Errorf("got %s %s, want code %s", name, got.Body, c.code)
			}
			if name, _ := e.Next(); name != "complete" {
				t.Errorf("got %s, want complete", name)
			}
		})
		t.Run("multipart "+c.name, func(t *testing.T) {
			w, token := open(t)
			p := w.Parts(t, token, `subscription { feedChirpAdded { cursor } }`)
			w.Eventually("feed", func() bool { return w.Hub.Stats().Feeds == 1 })
			c.end(w)
			got := p.Next()
			errs := got.Errors
			if c.protocol != strings.Contains(got.Raw, `"payload":null`) || c.protocol != (len(errs) == 1) {
				t.Fatalf("got %s, want errors of the protocol: %t", got.Raw, c.protocol)
			}
			if c.protocol && errs[0].Extensions["code"] != c.code || !c.protocol && got.Payload.Code() != c.code {
				t.Errorf("got %s, want code %s", got.Raw, c.code)
			}
			p.End()
		})
	}
}

func TestBrowsersOpenEventStreamsByGet(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
	ada := w.Person("ada")
	target := "?operationName=B&query=" + url.QueryEscape(`query A { viewer { id } } subscription B($id: ID!) { profileUpdated(userId: $id) { username } }`) +
		"&variables=" + url.QueryEscape(graphtest.Marshal(map[string]any{"id": ada.ID}))
	ctx, cancel := context.WithTimeout(context.Background(), graphtest.Hang)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Server.URL+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cache-Control", "no-cache")
	response, err := w.Server.Client().Do(r)
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
