package ws_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/internal/gate"
)

// TestFloodsOfMessagesAreClosed sends what is no operation, as fast as the server
// reads it.
func TestFloodsOfMessagesAreClosed(t *testing.T) {
	large := []byte(`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 50_000) + `"}}`)
	text := func(s string) func(*graphtest.Socket) error {
		return func(c *graphtest.Socket) error { return c.Conn.WriteMessage(websocket.TextMessage, []byte(s)) }
	}
	for name, flood := range map[string]func(*graphtest.Socket) error{
		"WebSocket pings":    func(c *graphtest.Socket) error { return c.Conn.WriteMessage(websocket.PingMessage, nil) },
		"WebSocket pongs":    func(c *graphtest.Socket) error { return c.Conn.WriteMessage(websocket.PongMessage, []byte("x")) },
		"pings":              text(`{"type":"ping"}`),
		"pongs":              text(`{"type":"pong"}`),
		"large pings":        func(c *graphtest.Socket) error { return c.Conn.WriteMessage(websocket.TextMessage, large) },
		"complete of no one": text(`{"id":"none","type":"complete"}`),
		"fragments that are empty": func(c *graphtest.Socket) error {
			_, err := c.Conn.NetConn().Write([]byte{0x01, 0x80, 0, 0, 0, 0}) // a first one
			for range 100_000 {
				if err == nil {
					_, err = c.Conn.NetConn().Write([]byte{0x00, 0x80, 0, 0, 0, 0})
				}
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
				c := w.Socket(t, w.Person("ada").Token)
				c.Conn.SetPingHandler(func(string) error { return nil }) // the flood keeps answers from being written
				c.Conn.SetCloseHandler(func(int, string) error { return nil })
				begun := time.Now()
				sent := make(chan int, 1)
				go func() {
					n := 0
					for flood(c) == nil {
						n++
					}
					sent <- n
				}()
				code, reason := c.WaitClosed()
				if code != 4429 || !strings.HasPrefix(reason, "too many messages") {
					t.Errorf("closed with %d %q, want 4429 and why", code, reason)
				}
				if took := time.Since(begun); took < 20*time.Second || took > time.Minute {
					t.Errorf("closed after %s, want it read more slowly for 20 s", took)
				}
				_ = c.Conn.NetConn().Close()
				t.Logf("%d sent", <-sent)
			}, func(c *api.Config) { c.Guard.RateLimit = 0.4 }) // 200 units a second
		})
	}
}

// In a crowded office one sends as much as there is for it, which is less than what a user
// may send elsewhere.
func TestNobodyIsClosedForWhatOthersSend(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ping := []byte(`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 3_000) + `"}}`)
		ada := w.Socket(t, w.Person("ada").Token)
		sockets := []*graphtest.Socket{ada}
		for i := range 8 { // the address has the budgets of four users
			sockets = append(sockets, w.Socket(t, w.Person(fmt.Sprint("crowd", i)).Token))
		}
		var crowd sync.WaitGroup
		for i, c := range sockets {
			c.Conn.SetPingHandler(func(string) error { return nil }) // the flood keeps answers from being written
			crowd.Go(func() {
				for c.Conn.WriteMessage(websocket.TextMessage, ping) == nil {
				}
			})
			crowd.Go(func() {
				_ = c.Conn.SetReadDeadline(time.Time{})
				for err := error(nil); err == nil && i > 0; {
					_, _, err = c.Conn.ReadMessage()
				}
			})
		}
		begun, answered := time.Now(), 0
		for time.Since(begun) < 2*time.Minute {
			ada.Expect("pong", "", "")
			answered++
		}
		if used := answered * 50 / 120; used < 40 || used > 200 {
			t.Errorf("she could send %d units a second, want about a ninth of 800", used)
		}
		for _, c := range sockets {
			_ = c.Conn.Close()
		}
		crowd.Wait()
	}, func(c *api.Config) { c.Guard.RateLimit = 0.4 }) // 200 units a second
}

// A large message that is no operation waits for its turn to be decoded; small ones do
// not.
func TestLargeMessagesAreDecodedInTheirTurn(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.Executing = 1 })
	ada := w.Person("ada")
	large, small := w.Socket(t, ada.Token), w.Socket(t, ada.Token)
	turns := func() gate.Stats { return w.Gate("operations") }
	w.Log.Mu.Lock() // the mutation keeps its turn
	var posting sync.WaitGroup
	posting.Go(func() { w.Ask(ada.Token, graphtest.PostOnce, nil) })
	w.Eventually("mutation in its turn", func() bool { return turns().Inside == 1 })
	message := `{"type":"ping","payload":{"x":"` + strings.Repeat("x", 50_000) + `"}}`
	if err := large.Conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		t.Fatal(err)
	}
	w.Eventually("large message that waits", func() bool { return turns().Waiting == 1 })
	small.Send(graphtest.Message{Type: "ping"})
	small.Expect("pong", "", "")
	w.Log.Mu.Unlock()
	posting.Wait()
	large.Expect("pong", "", `{"x"`)
}

// TestOrdinaryMessagesAreNotSlowed sends what busy clients do.
func TestOrdinaryMessagesAreNotSlowed(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		ada := w.Person("ada")
		begun := time.Now()
		for range 30 {
			c := w.Socket(t, ada.Token)
			for range 20 {
				c.Send(graphtest.Message{Type: "ping"})
				c.Expect("pong", "", "")
				c.Subscribe("q", `{ viewer { username } }`)
				c.Next("q")
				c.Expect("complete", "q", "")
			}
			_ = c.Conn.Close()
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("they took %s, want no wait", took)
		}
	}, func(c *api.Config) { c.Guard.RateLimit = 20; c.Transport.SocketsPerUser = 100 })
}

func TestRateLimitsOfASocketAreErrors(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 0.4 })                             // a burst of 2 mutations, and a cost of 1,000
	const dear = `{ viewer { chirps(first: 100) { edges { cursor node { id content postedAt } } } } }` // about 700
	for subprotocol, open := range map[string]func(string) *graphtest.Socket{
		"graphql-transport-ws": func(token string) *graphtest.Socket { return w.Socket(t, token) },
		"graphql-ws":           func(token string) *graphtest.Socket { return w.LegacySocket(t, token) },
	} {
		for operation, name := range map[string]string{graphtest.PostOnce: "a mutation", dear: "a query"} {
			c := open(w.Person(strings.ReplaceAll(subprotocol, "-", "")[:9] + name[2:4]).Token)
			start := c.Subscribe
			if subprotocol == "graphql-ws" {
				start = c.Start
			}
			limited := false
			for range 10 {
				start("o", operation)
				m := c.Read()
				if m.Type == "complete" {
					m = c.Read()
				}
				if strings.Contains(string(m.Payload), "RATE_LIMITED") {
					if m.Type != "error" || strings.Contains(string(m.Payload), `"path"`) {
						t.Errorf("%s, %s: got %s %s, want error without a path", subprotocol, name, m.Type, m.Payload)
					}
					limited = true
					break
				}
			}
			if !limited {
				t.Errorf("%s, %s: ten were answered, want RATE_LIMITED", subprotocol, name)
			}
		}
	}
}
