package ws

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chirp/graph/transport"
)

// linger is how long a closing socket waits for its peer to read the close
// frame. Without it the network may throw the frame away.
const linger = time.Second

// outbox writes the messages of a WebSocket from a goroutine of its own, so
// that a slow client delays nobody else. The messages that wait are bounded in
// bytes; a client for which more would wait is disconnected.
type outbox struct {
	ws     *websocket.Conn
	limits transport.Limits
	tick   func()               // called at each ping interval
	last   func(closing) []byte // returns the message before the close frame, or nil

	mu      sync.Mutex
	queue   [][]byte
	waiting int           // bytes in queue, and of the message being written
	reason  *closing      // why the socket closes; set once
	wake    chan struct{} // signals a change to the writer
	drained chan struct{} // made by whoever waits for room, closed when there may be some
	written chan struct{} // closed when the writer has ended
}

func newOutbox(ws *websocket.Conn, limits transport.Limits) *outbox {
	return &outbox{ws: ws, limits: limits, wake: make(chan struct{}, 1), written: make(chan struct{})}
}

// send queues a message. A single message may be larger than the queue.
func (o *outbox) send(message []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.reason != nil:
	case o.waiting > 0 && o.waiting+len(message) > o.limits.SocketQueue:
		o.queue, o.waiting = nil, 0
		o.closeLocked(closing{closeTryLater, "slow consumer: too much is waiting to be read; reconnect and resume after the last cursor"})
	default:
		o.queue = append(o.queue, message)
		o.waiting += len(message)
		o.signal()
	}
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// room waits until the queue is at most half full, the socket closes, or done
// is closed.
func (o *outbox) room(done <-chan struct{}) {
	for {
		o.mu.Lock()
		if o.reason != nil || o.waiting <= o.limits.SocketQueue/2 {
			o.mu.Unlock()
			return
		}
		if o.drained == nil {
			o.drained = make(chan struct{})
		}
		drained := o.drained
		o.mu.Unlock()
		select {
		case <-drained:
		case <-done:
			return
		}
	}
}

// close closes the socket once the queue is written. The first reason stands.
func (o *outbox) close(why closing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeLocked(why)
}

func (o *outbox) closeLocked(why closing) {
	if o.reason == nil {
		o.reason = &why
		o.wakeWaiters()
		o.signal()
	}
}

// discard drops what is queued.
func (o *outbox) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue, o.waiting = nil, 0
}

func (o *outbox) isClosing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reason != nil
}

// extend moves the read deadline, unless the socket is closing.
func (o *outbox) extend(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason == nil {
		_ = o.ws.SetReadDeadline(time.Now().Add(d))
	}
}

// run writes messages and pings until the socket is closed.
func (o *outbox) run() {
	defer close(o.written)
	ticker := time.NewTicker(o.limits.Ping)
	defer ticker.Stop()
	for {
		message, end := o.take()
		switch {
		case message != nil:
			_ = o.ws.SetWriteDeadline(time.Now().Add(o.limits.Write))
			if err := o.ws.WriteMessage(websocket.TextMessage, message); err != nil {
				o.close(closing{closeTryLater, "slow consumer"})
				_ = o.ws.NetConn().Close()
				return
			}
			o.wrote(len(message))
		case end != nil:
			o.farewell(*end)
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

// take returns the next message, or why to close if there is none.
func (o *outbox) take() (message []byte, end *closing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return nil, o.reason
	}
	message, o.queue[0] = o.queue[0], nil
	o.queue = o.queue[1:]
	return message, nil
}

func (o *outbox) wrote(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = max(0, o.waiting-n)
	o.wakeWaiters()
}

func (o *outbox) wakeWaiters() {
	if o.drained != nil {
		close(o.drained)
		o.drained = nil
	}
}

// farewell writes the close frame and the end of the stream, and leaves the
// peer a moment to answer.
func (o *outbox) farewell(why closing) {
	deadline := time.Now().Add(o.limits.Write)
	if last := o.last(why); last != nil {
		_ = o.ws.SetWriteDeadline(deadline)
		_ = o.ws.WriteMessage(websocket.TextMessage, last)
	}
	_ = o.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(why.code, why.reason), deadline)
	if half, ok := o.ws.NetConn().(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = o.ws.NetConn().SetReadDeadline(time.Now().Add(linger))
}
