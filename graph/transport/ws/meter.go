package ws

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"time"
)

// meteredConn is a connection whose caller pays for what it sends: for each frame,
// whatever it is, and for the bytes. It reads no further until that is paid, so that
// a client that sends too much has to send more slowly.
//
// It writes large messages in parts, each within a time of its own, so that the memory
// of those that a client does not read at all is soon free.
type meteredConn struct {
	net.Conn
	pay    func(frames, bytes int) error // nil until the socket is served
	waitOn func() bool                   // extends a read deadline that has passed, if it may be
	frames frameCounter

	partTimeout time.Duration // 0 until the socket is served
	writeBy     time.Time     // for all parts
}

// Read implements net.Conn.
func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for n == 0 && c.waitOn != nil && errors.Is(err, os.ErrDeadlineExceeded) && c.waitOn() {
		n, err = c.Conn.Read(p)
	}
	if n > 0 && c.pay != nil {
		if refused := c.pay(c.frames.count(p[:n]), n); refused != nil {
			return 0, refused
		}
	}
	return n, err
}

// SetWriteDeadline implements net.Conn.
func (c *meteredConn) SetWriteDeadline(at time.Time) error {
	c.writeBy = at
	return c.Conn.SetWriteDeadline(at)
}

// maxPart is how many bytes are written at once.
const maxPart = 64 << 10

// Write implements net.Conn.
func (c *meteredConn) Write(p []byte) (n int, err error) {
	if c.partTimeout == 0 {
		return c.Conn.Write(p)
	}
	for part := range slices.Chunk(p, maxPart) {
		by := time.Now().Add(c.partTimeout + time.Duration(len(part))*time.Second/slowest)
		if !c.writeBy.IsZero() && c.writeBy.Before(by) {
			by = c.writeBy
		}
		_ = c.Conn.SetWriteDeadline(by)
		written, err := c.Conn.Write(part)
		n += written
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// CloseWrite ends the stream to the client, if the connection can.
func (c *meteredConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// meteringWriter is a response writer that hands out a metered connection.
type meteringWriter struct {
	http.ResponseWriter
	conn *meteredConn
}

// Hijack implements http.Hijacker.
func (w *meteringWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.conn = &meteredConn{Conn: conn}
	return w.conn, rw, nil
}

// frameCounter counts the frames of a WebSocket (RFC 6455, section 5.2). The library
// does not show all of them: it answers control frames, and joins fragments.
type frameCounter struct {
	head    [maxFrameHead]byte // of a frame, as far as it has come
	have    int
	payload uint64 // bytes that follow
}

const maxFrameHead = 14

// count returns how many frames have their last byte of a head in the next bytes.
func (f *frameCounter) count(p []byte) (frames int) {
	for len(p) > 0 {
		if skip := min(uint64(len(p)), f.payload); skip > 0 {
			f.payload -= skip
			p = p[skip:]
			continue
		}
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		if size, payload := f.parse(); f.have == size {
			f.have, f.payload = 0, payload
			frames++
		}
	}
	return frames
}

// parse returns the size of the head as far as it is known, and then that of the
// payload.
func (f *frameCounter) parse() (size int, payload uint64) {
	if f.have < 2 {
		return 2, 0
	}
	size, payload = 2, uint64(f.head[1]&0x7f)
	switch payload {
	case 126:
		size, payload = 4, uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		size, payload = 10, binary.BigEndian.Uint64(f.head[2:])
	}
	if masked := f.head[1]&0x80 != 0; masked {
		size += 4
	}
	return size, payload
}

// A socket is closed if, within overdueWithin, its client has waited longer than
// overdueWait because its caller's budget was used up, and has itself sent what that
// budget refills in overdueShare. What other sockets send does not close it.
const (
	overdueWithin = 30 * time.Second
	overdueWait   = 20 * time.Second
	overdueShare  = 2 * time.Second
)

// overdue is how long a client has waited to pay for what it sends, and how long its
// caller's budget takes to refill by what it has paid after such waits.
type overdue struct {
	since  time.Time
	waited time.Duration
	paid   time.Duration
}

// add reports whether the client goes on sending more than it may.
func (o *overdue) add(waited, paid time.Duration) bool {
	if now := time.Now(); now.Sub(o.since) > overdueWithin {
		*o = overdue{since: now.Add(-waited)}
	}
	o.waited += waited
	o.paid += paid
	return o.waited > overdueWait && o.paid > overdueShare
}

var errTooMuch = errors.New("the client sends more than it may")

// pay waits until the caller has paid for frames and bytes that it has sent. It
// closes the socket of a client that goes on sending too much.
func (s *socket) pay(frames, bytes int) error {
	if s.isClosing() {
		return nil
	}
	begun := time.Now()
	paid, own, err := s.service.Limiter.WaitFrames(s.untilClosing(), frames, bytes)
	if err != nil {
		return nil // the socket is closing
	}
	waited := time.Since(begun)
	if own && s.overdue.add(waited, paid) {
		s.close(closeReason{closeTooMany, "too many messages; send fewer, and reconnect later"})
		return errTooMuch
	}
	if waited > 0 {
		s.extendDeadline()
	}
	return nil
}

// untilClosing returns the caller's context as one that ends when the socket is closing.
// The goroutine that reads uses it, before whose end the caller's does not end.
func (s *socket) untilClosing() context.Context { return closingContext{s.closing, s.ctx} }

// closingContext ends with a socket, and has the values of its caller.
type closingContext struct {
	context.Context

	values context.Context //nolint:containedctx // a context is what it extends
}

// Value implements context.Context. The socket's own come first: by them contexts that
// are derived find what ends them.
func (c closingContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}
