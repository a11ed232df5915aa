package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A connection's refusals are those that net/http writes, or keeps to itself,
// before there is a request for a handler: the headers are too large, are not
// HTTP, or do not come. readable has them say so as the API does, in JSON, with
// the status that is theirs.

// readable is a listener whose connections do so.
type readable struct{ net.Listener }

// Accept implements net.Listener.
func (l readable) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &connection{TCPConn: tcp}, err
	}
	return c, err
}

// connection is one of them. Its TCPConn is embedded so that nothing that
// net/http and sockets find in it is lost.
type connection struct {
	*net.TCPConn
	serving atomic.Bool // a handler has the request
	begun   atomic.Bool // some of the next request has come
	line    atomic.Bool // its first line has
	over    atomic.Bool // it was told its last refusal
}

type connectionKey struct{}

// withConnection lets a handler find its connection, as a ConnContext of
// http.Server.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// served notes that a handler has a connection's request, until the call of
// what it returns.
func served(ctx context.Context) (done func()) {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok {
		return func() {}
	}
	c.serving.Store(true)
	return func() {
		c.wait() // before it counts again: net/http ends a read of its own by a deadline
		c.serving.Store(false)
	}
}

// betweenRequests notes that a connection waits for a request, as a ConnState of
// http.Server: what is left of the body before has been read then.
func betweenRequests(c net.Conn, state http.ConnState) {
	if waiting, ok := c.(*connection); ok && state == http.StateIdle {
		waiting.wait()
	}
}

func (c *connection) wait() {
	c.begun.Store(false)
	c.line.Store(false)
}

// Read implements net.Conn. A request that has begun and does not come in time
// is told so; net/http closes the connection without a word.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if c.serving.Load() {
		return n, err
	}
	if n > 0 {
		c.begun.Store(true)
		if !c.line.Load() && bytes.IndexByte(p[:n], '\n') >= 0 {
			c.line.Store(true)
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && c.begun.Load() && !c.over.Swap(true) {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.TCPConn.Write(refusedHTTP(http.StatusRequestTimeout, "the request did not come in time"))
	}
	return n, err
}

// bareHeaders are those of net/http's own refusals. No handler's answer has
// them alone.
const bareHeaders = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// Write implements net.Conn.
func (c *connection) Write(p []byte) (int, error) {
	if c.over.Load() {
		return len(p), nil // of what has come, net/http may say that it is cut off
	}
	if !c.serving.Load() && bytes.HasPrefix(p, []byte("HTTP/1.1 417 ")) {
		_, err := c.TCPConn.Write(refusedHTTP(http.StatusExpectationFailed, "the header Expect can be 100-continue only"))
		c.over.Store(true)
		_ = c.SetReadDeadline(time.Now()) // net/http reads the body to the end
		return len(p), err
	}
	line, text, bare := bytes.Cut(p, []byte(bareHeaders))
	status, ok := statusOfLine(line)
	if !bare || !ok {
		return c.TCPConn.Write(p)
	}
	message := string(text)
	switch {
	case status == http.StatusRequestHeaderFieldsTooLarge && !c.line.Load():
		status, message = http.StatusRequestURITooLong, "the URL is too long; send the request by POST"
	case status == http.StatusRequestHeaderFieldsTooLarge:
		message = "the request's headers are too large"
	case status == http.StatusBadRequest:
		message = "this is not an HTTP request: " + strings.TrimPrefix(strings.TrimPrefix(message, "400 Bad Request"), ": ")
	}
	if _, err := c.TCPConn.Write(refusedHTTP(status, strings.TrimSuffix(message, ": "))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// statusOfLine reads an HTTP/1.1 status line of a refusal.
func statusOfLine(line []byte) (int, bool) {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 3 || bytes.IndexByte(line, '\n') >= 0 {
		return 0, false
	}
	status, err := strconv.Atoi(string(rest[:3]))
	return status, err == nil && status >= http.StatusBadRequest
}

// refusedHTTP is a whole HTTP response that ends a connection.
func refusedHTTP(status int, message string) []byte {
	body := refusedJSON("BAD_USER_INPUT", message)
	h := http.Header{}
	secure(h)
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n", status, http.StatusText(status), len(body))
	_ = h.Write(&b) // a buffer takes anything
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// refusedJSON is a refusal as GraphQL has it.
func refusedJSON(code, message string) []byte {
	body, err := json.Marshal(map[string]any{"errors": []any{map[string]any{
		"message": message, "extensions": map[string]any{"code": code},
	}}})
	if err != nil {
		return []byte(`{"errors":[{"message":"refused"}]}`)
	}
	return body
}
