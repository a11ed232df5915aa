package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"chirp/graph/api"
)

// brokenLog is a log handler that panics.
type brokenLog struct{ slog.Handler }

func (brokenLog) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenLog) Handle(context.Context, slog.Record) error { panic(secret) }

func TestAFaultIsMaskedEvenIfItCannotBeLogged(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Logger = slog.New(brokenLog{}) })
	for _, way := range ways() {
		for _, name := range []string{"fails", "panics"} {
			for _, got := range way.send(t, w, request{operation: `{ it: user(username: "` + name + `") { id } other: viewer { id } __typename }`}) {
				if got.code() != "INTERNAL" || strings.Contains(got.body, "10.0.0.1") || got.at("__typename") != "Query" {
					t.Errorf("%s, %s: got %s, want INTERNAL at it", way.name, name, got.body)
				}
			}
		}
	}
}

func TestPanicsBeforeAnOperationAreAnsweredToo(t *testing.T) {
	for name, put := range map[string]func(w *world, c *api.Config){
		"reading the client's address": func(_ *world, c *api.Config) { c.ClientIP = func(*http.Request) string { panic(secret) } },
		"reading the token":            func(w *world, _ *api.Config) { w.broken.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *api.Config) { put(&world{}, c) })
			token := w.token("user_00000000000000000000000001")
			put(w, &api.Config{})
			for _, way := range ways() {
				if strings.Contains(way.name, "ws") {
					continue
				}
				got := way.send(t, w, request{token, `{ __typename }`, nil})
				if len(got) != 1 || got[0].code() != "INTERNAL" || got[0].status != http.StatusInternalServerError || strings.Contains(got[0].body, "10.0.0.1") {
					t.Errorf("%s: got %+v, want 500 and INTERNAL", way.name, got)
				}
			}
			if logged := w.logged.String(); !strings.Contains(logged, secret) || !strings.Contains(logged, "stack=") {
				t.Errorf("the log has %q, want the panic with its stack", logged)
			}
		})
	}
}

func TestPanicsOfASocketItselfCloseIt(t *testing.T) {
	for _, protocol := range []string{"graphql-transport-ws", "graphql-ws"} {
		d := dialer
		d.Subprotocols = []string{protocol}
		closed := func(t *testing.T, w *world, c *wire) {
			t.Helper()
			code, reason := c.closed()
			if code != 4500 || !strings.HasPrefix(reason, "internal error, id ") || !strings.Contains(w.logged.String(), strings.TrimPrefix(reason, "internal error, ")[3:]) {
				t.Errorf("closed with %d %q, want 4500 and the id in the log: %s", code, reason, w.logged.String())
			}
		}
		t.Run("initialising "+protocol, func(t *testing.T) {
			w := newWorld(t)
			token := w.token("user_00000000000000000000000001")
			w.broken.Store(true)
			c := dialTo(t, w.server, d, nil)
			c.send(message{Type: "connection_init", Payload: json.RawMessage(marshal(map[string]any{"authorization": "Bearer " + token}))})
			closed(t, w, c)
		})
		t.Run("looking at the token of "+protocol, func(t *testing.T) {
			w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
			c := dialTo(t, w.server, d, nil)
			c.initiate(w.token("user_00000000000000000000000001"))
			w.broken.Store(true)
			closed(t, w, c)
		})
	}
}

func TestPanicsOfAStreamItselfEndIt(t *testing.T) {
	for _, way := range ways() {
		if !strings.HasPrefix(way.name, "events") && way.name != "multipart" {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			w := newWorld(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
			ada := w.person("ada")
			w.must("", `{ user(username: "ada") { id } }`, nil)
			go func() {
				for w.hub.Stats().Feeds == 0 {
					time.Sleep(time.Millisecond)
				}
				w.broken.Store(true)
			}()
			if way.name == "multipart" {
				p := w.parts(t, ada.token, `subscription { feedChirpAdded { cursor } }`)
				got := p.next()
				if len(got.Errors) != 1 || got.Errors[0].Extensions["code"] != "INTERNAL" || !strings.HasPrefix(got.Errors[0].Message, "internal error, id ") {
					t.Errorf("got %s, want INTERNAL", got.raw)
				}
				p.end()
				return
			}
			got := way.send(t, w, request{ada.token, `subscription { feedChirpAdded { cursor } }`, nil})
			w.masked(t, way.name, got, false)
		})
	}
}

func TestPanicsOfAPushEndItsSubscriptionAlone(t *testing.T) {
	for _, way := range ways() {
		if !way.subscribes {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			w := newWorld(t)
			ada, bob := w.person("ada"), w.person("bob")
			w.follow(ada, bob)
			w.post(bob, "one")
			head, _ := w.head(context.Background())
			first := w.send(ada.token, `{ feed { edges { cursor } } }`, nil, http.Header{"Chirp-Read-After": {head.String()}}).at("feed.edges.0.cursor")
			w.post(bob, "two")
			w.must(ada.token, `{ feed { edges { cursor } } }`, nil)
			w.views.explode.Store(true)
			got := way.send(t, w, request{ada.token, fmt.Sprintf(`subscription { feedChirpAdded(after: %q) { cursor } }`, first), nil})
			w.masked(t, way.name, got, false)
			w.views.explode.Store(false)
			w.must(ada.token, `{ feed { edges { cursor } } }`, nil)
		})
	}
}

// stubborn is a writer of which everything after the header panics.
type stubborn struct {
	http.ResponseWriter
	sent bool
}

func (s *stubborn) Unwrap() http.ResponseWriter { return s.ResponseWriter }
func (s *stubborn) WriteHeader(status int)      { s.sent = true; s.ResponseWriter.WriteHeader(status) }
func (s *stubborn) Write(b []byte) (int, error) {
	if s.sent && strings.Contains(string(b), "Query") {
		panic(secret)
	}
	return s.ResponseWriter.Write(b)
}

func TestAnAnswerThatBreaksInTheMiddleIsCutOff(t *testing.T) {
	w := newWorld(t)
	inner := w.handler
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { inner.ServeHTTP(&stubborn{ResponseWriter: rw}, r) })
	for _, accept := range []string{"application/json", "text/event-stream", `multipart/mixed;subscriptionSpec="1.0"`} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"?query={__typename}", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		response, err := w.server.Client().Do(r)
		if err != nil {
			continue // cut off before the header came
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		switch {
		case err != nil: // cut off
		case accept == "text/event-stream":
			w.masked(t, accept, decodeAll(t, eventsIn(t, string(body))), false)
		case accept != "application/json" && strings.HasSuffix(string(body), "\r\n--graphql--\r\n") && strings.Contains(string(body), "INTERNAL"):
		default:
			t.Errorf("%s: got %q to its end, want it to be cut off or ended as its protocol has it", accept, body)
		}
	}
}
