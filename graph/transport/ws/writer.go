package ws

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// startWriting starts the goroutine that writes, unless it is running. Its caller has
// locked o.mu.
func (o *outbox) startWriting() {
	if !o.writing {
		o.writing = true
		go o.write()
	}
}

// duePing has a ping written, and comes back after the ping interval.
func (o *outbox) duePing() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason == nil {
		o.pings.Reset(o.limits.Ping)
		o.pingDue = true
		o.startWriting()
	}
}

// task is what the goroutine that writes does next.
type task struct {
	ping bool
	m    *message
	end  *closeReason // why to close the socket
}

// next returns the next task, or none if the goroutine is to end. A ping comes between
// messages, because a client that reads slowly may keep the queue from being empty.
func (o *outbox) next(m *message) task {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.pingDue && o.reason == nil:
		o.pingDue = false
		return task{ping: true}
	case len(o.queue) > 0:
		*m, o.queue[0] = o.queue[0], message{}
		o.queue = o.queue[1:]
		return task{m: m}
	case o.reason != nil:
		return task{end: o.reason}
	}
	o.queue, o.writing = nil, false
	return task{}
}

// write writes what there is to write.
func (o *outbox) write() {
	var m message
	for {
		switch t := o.next(&m); {
		case t.ping:
			o.ping()
		case t.m != nil:
			if !o.writeMessage(t.m) {
				o.stop()
				return
			}
		case t.end != nil:
			o.writeClose(*t.end)
			o.stop()
			return
		default:
			return
		}
	}
}

// stop ends all writing.
func (o *outbox) stop() {
	o.pings.Stop()
	o.discard()
	close(o.done)
}

// buffers has buffers in which the parts of messages are joined.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxBuffer is how large a buffer may be to be kept.
const maxBuffer = 64 << 10

// writeMessage writes a message. It returns false if the client does not read.
func (o *outbox) writeMessage(m *message) bool {
	defer m.unread.Release()
	size := m.size()
	o.writes(size)
	_ = o.ws.SetWriteDeadline(time.Now().Add(o.writeTimeout(size)))
	if err := o.writeText(m); err != nil {
		o.close(closeReason{closeTryLater, "slow consumer"})
		_ = o.ws.NetConn().Close()
		return false
	}
	o.unreserve(size)
	return true
}

// writeText writes the parts of a message as one frame.
func (o *outbox) writeText(m *message) error {
	if len(m.before) == 0 && m.after == "" {
		return o.ws.WriteMessage(websocket.TextMessage, m.text)
	}
	b := buffers.Get().(*[]byte)
	text := append(append(append((*b)[:0], m.before...), m.text...), m.after...)
	err := o.ws.WriteMessage(websocket.TextMessage, text)
	if cap(text) <= maxBuffer {
		*b = text
		buffers.Put(b)
	}
	return err
}

// ping asks the client for a sign of life.
func (o *outbox) ping() {
	o.tick()
	payload, unread := o.mark()
	timeout := o.writeTimeout(min(unread, o.limits.SocketQueue)) // there may be no room for it before
	_ = o.ws.WriteControl(websocket.PingMessage, payload, time.Now().Add(timeout))
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

// linger is how long a socket waits, after the close frame, for its peer to close the
// connection. If it did not wait, the network might drop the frame.
const linger = time.Second
