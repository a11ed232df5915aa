package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"chirp/graph/graphtest"
	"chirp/internal/apitest"
	"chirp/internal/outage"
)

// bodySize is a little less than a request may have by default.
const bodySize = 250_000

// invalidBody is a request whose query does not validate, with variables of many
// items.
func invalidBody(item string) []byte {
	items := strings.Repeat(item+",", bodySize/(len(item)+1))
	return []byte(`{"query":"query($x: [Int!]) { nothing(x: $x) }","variables":{"x":[` + items + item + `]}}`)
}

// bodyOf returns the body of a request for a document.
func bodyOf(document string) []byte {
	body, _ := json.Marshal(apitest.Vars{"query": document})
	return body
}

// flood posts bodies on n connections without pause, from one address.
func (a *attacker) flood(ctx context.Context, n int, body func(worker, n int) []byte) {
	c := a.anonymous(address(0))
	together(ctx, n, func(ctx context.Context, worker int) {
		for i := 0; ctx.Err() == nil; i++ {
			resp, err := c.post(ctx, body(worker, i), "")
			a.countResponse(ctx, resp, err)
		}
	})
}

// countResponse reads a response to its end and counts it.
func (a *attacker) countResponse(ctx context.Context, resp *http.Response, err error) {
	if err != nil {
		if ctx.Err() == nil {
			a.failed.Add(1)
			outage.Pause(ctx, 10*time.Millisecond) // the server may accept nothing
		}
		return
	}
	defer resp.Body.Close()
	start, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	_, err = io.Copy(io.Discard, resp.Body)
	switch {
	case err != nil && ctx.Err() != nil:
	case err != nil:
		a.failed.Add(1)
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable,
		bytes.Contains(start, []byte("RATE_LIMITED")), bytes.Contains(start, []byte("UNAVAILABLE")):
		a.refused.Add(1)
	default:
		a.done.Add(1)
	}
}

// floodWith returns an attack that floods with one body.
func floodWith(connections int, body []byte) func(context.Context, *attacker) {
	return func(ctx context.Context, a *attacker) {
		a.flood(ctx, connections, func(int, int) []byte { return body })
	}
}

// distinctDocuments asks for the schema with another document each time.
func distinctDocuments(ctx context.Context, a *attacker) {
	a.flood(ctx, 200, func(worker, n int) []byte {
		return bodyOf(strings.Replace(graphtest.UsualIntrospection, "__schema", fmt.Sprintf("a%d_%d: __schema", worker, n), 1))
	})
}

// batch is an array of documents that cannot be parsed.
func batch() []byte {
	return []byte("[" + strings.Repeat(`{"query":"{"},`, bodySize/14-1) + `{"query":"{"}]`)
}

// garbage is a document that is not one, and is long.
func garbage() []byte { return bodyOf(strings.Repeat("{ a ", bodySize/4)) }

// comment is a document of one field behind a long comment.
func comment() []byte { return bodyOf("#" + strings.Repeat("x", bodySize-100) + "\n{ __typename }") }

// holdBodies sends all of each request but its last byte, and waits.
func holdBodies(ctx context.Context, a *attacker) {
	body := invalidBody("1")
	together(ctx, 500, func(ctx context.Context, _ int) {
		for ; ctx.Err() == nil; outage.Pause(ctx, 100*time.Millisecond) {
			head := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", a.URL[len("http://"):], len(body))
			a.hold(ctx, address(0), append([]byte(head), body[:len(body)-1]...))
		}
	})
}

// hold connects, sends the beginning of a request, and waits until the server
// closes the connection.
func (a *attacker) hold(ctx context.Context, address string, beginning []byte) {
	conn, err := dialFrom(address)(ctx, "tcp", a.URL[len("http://"):])
	if err != nil {
		a.count(err)
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(beginning); err == nil {
		a.done.Add(1)
		if _, err = io.Copy(io.Discard, conn); err == nil {
			return
		}
	}
	if ctx.Err() == nil {
		a.failed.Add(1)
	}
}

// floodSockets subscribes on twenty sockets to what does not validate, with large
// variables.
func floodSockets(ctx context.Context, a *attacker) {
	payload := json.RawMessage(invalidBody("1"))
	a.flooded(ctx, 20, func(s *apitest.Socket, n int) error {
		return s.Write(fmt.Sprint(n), "subscribe", payload)
	})
}

// newDocuments sends valid documents that are long and never the same.
func newDocuments(ctx context.Context, a *attacker) {
	fields := strings.Repeat("__typename ", 900)
	tokens := strings.Repeat("...F ", 1700)
	a.flood(ctx, 50, func(worker, n int) []byte {
		return bodyOf(fmt.Sprintf("query Q%d_%d { %s%s} fragment F on Query { __typename }", worker, n, fields, tokens))
	})
}

// longURLs sends invalid documents by GET.
func longURLs(ctx context.Context, a *attacker) {
	client := clientFrom(address(0))
	together(ctx, 200, func(ctx context.Context, worker int) {
		for n := 0; ctx.Err() == nil; n++ {
			document := fmt.Sprintf("{ a%d_%d %s }", worker, n, strings.Repeat("none ", 700))
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/graphql?query="+url.QueryEscape(document), nil)
			if err != nil {
				return
			}
			resp, err := client.Do(req)
			a.countResponse(ctx, resp, err)
		}
	})
}
