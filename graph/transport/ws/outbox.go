package ws

import (
	"context"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/transport"
)

// linger is how long a socket waits, after the close frame, for its peer to close the
// connection. If it did not wait, the network might drop the frame.
const linger = time.Second

// outbox writes the messages of a WebSocket in a goroutine of its own, so that a slow
// client delays nothing else. The queue is limited in bytes: who sends waits for room.
// A client that does not read is disconnected.
type outbox struct {
	ws          *websocket.Conn
	limits      transport.Limits
	tick        func()                   // called at each ping interval
	lastMessage func(closeReason) []byte // returns the message before the close frame, or nil
	hold        func(ctx context.Context, n int) transport.Held
	wake        chan struct{} // signals a change to the writer
	done        chan struct{} // closed when the writer has returned

	closing      context.Context //nolint:containedctx // ends when the socket is closing
	beginClosing context.CancelFunc

	mu     sync.Mutex // guards what follows
	queue  []message
	room   room         // for queue and the message being written
	reason *closeReason // why the socket closes; set once
	peer   peer
}

func newOutbox(ws *websocket.Conn, limits transport.Limits) *outbox {
	o := &outbox{ws: ws, limits: limits, wake: make(chan struct{}, 1), done: make(chan struct{}), room: room{most: limits.SocketQueue}}
	o.closing, o.beginClosing = context.WithCancel(context.Background())
	return o
}

// message is one that is to be written.
type message struct {
	text   []byte
	unread transport.Held // until it is written
}

// send queues a message when there is room for it, unless the socket is closing or ctx
// ends before.
func (o *outbox) send(ctx context.Context, text []byte) {
	if o.reserve(ctx, len(text)) {
		o.put(message{text, o.hold(ctx, len(text))})
	}
}

// put queues a message for which there is room.
func (o *outbox) put(m message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason != nil {
		m.unread.Release()
		o.room.free(len(m.text))
		return
	}
	o.queue = append(o.queue, m)
	o.signal()
}

// sendNow queues a short message whether or not there is room.
func (o *outbox) sendNow(text []byte) {
	o.mu.Lock()
	o.room.reserved += len(text)
	o.mu.Unlock()
	o.put(message{text: text})
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close closes the socket after the queue is written. Only the first reason counts.
func (o *outbox) close(why closeReason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeLocked(why)
}

func (o *outbox) closeLocked(why closeReason) {
	if o.reason == nil {
		o.reason = &why
		o.beginClosing()
		o.signal()
	}
}

// discard empties the queue.
func (o *outbox) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.queue {
		m.unread.Release()
	}
	o.queue = nil
}

func (o *outbox) isClosing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reason != nil
}

// run writes messages and pings until the socket is closed. It pings also between
// messages, because a client that reads slowly may keep the queue from being empty.
func (o *outbox) run() {
	defer close(o.done)
	defer o.discard()
	ticker := time.NewTicker(o.limits.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			o.ping()
		default:
		}
		m, end := o.next()
		switch {
		case m.text != nil:
			if !o.write(m) {
				return
			}
		case end != nil:
			o.writeClose(*end)
			return
		default:
			select {
			case <-o.wake:
			case <-ticker.C:
				o.ping()
			}
		}
	}
}

// write writes a message. It returns false if the client does not read.
func (o *outbox) write(m message) bool {
	defer m.unread.Release()
	o.writes(len(m.text))
	_ = o.ws.SetWriteDeadline(time.Now().Add(o.writeTimeout(len(m.text))))
	if err := o.ws.WriteMessage(websocket.TextMessage, m.text); err != nil {
		o.close(closeReason{closeTryLater, "slow consumer"})
		_ = o.ws.NetConn().Close()
		return false
	}
	o.unreserve(len(m.text))
	return true
}

// ping asks the client for a sign of life.
func (o *outbox) ping() {
	o.tick()
	payload, unread := o.mark()
	timeout := o.writeTimeout(min(unread, o.limits.SocketQueue)) // there may be no room for it before
	_ = o.ws.WriteControl(websocket.PingMessage, payload, time.Now().Add(timeout))
}

// next returns the next message, or if there is none why to close the socket, if it
// is to be closed.
func (o *outbox) next() (m message, end *closeReason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return message{}, o.reason
	}
	m, o.queue[0] = o.queue[0], message{}
	o.queue = o.queue[1:]
	return m, nil
}

// slowest is how many bytes a second a client must read at least.
const slowest = 32 << 10

// writeTimeout is how long a client may take to read a message of n bytes.
func (o *outbox) writeTimeout(n int) time.Duration {
	return o.limits.Write + time.Duration(n)*time.Second/slowest
}

// writeClose writes the close frame and the end of the stream, and sets the deadline
// for the peer to answer.
func (o *outbox) writeClose(why closeReason) {
	deadline := time.Now().Add(o.limits.Write)
	if last := o.lastMessage(why); last != nil {
		_ = o.ws.SetWriteDeadline(deadline)
		_ = o.ws.WriteMessage(websocket.TextMessage, last)
	}
	_ = o.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(why.code, why.reason), deadline)
	if half, ok := o.ws.NetConn().(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = o.ws.NetConn().SetReadDeadline(time.Now().Add(linger))
}
