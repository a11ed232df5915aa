package httpserver

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// dialFull starts a server whose connections hold as many bytes of large headers as
// they may, and connects to it.
func dialFull(t *testing.T, handler http.HandlerFunc) net.Conn {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	crowd := NewCrowd(Limits{}, nil, log)
	crowd.all.headers = headersOfAll
	server := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		TrackRequest(r.Context())
		handler(w, r)
	}), Limits{}, log)
	go server.Serve(Listener{Listener: listener, Crowd: crowd})
	t.Cleanup(func() { server.Close() })
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// wantAnswers reads n responses and checks their status.
func wantAnswers(t *testing.T, c net.Conn, n, status int) {
	t.Helper()
	responses := bufio.NewReader(c)
	for i := range n {
		response, err := http.ReadResponse(responses, nil)
		if err != nil {
			t.Fatalf("response %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != status {
			t.Fatalf("response %d: got %s, error %v; want %d", i, response.Status, err, status)
		}
	}
}

// TestBodiesThatNobodyReadsAreNoHeaders sends bodies that net/http reads to the end
// after the handler has refused their requests.
func TestBodiesThatNobodyReadsAreNoHeaders(t *testing.T) {
	c := dialFull(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMisdirectedRequest) })
	post := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200_000)
	for range 3 {
		_, _ = io.WriteString(c, post) // an error means that it was refused
		wantAnswers(t, c, 1, http.StatusMisdirectedRequest)
	}
}

// TestPipelinedRequestsAreAnswered sends requests while the handlers of those before
// them are running, when net/http reads ahead.
func TestPipelinedRequestsAreAnswered(t *testing.T) {
	c := dialFull(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	const n = 1000
	go func() { _, _ = io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", n)) }()
	wantAnswers(t, c, n, http.StatusNoContent)
}
