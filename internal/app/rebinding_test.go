package app_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"chirp/internal/apitest"
)

// TestPagesOfAReboundNameAreRefused sends what a browser sends for a page of
// evil.example after that name has got this server's address. By the header Host
// the page is the server's own.
func TestPagesOfAReboundNameAreRefused(t *testing.T) {
	s := start(t, apitest.Embedded(t.TempDir()), nil)
	const register = `{"query": "mutation { registerUser(input: {username: \"ann\", password: \"correct horse\"}) { token } }"}`
	for what, request := range map[string]string{
		"a registration":   "POST /graphql HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Type: application/json\r\n" + body(register),
		"a socket":         "GET /graphql HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n",
		"a stream":         "POST /graphql HTTP/1.1\r\nHost: evil.example\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n" + body(register),
		"a page":           "GET / HTTP/1.1\r\nHost: evil.example:80\r\n\r\n",
		"in the target":    "GET http://evil.example/graphql?query={__typename} HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"by HTTP/1.0":      "GET /graphql?query={__typename} HTTP/1.0\r\n\r\n",
		"the whole server": "OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n",
	} {
		if got := first(t, s.URL, request); got != "421" {
			t.Errorf("%s: got %s, want 421", what, got)
		}
	}
	if got := first(t, s.Ops, "GET /metrics HTTP/1.1\r\nHost: evil.example:8081\r\n\r\n"); got != "421" {
		t.Errorf("the operator's address: got %s, want 421", got)
	}
	for _, request := range []string{"GET /graphql?query={__typename} HTTP/1.1\r\nHost: LocalHost.\r\n\r\n", "GET /readyz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: lb.example\r\n\r\n"} {
		if got := first(t, s.URL, request); got != "200" {
			t.Errorf("%q: got %s, want 200", request, got)
		}
	}
	if _, err := (apitest.API{URL: s.URL}).Register(t.Context(), "ann"); err != nil {
		t.Errorf("a registration by the right name: got %v, want the name still free", err)
	}
}

func body(text string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text) }

// first sends a request and returns the status of the response.
func first(t *testing.T, url, request string) string {
	t.Helper()
	c := apitest.Must(net.Dial("tcp", strings.TrimPrefix(url, "http://")))(t)
	defer c.Close()
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	response := apitest.Must(http.ReadResponse(bufio.NewReader(c), nil))(t)
	response.Body.Close()
	return fmt.Sprint(response.StatusCode)
}
