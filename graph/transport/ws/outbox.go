package ws

import (
	"context"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/transport"
)

// outbox writes the messages of a WebSocket in a goroutine of its own, so that a slow
// client delays nothing else. There is one only while there is something to write. The
// queue is limited in bytes: who sends waits for room. A client that does not read is
// disconnected.
type outbox struct {
	ws          *websocket.Conn
	limits      transport.Limits
	tick        func()                   // called at each ping interval
	lastMessage func(closeReason) []byte // returns the message before the close frame, or nil
	hold        func(ctx context.Context, n int) transport.Held
	done        chan struct{} // closed when nothing more is written

	closing      context.Context //nolint:containedctx // ends when the socket is closing
	beginClosing context.CancelFunc

	mu      sync.Mutex // guards what follows
	queue   []message
	room    room         // for queue and the message being written
	reason  *closeReason // why the socket closes; set once
	peer    peer
	writing bool        // the goroutine that writes is running, or nothing more is written
	pingDue bool        // it is to ping
	pings   *time.Timer // at each ping interval
}

func newOutbox(ws *websocket.Conn, limits transport.Limits) *outbox {
	o := &outbox{ws: ws, limits: limits, done: make(chan struct{}), room: room{most: limits.SocketQueue}}
	o.closing, o.beginClosing = context.WithCancel(context.Background())
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pings = time.AfterFunc(limits.Ping, o.duePing)
	return o
}

// message is one that is to be written: its parts one after another.
type message struct {
	before []byte
	text   []byte // which other messages may share
	after  string
	unread transport.Held // until it is written
}

func (m *message) size() int { return len(m.before) + len(m.text) + len(m.after) }

// send queues a message when there is room for it, unless the socket is closing or ctx
// ends before.
func (o *outbox) send(ctx context.Context, text []byte) {
	if o.reserve(ctx, len(text)) {
		o.put(message{text: text, unread: o.hold(ctx, len(text))})
	}
}

// put queues a message for which there is room.
func (o *outbox) put(m message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason != nil {
		m.unread.Release()
		o.room.free(m.size())
		return
	}
	o.queue = append(o.queue, m)
	o.startWriting()
}

// sendNow queues a short message whether or not there is room.
func (o *outbox) sendNow(text []byte) {
	o.mu.Lock()
	o.room.reserved += len(text)
	o.mu.Unlock()
	o.put(message{text: text})
}

// close closes the socket after the queue is written. Only the first reason counts.
func (o *outbox) close(why closeReason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason == nil {
		o.reason = &why
		o.beginClosing()
		o.startWriting()
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
