package ws

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/transport"
)

// linger is how long a socket waits, after the close frame, for its peer to close the
// connection. If it did not wait, the network might drop the frame.
const linger = time.Second

// outbox writes the messages of a WebSocket in a goroutine of its own, so that a slow
// client delays nothing else. The queue is limited in bytes. A client for which the
// queue would get longer is disconnected.
type outbox struct {
	ws          *websocket.Conn
	limits      transport.Limits
	tick        func()                   // called at each ping interval
	lastMessage func(closeReason) []byte // returns the message before the close frame, or nil

	mu        sync.Mutex
	queue     [][]byte
	queued    int           // bytes in queue and of the message being written
	reason    *closeReason  // why the socket closes; set once
	wake      chan struct{} // signals a change to the writer
	roomFreed chan struct{} // made by waitForRoom, closed when there may be room
	done      chan struct{} // closed when the writer has returned
}

func newOutbox(ws *websocket.Conn, limits transport.Limits) *outbox {
	return &outbox{ws: ws, limits: limits, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// send queues a message. A single message may be larger than the queue.
func (o *outbox) send(message []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.reason != nil:
	case o.queued > 0 && o.queued+len(message) > o.limits.SocketQueue:
		o.queue, o.queued = nil, 0
		o.closeLocked(closeReason{closeTryLater, "slow consumer: too many messages are unread; reconnect and resume after the last cursor"})
	default:
		o.queue = append(o.queue, message)
		o.queued += len(message)
		o.signal()
	}
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// waitForRoom waits until the queue is at most half full, the socket is closing, or
// done is closed.
func (o *outbox) waitForRoom(done <-chan struct{}) {
	for {
		o.mu.Lock()
		if o.reason != nil || o.queued <= o.limits.SocketQueue/2 {
			o.mu.Unlock()
			return
		}
		if o.roomFreed == nil {
			o.roomFreed = make(chan struct{})
		}
		freed := o.roomFreed
		o.mu.Unlock()
		select {
		case <-freed:
		case <-done:
			return
		}
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
		o.wakeWaiters()
		o.signal()
	}
}

// discard empties the queue.
func (o *outbox) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue, o.queued = nil, 0
}

func (o *outbox) isClosing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reason != nil
}

// extendReadDeadline extends the read deadline unless the socket is closing.
func (o *outbox) extendReadDeadline(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason == nil {
		_ = o.ws.SetReadDeadline(time.Now().Add(d))
	}
}

// run writes messages and pings until the socket is closed.
func (o *outbox) run() {
	defer close(o.done)
	ticker := time.NewTicker(o.limits.Ping)
	defer ticker.Stop()
	for {
		message, end := o.next()
		switch {
		case message != nil:
			_ = o.ws.SetWriteDeadline(time.Now().Add(o.limits.Write))
			if err := o.ws.WriteMessage(websocket.TextMessage, message); err != nil {
				o.close(closeReason{closeTryLater, "slow consumer"})
				_ = o.ws.NetConn().Close()
				return
			}
			o.written(len(message))
		case end != nil:
			o.writeClose(*end)
			return
		default:
			select {
			case <-o.wake:
			case <-ticker.C:
				o.tick()
				_ = o.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(o.limits.Write))
			}
		}
	}
}

// next returns the next message, or if there is none why to close the socket, if it
// is to be closed.
func (o *outbox) next() (message []byte, end *closeReason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return nil, o.reason
	}
	message, o.queue[0] = o.queue[0], nil
	o.queue = o.queue[1:]
	return message, nil
}

func (o *outbox) written(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queued = max(0, o.queued-n)
	o.wakeWaiters()
}

func (o *outbox) wakeWaiters() {
	if o.roomFreed != nil {
		close(o.roomFreed)
		o.roomFreed = nil
	}
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
