package httpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// net/http refuses some requests before there is a request for a handler: the
// headers are too large, are not HTTP, or do not arrive. It answers those with
// bare text, or closes the connection without a word. A Listener's connections
// replace such answers by ones as the API has them: in JSON, with the right
// status.

// Listener wraps the listener of a server that New returned. The connections that it
// accepts are those of a crowd, which may be nil.
type Listener struct {
	net.Listener
	Crowd *Crowd
}

// sendBuffer is how many bytes the system may keep for a client that has not read them,
// which it may double. By itself Linux allows megabytes, and then lets a writer go on
// only when a third of them is free, so that a client that reads slowly would look like
// one that does not read.
const sendBuffer = 256 << 10

// Accept implements net.Listener. It closes connections that the crowd has no room
// for.
func (l Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, err
		}
		_ = tcp.SetWriteBuffer(sendBuffer) // or it has the usual one
		admitted := &connection{TCPConn: tcp}
		if l.Crowd == nil {
			return admitted, nil
		}
		if admitted.place = l.Crowd.enter(c.RemoteAddr().String(), tcp.Close); admitted.place != nil {
			return admitted, nil
		}
		_ = tcp.Close() // the client sees that it is closed
	}
}

// connection embeds its TCPConn so that it has every method that net/http and
// sockets look for.
type connection struct {
	*net.TCPConn
	place     *place      // in the listener's crowd; nil without one
	waited    bool        // for its turn to be served; used by the first Read
	handled   atomic.Bool // a handler has had the request; until the connection is idle again
	begun     atomic.Bool // bytes of the next request have arrived
	firstLine atomic.Bool // its first line has arrived
	header    int         // bytes of its headers that have arrived; net/http reads one at a time, and not while idle is reported
	refused   atomic.Bool // the last response has been written
	hijacked  atomic.Bool // a handler has taken it over, and closes it

	ofClient atomic.Pointer[place] // of the client whose request has come through a proxy; nil without one
}

type connectionKey struct{}

// connContext is a ConnContext of http.Server. It lets TrackRequest find the
// connection.
func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// TrackRequest tells the connection that a handler has its request. What arrives from
// then on, until the connection is idle again, is no part of its headers: net/http may
// read the body only after the handler has returned.
func TrackRequest(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		c.handled.Store(true)
	}
}

// connState is a ConnState of http.Server. A connection is idle once the rest of
// the previous request's body has been read, until the next request's headers have
// arrived.
func connState(c net.Conn, state http.ConnState) {
	ours, ok := c.(*connection)
	if !ok {
		return
	}
	switch state {
	case http.StateIdle:
		ours.awaitRequest()
	case http.StateHijacked:
		ours.hijacked.Store(true)
	}
	if ours.place != nil && state != http.StateNew {
		ours.place.setIdle(state == http.StateIdle)
	}
}

// Close implements net.Conn.
func (c *connection) Close() error {
	if c.place != nil {
		c.place.leave()
	}
	if p := c.ofClient.Load(); p != nil {
		p.leave()
	}
	return c.TCPConn.Close()
}

// answered gives up the client's place of a request through a proxy, because its handler
// has returned. The place of a socket stays: its handler returns at the upgrade.
func (c *connection) answered() {
	if c.hijacked.Load() {
		return
	}
	if p := c.ofClient.Swap(nil); p != nil {
		p.leave()
	}
}

func (c *connection) awaitRequest() {
	c.begun.Store(false)
	c.firstLine.Store(false)
	if c.place != nil && c.header > usualHeader {
		c.place.holdHeaders(0)
	}
	c.header = 0
	c.handled.Store(false)
}

// awaitTurn waits until the connection may be served, for less than the time that the
// headers may take.
func (c *connection) awaitTurn() {
	if !c.waited && c.place != nil && c.place.delay > 0 {
		time.Sleep(c.place.delay)
	}
	c.waited = true
}

// Read implements net.Conn. If a request has begun and does not arrive in time,
// it answers 408, where net/http would close the connection without a word.
func (c *connection) Read(p []byte) (int, error) {
	c.awaitTurn()
	n, err := c.TCPConn.Read(p)
	if c.handled.Load() {
		return n, err
	}
	if n > 0 {
		c.begun.Store(true)
		if !c.firstLine.Load() && bytes.IndexByte(p[:n], '\n') >= 0 {
			c.firstLine.Store(true)
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && c.begun.Load():
		c.refuse(http.StatusRequestTimeout, "the request did not come in time")
	case n > 0 && !c.receive(n):
		c.refuse(http.StatusTooManyRequests, "too many requests with large headers or URLs at once from this address; send large requests by POST")
		return 0, io.EOF
	}
	return n, err
}

// refuse writes the last response, unless it is written already.
func (c *connection) refuse(status int, message string) {
	if !c.refused.Swap(true) {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.TCPConn.Write(refusalResponse(status, message))
	}
}

// bareHeaders are the headers of net/http's own refusals. No handler's response
// has them alone.
const bareHeaders = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// Write implements net.Conn. It replaces net/http's own refusals.
func (c *connection) Write(p []byte) (int, error) {
	if c.refused.Load() {
		return len(p), nil // net/http may add that what has arrived is malformed
	}
	if !c.handled.Load() && bytes.HasPrefix(p, []byte("HTTP/1.1 417 ")) {
		_, err := c.TCPConn.Write(refusalResponse(http.StatusExpectationFailed, "the header Expect can be 100-continue only"))
		c.refused.Store(true)
		_ = c.SetReadDeadline(time.Now()) // net/http reads the body to the end
		return len(p), err
	}
	line, text, bare := bytes.Cut(p, []byte(bareHeaders))
	status, ok := refusedStatus(line)
	if !bare || !ok {
		return c.TCPConn.Write(p)
	}
	message := string(text)
	switch {
	case status == http.StatusRequestHeaderFieldsTooLarge && !c.firstLine.Load():
		status, message = http.StatusRequestURITooLong, "the URL is too long; send the request by POST"
	case status == http.StatusRequestHeaderFieldsTooLarge:
		message = "the request's headers are too large"
	case status == http.StatusBadRequest:
		message = "this is not an HTTP request: " + strings.TrimPrefix(strings.TrimPrefix(message, "400 Bad Request"), ": ")
	}
	if _, err := c.TCPConn.Write(refusalResponse(status, strings.TrimSuffix(message, ": "))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// refusedStatus returns the status of a status line, and whether it is that of
// a refusal.
func refusedStatus(line []byte) (int, bool) {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 3 || bytes.IndexByte(line, '\n') >= 0 {
		return 0, false
	}
	status, err := strconv.Atoi(string(rest[:3]))
	return status, err == nil && status >= http.StatusBadRequest
}

// refusalResponse returns a whole HTTP response that ends a connection.
func refusalResponse(status int, message string) []byte {
	h, code := http.Header{}, "BAD_USER_INPUT"
	if status == http.StatusTooManyRequests {
		h.Set("Retry-After", "1")
		code = "RATE_LIMITED"
	}
	body := refusal(code, message)
	setSecurityHeaders(h)
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n", status, http.StatusText(status), len(body))
	_ = h.Write(&b) // a buffer takes anything
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}
