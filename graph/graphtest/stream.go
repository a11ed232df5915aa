package graphtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Open sends an operation by POST and returns the response without reading the body.
// The request ends when stop is called or the test ends.
func (w *World) Open(t *testing.T, accept, token, operation string) (response *http.Response, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Hang)
	body := Marshal(map[string]any{"query": operation})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Server.URL, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if response, err = w.Server.Client().Do(r); err != nil { //nolint:bodyclose // stop does
		t.Fatal(err)
	}
	stop = func() { cancel(); response.Body.Close() }
	t.Cleanup(stop)
	return response, stop
}

// events is an open stream of server-sent events.
type events struct {
	t      *testing.T
	Status int
	scan   *bufio.Scanner
	Close  func()
}

// Events opens a stream of server-sent events.
func (w *World) Events(t *testing.T, token, operation string) *events {
	t.Helper()
	response, stop := w.Open(t, "text/event-stream", token, operation) //nolint:bodyclose // the cleanup does
	return &events{t: t, Status: response.StatusCode, scan: bufio.NewScanner(response.Body), Close: stop}
}

// Next returns the next event's name and data.
func (e *events) Next() (name string, data Answer) {
	e.t.Helper()
	for e.scan.Scan() {
		line := e.scan.Text()
		switch {
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimPrefix(line, "event: ")
		case strings.HasPrefix(line, "data:") && len(line) > len("data: "):
			data.Body = strings.TrimPrefix(line, "data: ")
			CheckPaths(e.t, data.Body)
			if err := json.Unmarshal([]byte(data.Body), &data); err != nil {
				e.t.Fatal(err)
			}
		case line == "" && name != "":
			return name, data
		}
	}
	e.t.Fatalf("the stream ended: %v", e.scan.Err())
	return "", Answer{}
}

// MultipartSubscriptions is the header Accept of Apollo Client for subscriptions.
const MultipartSubscriptions = `multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json`

// parts is an open multipart stream.
type parts struct {
	t     *testing.T
	body  *bufio.Reader
	Close func()
}

// Parts opens a multipart stream.
func (w *World) Parts(t *testing.T, token, operation string) *parts {
	t.Helper()
	response, stop := w.Open(t, MultipartSubscriptions, token, operation) //nolint:bodyclose // the cleanup does
	p := &parts{t: t, body: bufio.NewReader(response.Body), Close: stop}
	if got := p.chunk(); got != "\r\n" {
		t.Fatalf("the body begins with %q, want the first boundary", got)
	}
	return p
}

// chunk reads up to the next boundary.
func (p *parts) chunk() string {
	p.t.Helper()
	const boundary = "--graphql"
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n"+boundary) {
		c, err := p.body.ReadByte()
		if err != nil {
			p.t.Fatalf("the stream ended with %q: %v", b.String(), err)
		}
		b.WriteByte(c)
	}
	return strings.TrimSuffix(b.String(), boundary)
}

// part is the JSON of a part. All fields are empty in a heartbeat.
type part struct {
	Payload *Answer
	Errors  []struct {
		Message    string
		Extensions map[string]any
	}
	Raw string `json:"-"`
}

// Part returns the next part.
func (p *parts) Part() part {
	p.t.Helper()
	chunk := p.chunk()
	text, ok := strings.CutPrefix(chunk, "\r\nContent-Type: application/json\r\n\r\n")
	got := part{Raw: strings.TrimSuffix(text, "\r\n")}
	if err := json.Unmarshal([]byte(got.Raw), &got); err != nil || !ok {
		p.t.Fatalf("got the part %q, want one of JSON: %v", chunk, err)
	}
	return got
}

// Next returns the next part that is not a heartbeat.
func (p *parts) Next() part {
	p.t.Helper()
	for {
		if got := p.Part(); got.Raw != "{}" {
			return got
		}
	}
}

// End reads the rest of the stream, which must be the end of the closing boundary.
func (p *parts) End() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.body); string(rest) != "--\r\n" || err != nil {
		p.t.Errorf("the body ends with %q, %v, want the closing boundary", rest, err)
	}
}
