package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"chirp/internal/auth"
)

// linger is how long a closing socket waits for its peer to have read the
// close frame. Without it the network may throw the frame away.
const linger = time.Second

// socket is a WebSocket connection as gqlgen's transport wants it. What is
// written goes into a queue that one goroutine empties, so a slow client holds
// nobody up; a client for which more waits than the queue may hold is cut off.
type socket struct {
	ws     *websocket.Conn
	rules  *protocol
	limits Limits
	// authorization is that of the upgrade request.
	authorization string
	// release gives back what the socket holds of a quota. Only the goroutine
	// that reads uses it.
	release func()

	mu      sync.Mutex
	verify  func() *closing // why the caller's token is good no more, nil while it is
	expires *time.Timer     // ends the socket with its token, if it has one
	queue   [][]byte
	waiting int           // bytes in queue
	end     *closing      // set once
	wake    chan struct{} // holds a sign after each change, for the writer
	drained chan struct{} // made by who waits for room, closed when there may be some
	written chan struct{} // closed when the writer has ended
	once    sync.Once
}

var _ transport.WebsocketConn = (*socket)(nil)

func newSocket(ws *websocket.Conn, limits Limits, authorization string) *socket {
	s := &socket{
		ws: ws, rules: newProtocol(limits.SocketOperations, ws.Subprotocol() == legacySubprotocol), limits: limits, authorization: authorization,
		verify: func() *closing { return nil },
		wake:   make(chan struct{}, 1), written: make(chan struct{}),
	}
	_ = ws.SetReadDeadline(time.Now().Add(limits.SocketInit))
	ws.SetPongHandler(func(string) error { s.alive(); return nil })
	go s.write()
	return s
}

// alive gives the peer two more ping intervals to be heard of. Until the
// connection is acknowledged the deadline is that of connection_init.
func (s *socket) alive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil && s.rules.ready() {
		_ = s.ws.SetReadDeadline(time.Now().Add(2 * s.limits.Ping))
	}
}

// NextReader implements transport.WebsocketConn: it gives the next message
// that gqlgen should see.
func (s *socket) NextReader() (int, io.Reader, error) {
	if held := s.rules.takeHeld(); held != nil {
		return websocket.TextMessage, bytes.NewReader(held), nil
	}
	for {
		kind, message, err := s.readMessage()
		if err != nil {
			return 0, nil, s.unreadable(err)
		}
		s.alive()
		if s.ending() {
			continue // the peer has until the deadline to hear of it
		}
		if kind != websocket.TextMessage {
			return 0, nil, s.refuse(badRequest("messages are JSON text, not binary"))
		}
		forward, reply, bad := s.rules.receive(message)
		if bad != nil {
			return 0, nil, s.refuse(bad)
		}
		if reply != nil {
			s.enqueue(reply)
		}
		if forward != nil {
			return kind, bytes.NewReader(forward), nil
		}
	}
}

var errTooLarge = errors.New("the message is too large")

// readMessage reads one message within the limit. The limit of the WebSocket
// library is not used because it gives the client no reason.
func (s *socket) readMessage() (kind int, message []byte, err error) {
	kind, r, err := s.ws.NextReader()
	if err != nil {
		return 0, nil, err
	}
	message, err = io.ReadAll(io.LimitReader(r, s.limits.Body+1))
	if err == nil && int64(len(message)) > s.limits.Body {
		err = errTooLarge
	}
	return kind, message, err
}

// unreadable ends a connection that gives no more messages.
func (s *socket) unreadable(err error) error {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout() && !s.rules.ready():
		s.begin(closing{closeInitTimeout, "Connection initialisation timeout"})
	case errors.Is(err, errTooLarge):
		s.begin(closing{websocket.CloseMessageTooBig, fmt.Sprintf("a message may have %d bytes", s.limits.Body)})
	default:
		s.forget() // nobody is there to read it
		s.begin(closing{closeNormal, ""})
	}
	return transport.ErrWebsocketClosed
}

func (s *socket) ending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end != nil
}

func (s *socket) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue, s.waiting = nil, 0
}

func (s *socket) refuse(why *closing) error {
	s.begin(*why)
	return transport.ErrWebsocketClosed
}

// WriteJSON implements transport.WebsocketConn. It never waits.
func (s *socket) WriteJSON(v any) error {
	message, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	before := s.rules.ready()
	if message, err = s.rules.send(message); err != nil || message == nil {
		return err
	}
	s.enqueue(message)
	if !before && s.rules.ready() {
		s.alive()
		s.keepAlive()
	}
	return nil
}

// enqueue adds a message for the writer, or cuts off a client for which too
// much is waiting. A single message may be larger than the queue.
func (s *socket) enqueue(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		return
	}
	if s.waiting > 0 && s.waiting+len(message) > s.limits.SocketQueue {
		s.queue, s.waiting = nil, 0
		s.beginLocked(closing{closeTryLater, "slow consumer: too much is waiting to be read; reconnect and resume after the last cursor"})
		return
	}
	s.queue = append(s.queue, message)
	s.waiting += len(message)
	s.signal()
}

