package graphtest

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Socket is a client's end of a socket.
type Socket struct {
	t    *testing.T
	Conn *websocket.Conn
}

// Message is a message of graphql-transport-ws or graphql-ws.
type Message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Dialer dials sockets of graphql-transport-ws.
var Dialer = websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: Hang}

// Dial opens a socket and does not initialize it.
func (w *World) Dial(t *testing.T, header http.Header) *Socket {
	t.Helper()
	return w.DialAs(t, Dialer.Subprotocols[0], header)
}

// DialAs is Dial for a subprotocol.
func (w *World) DialAs(t *testing.T, subprotocol string, header http.Header) *Socket {
	t.Helper()
	d := Dialer
	d.Subprotocols, d.NetDialContext = []string{subprotocol}, w.dial
	return DialServer(t, w.Server, d, header)
}

// DialServer is Dial for a server other than the world's, or another dialer.
func DialServer(t *testing.T, server *httptest.Server, d websocket.Dialer, header http.Header) *Socket {
	t.Helper()
	ws, response, err := d.Dial("ws"+strings.TrimPrefix(server.URL, "http"), header)
	if err != nil {
		t.Fatalf("dial: %v, %v", err, response)
	}
	t.Cleanup(func() { _, _ = ws.Close(), response.Body.Close() })
	return &Socket{t: t, Conn: ws}
}

// Socket opens and initializes a socket, anonymously if the token is empty.
func (w *World) Socket(t *testing.T, token string) *Socket {
	t.Helper()
	c := w.Dial(t, nil)
	c.Initiate(token)
	return c
}

// Initiate sends connection_init and waits for the acknowledgement.
func (c *Socket) Initiate(token string) {
	c.t.Helper()
	payload := map[string]any{}
	if token != "" {
		payload["authorization"] = "Bearer " + token
	}
	c.Send(Message{Type: "connection_init", Payload: json.RawMessage(Marshal(payload))})
	if m := c.Read(); m.Type != "connection_ack" {
		c.t.Fatalf("got %+v, want connection_ack", m)
	}
}

// Send sends a message.
func (c *Socket) Send(m Message) {
	c.t.Helper()
	if err := c.Conn.WriteJSON(m); err != nil {
		c.t.Fatal(err)
	}
}

// Subscribe starts an operation.
func (c *Socket) Subscribe(id, operation string) {
	c.t.Helper()
	c.Send(Message{ID: id, Type: "subscribe", Payload: json.RawMessage(Marshal(map[string]any{"query": operation}))})
}

// Read returns the next message.
func (c *Socket) Read() Message {
	c.t.Helper()
	_ = c.Conn.SetReadDeadline(time.Now().Add(Hang))
	var m Message
	if err := c.Conn.ReadJSON(&m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// Next returns the payload of the next message, which must be a response of the
// operation.
func (c *Socket) Next(id string) Answer {
	c.t.Helper()
	m := c.Read()
	if m.Type != "next" || m.ID != id {
		c.t.Fatalf("got %s %q %s, want next %q", m.Type, m.ID, m.Payload, id)
	}
	CheckPaths(c.t, string(m.Payload))
	a := Answer{Body: string(m.Payload)}
	if err := json.Unmarshal(m.Payload, &a); err != nil {
		c.t.Fatal(err)
	}
	return a
}

// WaitClosed reads until the socket is closed, and returns the code and the reason.
func (c *Socket) WaitClosed() (code int, reason string) {
	c.t.Helper()
	_ = c.Conn.SetReadDeadline(time.Now().Add(Hang))
	for {
		_, _, err := c.Conn.ReadMessage()
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

// FeedAdded is a subscription.
const FeedAdded = `subscription { feedChirpAdded { cursor node { content author { username viewerFollows chirpCount } } } }`

// DialLegacy opens a socket of graphql-ws and does not initialize it.
func (w *World) DialLegacy(t *testing.T) *Socket {
	t.Helper()
	return w.DialAs(t, "graphql-ws", nil)
}

// LegacySocket opens and initializes a socket of graphql-ws, and reads the first
// keep-alive.
func (w *World) LegacySocket(t *testing.T, token string) *Socket {
	t.Helper()
	c := w.DialLegacy(t)
	c.Initiate(token)
	if m := c.Read(); m.Type != "ka" || m.ID != "" || m.Payload != nil {
		t.Fatalf("got %+v after connection_ack, want ka", m)
	}
	return c
}

// Start starts an operation in graphql-ws.
func (c *Socket) Start(id, operation string) {
	c.t.Helper()
	c.Send(Message{ID: id, Type: "start", Payload: json.RawMessage(Marshal(map[string]any{"query": operation, "variables": nil}))})
}

// Expect reads a message, which must be as given. Its payload may be longer.
func (c *Socket) Expect(kind, id, payload string) {
	c.t.Helper()
	if m := c.Read(); m.Type != kind || m.ID != id || !strings.HasPrefix(string(m.Payload), payload) {
		c.t.Fatalf("got %s %q %s, want %s %q %s", m.Type, m.ID, m.Payload, kind, id, payload)
	}
}

// narrow is a listener whose connections have small buffers, so that a client that
// does not read is noticed soon.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(4096)
	}
	return c, err
}

// NarrowDialer dials sockets with small buffers.
var NarrowDialer = websocket.Dialer{
	Subprotocols: Dialer.Subprotocols,
	NetDial: func(network, address string) (net.Conn, error) {
		c, err := net.Dial(network, address)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4096)
		}
		return c, err
	},
}

// NarrowServer serves the world's handler over connections with small buffers.
func (w *World) NarrowServer(t *testing.T) *httptest.Server {
	server := httptest.NewUnstartedServer(w.Handler)
	server.Listener = narrow{server.Listener}
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

// WaitEnded is WaitClosed for a server that may cut the connection without a close
// frame. Then the code is -1.
func (c *Socket) WaitEnded() (code int, reason string) {
	_ = c.Conn.SetReadDeadline(time.Now().Add(Hang))
	for {
		_, _, err := c.Conn.ReadMessage()
		if e, ok := err.(*websocket.CloseError); ok {
			return e.Code, e.Text
		}
		if err != nil {
			return -1, err.Error()
		}
	}
}
