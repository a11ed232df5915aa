package ws

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/transport"
)

// panickingConn panics when it is closed for the first time.
type panickingConn struct {
	net.Conn
	closings int
}

func (c *panickingConn) Close() error {
	if c.closings++; c.closings == 1 {
		panic("closing")
	}
	return c.Conn.Close()
}

// serverSocket returns a socket that is not served yet, whose client has left, its
// connection, and the errors that it presents.
func serverSocket(t *testing.T) (s *socket, conn *meteredConn, presented *[]string) {
	t.Helper()
	presented = new([]string)
	service := transport.NewService(transport.Config{Present: func(_ context.Context, err error) *gqlerror.Error {
		*presented = append(*presented, err.Error())
		return gqlerror.Errorf("internal error")
	}})
	upgraded := make(chan *meteringWriter, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		metering := &meteringWriter{ResponseWriter: w}
		ws, err := new(websocket.Upgrader).Upgrade(metering, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		s = &socket{outbox: newOutbox(ws, service.Limits), service: service, ctx: context.Background(), release: func() {}}
		s.tick, s.lastMessage, s.hold = func() {}, func(closeReason) []byte { return nil }, service.Hold
		upgraded <- metering
	}))
	t.Cleanup(server.Close)
	client, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	client.Close()
	metering := <-upgraded
	return s, metering.conn, presented
}

// TestAPanicAtTheEndOfASocketEndsOnlyTheSocket has the work after the last message panic,
// which no handler recovers any more.
func TestAPanicAtTheEndOfASocketEndsOnlyTheSocket(t *testing.T) {
	for _, name := range []string{"closing", "releasing", "removing"} {
		t.Run(name, func(t *testing.T) {
			s, conn, presented := serverSocket(t)
			released, removed := false, false
			s.release = func() {
				if released = true; name == "releasing" {
					panic(name)
				}
			}
			if name == "closing" {
				conn.Conn = &panickingConn{Conn: conn.Conn}
			}
			s.run(func() {
				if removed = true; name == "removing" {
					panic(name)
				}
			})
			if !released || !removed {
				t.Errorf("released: %t, removed: %t, want both", released, removed)
			}
			if len(*presented) != 1 || (*presented)[0] != "panic: "+name {
				t.Errorf("presented %q, want the panic once, for the log", *presented)
			}
			if err := conn.SetDeadline(time.Now()); err == nil {
				t.Error("the connection is open, want it closed")
			}
		})
	}
}