func (s *socket) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// room waits until the queue is at most half full, or done is closed. Streams
// wait for it before they produce more, so that a client is cut off only if it
// does not read, and not for asking for a lot.
func (s *socket) room(done <-chan struct{}) {
	if s == nil {
		return // no socket: writing waits by itself
	}
	for {
		s.mu.Lock()
		free := s.end != nil || s.waiting <= s.limits.SocketQueue/2
		if !free && s.drained == nil {
			s.drained = make(chan struct{})
		}
		change := s.drained
		s.mu.Unlock()
		if free {
			return
		}
		select {
		case <-change:
		case <-done:
			return
		}
	}
}

// take gives the next message, and why to close once there is none.
func (s *socket) take() (message []byte, end *closing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil, s.end
	}
	message, s.queue[0] = s.queue[0], nil
	s.queue = s.queue[1:]
	return message, nil
}

// wrote takes a message off the account when the network has it.
func (s *socket) wrote(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = max(0, s.waiting-n)
	s.tellDrained()
}

func (s *socket) tellDrained() {
	if s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

// begin starts to close the connection: what is queued is written first.
func (s *socket) begin(why closing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beginLocked(why)
}

func (s *socket) beginLocked(why closing) {
	if s.end == nil {
		s.end = &why
		s.tellDrained()
		s.signal()
	}
}

// write is the goroutine that writes messages and pings, looks at the token
// from time to time, and in the end says good-bye.
func (s *socket) write() {
	defer close(s.written)
	ticker := time.NewTicker(s.limits.Ping)
	defer ticker.Stop()
	for {
		message, end := s.take()
		switch {
		case message != nil:
			_ = s.ws.SetWriteDeadline(time.Now().Add(s.limits.Write))
			if err := s.ws.WriteMessage(websocket.TextMessage, message); err != nil {
				s.abandon()
				return
			}
			s.wrote(len(message))
		case end != nil:
			s.farewell(*end)
			return
		default:
			select {
			case <-s.wake:
			case <-ticker.C:
				s.tick()
			}
		}
	}
}

// keepAlive tells a client of the older subprotocol that the connection lives.
// Others hear it by the pings of the network protocol.
func (s *socket) keepAlive() {
	if s.rules.legacy {
		s.enqueue(encode(frame{Type: "ka"}))
	}
}

// watchToken ends the socket when the caller's token expires, and before if
// verify finds it good no more.
func (s *socket) watchToken(ctx context.Context, verify func() *closing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verify = verify
	if at, ok := auth.Expires(ctx); ok {
		s.expires = time.AfterFunc(time.Until(at), func() { s.begin(closing{closeForbidden, clip(errExpired().Error())}) })
	}
}

func (s *socket) unwatchToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expires != nil {
		s.expires.Stop()
	}
}

func (s *socket) tick() {
	s.mu.Lock()
	verify := s.verify
	s.mu.Unlock()
	if why := verify(); why != nil {
		s.begin(*why)
		return
	}
	s.keepAlive()
	_ = s.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.limits.Write))
}

// abandon gives up a connection that takes nothing any more.
func (s *socket) abandon() {
	s.begin(closing{closeTryLater, "slow consumer"})
	_ = s.ws.NetConn().Close()
}

// farewell writes the close frame and the end of the stream, and leaves the
// peer a moment to answer.
func (s *socket) farewell(why closing) {
	deadline := time.Now().Add(s.limits.Write)
	if last := s.rules.lastWords(why); last != nil {
		_ = s.ws.SetWriteDeadline(deadline)
		_ = s.ws.WriteMessage(websocket.TextMessage, last)
	}
	_ = s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(why.code, why.reason), deadline)
	if half, ok := s.ws.NetConn().(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = s.ws.NetConn().SetReadDeadline(time.Now().Add(linger))
}

// WriteClose implements transport.WebsocketConn. A reason that was found
// before stands.
func (s *socket) WriteClose(code int, reason string) error {
	s.begin(closing{code, clip(reason)})
	return nil
}

// Close implements transport.WebsocketConn: it lets the writer finish, and the
// peer read what was written. Nobody reads when it is called.
func (s *socket) Close() error {
	s.once.Do(func() {
		s.unwatchToken()
		s.begin(closing{closeNormal, ""})
		<-s.written
		_ = s.ws.NetConn().SetReadDeadline(time.Now().Add(linger))
		_, _ = io.Copy(io.Discard, s.ws.NetConn())
		_ = s.ws.Close()
	})
	return nil
}

// Subprotocol implements transport.WebsocketConn: it is what rules makes of any.
func (*socket) Subprotocol() string { return subprotocol }
