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
	"chirp/graph/graphtest"
)

// brokenLog is a log handler that panics.
type brokenLog struct{ slog.Handler }

func (brokenLog) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenLog) Handle(context.Context, slog.Record) error { panic(graphtest.Secret) }

func TestAnInternalErrorIsMaskedEvenIfItCannotBeLogged(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Logger = slog.New(brokenLog{}) })
	for _, way := range graphtest.Ways() {
		for _, name := range []string{"fails", "panics"} {
			for _, got := range way.Send(t, w, graphtest.Request{Operation: `{ it: user(username: "` + name + `") { id } other: viewer { id } __typename }`}) {
				if got.Code() != "INTERNAL" || strings.Contains(got.Body, "10.0.0.1") || got.At("__typename") != "Query" {
					t.Errorf("%s, %s: got %s, want INTERNAL at it", way.Name, name, got.Body)
				}
			}
		}
	}
}

func TestPanicsBeforeAnOperationAreMasked(t *testing.T) {
	for name, put := range map[string]func(w *graphtest.World, c *api.Config){
		"reading the client's address": func(_ *graphtest.World, c *api.Config) {
			c.ClientIP = func(*http.Request) string { panic(graphtest.Secret) }
		},
		"reading the token": func(w *graphtest.World, _ *api.Config) { w.ClockPanics.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			w := graphtest.New(t, func(c *api.Config) { put(&graphtest.World{}, c) })
			token := w.Token("user_00000000000000000000000001")
			put(w, &api.Config{})
			for _, way := range graphtest.Ways() {
				if strings.Contains(way.Name, "ws") {
					continue
				}
				got := way.Send(t, w, graphtest.Request{Token: token, Operation: `{ __typename }`})
				if len(got) != 1 || got[0].Code() != "INTERNAL" || got[0].Status != http.StatusInternalServerError || strings.Contains(got[0].Body, "10.0.0.1") {
					t.Errorf("%s: got %+v, want 500 and INTERNAL", way.Name, got)
				}
			}
			if logged := w.Logged.String(); !strings.Contains(logged, graphtest.Secret) || !strings.Contains(logged, "stack=") {
				t.Errorf("the log has %q, want the panic with its stack", logged)
			}
		})
	}
}

func TestPanicsOfASocketItselfCloseIt(t *testing.T) {
	for _, protocol := range []string{"graphql-transport-ws", "graphql-ws"} {
		d := graphtest.Dialer
		d.Subprotocols = []string{protocol}
		closed := func(t *testing.T, w *graphtest.World, c *graphtest.Socket) {
			t.Helper()
			code, reason := c.WaitClosed()
			if code != 4500 || !strings.HasPrefix(reason, "internal error, id ") || !strings.Contains(w.Logged.String(), strings.TrimPrefix(reason, "internal error, ")[3:]) {
				t.Errorf("closed with %d %q, want 4500 and the id in the log: %s", code, reason, w.Logged.String())
			}
		}
		t.Run("initialising "+protocol, func(t *testing.T) {
			w := graphtest.New(t)
			token := w.Token("user_00000000000000000000000001")
			w.ClockPanics.Store(true)
			c := graphtest.DialServer(t, w.Server, d, nil)
			c.Send(graphtest.Message{Type: "connection_init", Payload: json.RawMessage(graphtest.Marshal(map[string]any{"authorization": "Bearer " + token}))})
			closed(t, w, c)
		})
		t.Run("looking at the token of "+protocol, func(t *testing.T) {
			w := graphtest.New(t, func(c *api.Config) { c.Transport.Ping = 500 * time.Millisecond })
			c := graphtest.DialServer(t, w.Server, d, nil)
			c.Initiate(w.Token("user_00000000000000000000000001"))
			w.ClockPanics.Store(true)
			closed(t, w, c)
		})
	}
}

