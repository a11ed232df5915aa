package apitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Socket is a WebSocket connection that speaks graphql-transport-ws.
type Socket struct{ WS *websocket.Conn }

// Frame is a message of the protocol.
type Frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Connect opens a socket and waits until the server acknowledges it.
func (a API) Connect(ctx context.Context) (*Socket, error) {
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: Patience}
	header := http.Header{}
	if a.From != "" {
		header.Set("X-Forwarded-For", a.From)
	}
	ws, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(a.URL, "http")+"/graphql", header)
	if errors.Is(err, websocket.ErrBadHandshake) {
		return nil, fmt.Errorf("%w: %s", err, resp.Status)
	}
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	s := &Socket{ws}
	if err := s.Write("", "connection_init", Vars{"authorization": "Bearer " + a.Token}); err != nil {
		return nil, errors.Join(err, ws.Close())
	}
	if f, err := s.Read(); err != nil || f.Type != "connection_ack" {
		return nil, errors.Join(fmt.Errorf("got %q, want connection_ack: %w", f.Type, err), ws.Close())
	}
	return s, nil
}

// Close closes the connection without a close frame.
func (s *Socket) Close() { s.WS.Close() }

// Write sends a message.
func (s *Socket) Write(id, kind string, payload any) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	return s.WS.WriteJSON(Frame{id, kind, text})
}

// Read returns the next message.
func (s *Socket) Read() (Frame, error) {
	if err := s.WS.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		return Frame{}, err
	}
	var f Frame
	err := s.WS.ReadJSON(&f)
	return f, err
}

// Subscribe starts an operation.
func (s *Socket) Subscribe(id, document string, variables Vars) error {
	return s.Write(id, "subscribe", Vars{"query": document, "variables": variables})
}

// Next decodes the data of an operation's next result. It discards messages of
// other operations.
func (s *Socket) Next(id string, into any) error {
	for {
		f, err := s.Read()
		switch {
		case err != nil:
			return err
		case f.ID != id:
		case f.Type == "next":
			return ReadAnswer(f.Payload, into)
		case f.Type == "error":
			var errs []AnswerError
			if err := json.Unmarshal(f.Payload, &errs); err != nil || len(errs) == 0 {
				return fmt.Errorf("read the error %s: %w", f.Payload, err)
			}
			return errs[0].refused()
		default:
			return fmt.Errorf("got a message %q, want next", f.Type)
		}
	}
}

// NextEdge returns the next chirp of a feed subscription.
func (s *Socket) NextEdge(id string) (Edge, error) {
	var got struct{ FeedChirpAdded Edge }
	err := s.Next(id, &got)
	return got.FeedChirpAdded, err
}

// Take returns the next chirps of the subscription "feed".
func Take(t testing.TB, s *Socket, n int) []Edge { t.Helper(); return TakeAs(t, s, "feed", n) }

// TakeAs is Take for a subscription of another id.
func TakeAs(t testing.TB, s *Socket, id string, n int) []Edge {
	t.Helper()
	edges := make([]Edge, n)
	for i := range edges {
		edges[i] = Must(s.NextEdge(id))(t)
	}
	return edges
}

// ClosedWith waits until the server closes the socket, and returns the close
// code and the reason.
func ClosedWith(s *Socket) (int, string) {
	for {
		_, err := s.Read()
		var end *websocket.CloseError
		if errors.As(err, &end) {
			return end.Code, end.Text
		}
		if err != nil {
			return 0, err.Error()
		}
	}
}