func TestPanicsOfAStreamItselfEndIt(t *testing.T) {
	for _, way := range graphtest.Ways() {
		if !strings.HasPrefix(way.Name, "events") && way.Name != "multipart" {
			continue
		}
		t.Run(way.Name, func(t *testing.T) {
			w := graphtest.New(t, func(c *api.Config) { c.Transport.Ping = 20 * time.Millisecond })
			ada := w.Person("ada")
			w.Must("", `{ user(username: "ada") { id } }`, nil)
			go func() {
				for w.Hub.Stats().Feeds == 0 {
					time.Sleep(time.Millisecond)
				}
				w.ClockPanics.Store(true)
			}()
			if way.Name == "multipart" {
				p := w.Parts(t, ada.Token, `subscription { feedChirpAdded { cursor } }`)
				got := p.Next()
				if len(got.Errors) != 1 || got.Errors[0].Extensions["code"] != "INTERNAL" || !strings.HasPrefix(got.Errors[0].Message, "internal error, id ") {
					t.Errorf("got %s, want INTERNAL", got.Raw)
				}
				p.End()
				return
			}
			got := way.Send(t, w, graphtest.Request{Token: ada.Token, Operation: `subscription { feedChirpAdded { cursor } }`})
			masked(t, w, way.Name, got, false)
		})
	}
}

func TestPanicsOfAPushEndOnlyItsSubscription(t *testing.T) {
	for _, way := range graphtest.Ways() {
		if !way.Subscribes {
			continue
		}
		t.Run(way.Name, func(t *testing.T) {
			w := graphtest.New(t)
			ada, bob := w.Person("ada"), w.Person("bob")
			w.Follow(ada, bob)
			w.Post(bob, "one")
			head, _ := w.Head(context.Background())
			first := w.Send(ada.Token, `{ feed { edges { cursor } } }`, nil, http.Header{"Chirp-Read-After": {head.String()}}).At("feed.edges.0.cursor")
			w.Post(bob, "two")
			w.Must(ada.Token, `{ feed { edges { cursor } } }`, nil)
			w.Views.PanicOnTimelines.Store(true)
			got := way.Send(t, w, graphtest.Request{Token: ada.Token, Operation: fmt.Sprintf(`subscription { feedChirpAdded(after: %q) { cursor } }`, first)})
			masked(t, w, way.Name, got, false)
			w.Views.PanicOnTimelines.Store(false)
			w.Must(ada.Token, `{ feed { edges { cursor } } }`, nil)
		})
	}
}

// stubborn is a writer that panics at everything after the header.
type stubborn struct {
	http.ResponseWriter
	sent bool
}

func (s *stubborn) Unwrap() http.ResponseWriter { return s.ResponseWriter }
func (s *stubborn) WriteHeader(status int)      { s.sent = true; s.ResponseWriter.WriteHeader(status) }
func (s *stubborn) Write(b []byte) (int, error) {
	if s.sent && strings.Contains(string(b), "Query") {
		panic(graphtest.Secret)
	}
	return s.ResponseWriter.Write(b)
}

func TestAResponseThatPanicsHalfwayIsAborted(t *testing.T) {
	w := graphtest.New(t)
	inner := w.Handler
	w.Server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { inner.ServeHTTP(&stubborn{ResponseWriter: rw}, r) })
	for _, accept := range []string{"application/json", "text/event-stream", `multipart/mixed;subscriptionSpec="1.0"`} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Server.URL+"?query={__typename}", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		response, err := w.Server.Client().Do(r)
		if err != nil {
			continue // cut off before the header came
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		switch {
		case err != nil: // cut off
		case accept == "text/event-stream":
			masked(t, w, accept, graphtest.DecodeAll(t, graphtest.EventsIn(t, string(body))), false)
		case accept != "application/json" && strings.HasSuffix(string(body), "\r\n--graphql--\r\n") && strings.Contains(string(body), "INTERNAL"):
		default:
			t.Errorf("%s: got %q to its end, want it to be cut off or ended as its protocol has it", accept, body)
		}
	}
}
