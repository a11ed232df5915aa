package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"chirp/graph/transport"
	"chirp/internal/apitest"
)

// told is a refusal as a client of the API reads it.
type told struct {
	status  int
	header  http.Header
	message string
	code    string
}

func ask(t *testing.T, method, url, body string, header http.Header) told {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	response, err := apitest.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return readTold(response.StatusCode, response.Header, text)
}

func readTold(status int, header http.Header, text []byte) told {
	var body struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	got := told{status: status, header: header}
	if json.Unmarshal(text, &body) == nil && len(body.Errors) == 1 {
		got.message, got.code = body.Errors[0].Message, body.Errors[0].Extensions.Code
	}
	return got
}

func TestAddressesThatAreNotThereAnswerAsAnAPI(t *testing.T) {
	s := start(t, apitest.Embedded(t.TempDir()))
	const query = `{"query": "{ __typename }"}`
	sent := http.Header{"Content-Type": {"application/json"}, "Accept": {"*/*"}}
	page := http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}
	for _, c := range []struct {
		method, path string
		header       http.Header
		status       int
		code         string // empty for a page
	}{
		{"POST", "/graphql/", sent, 404, "NOT_FOUND"},
		{"POST", "/graphql/v1", sent, 404, "NOT_FOUND"},
		{"GET", "/graphql/", page, 404, "NOT_FOUND"},
		{"POST", "/api", sent, 404, "NOT_FOUND"},
		{"POST", "/api/graphql", page, 404, "NOT_FOUND"},
		{"POST", "/@ann", sent, 404, "NOT_FOUND"},
		{"PUT", "/api/graphql.json", sent, 404, "NOT_FOUND"},
		{"DELETE", "/explore", nil, 404, "NOT_FOUND"},
		{"OPTIONS", "/query", nil, 404, "NOT_FOUND"},
		{"GET", "/api/graphql?query={__typename}", sent, 404, "NOT_FOUND"},
		{"GET", "/v1/chirps", http.Header{"Accept": {"application/json"}}, 404, "NOT_FOUND"},
		{"GET", "/nowhere", nil, 404, "NOT_FOUND"},
		{"POST", "/", sent, 405, "BAD_USER_INPUT"},
		{"POST", "/graphiql", sent, 405, "BAD_USER_INPUT"},
		{"POST", "/graphiql/", sent, 405, "BAD_USER_INPUT"},
		{"POST", "/healthz", sent, 405, "BAD_USER_INPUT"},
		{"DELETE", "/readyz", nil, 405, "BAD_USER_INPUT"},
		{"POST", "/metrics", nil, 405, "BAD_USER_INPUT"},
		{"GET", "/nowhere", page, 200, ""},
		{"GET", "/@ann/followers", sent, 200, ""},
		{"GET", "/", http.Header{"Accept": {"application/json"}}, 200, ""},
		{"HEAD", "/login", nil, 200, ""},
	} {
		body := query
		if c.method == "GET" || c.method == "HEAD" {
			body = ""
		}
		got := ask(t, c.method, s.url+c.path, body, c.header)
		if got.status != c.status || got.code != c.code {
			t.Errorf("%s %s: got %d %q, want %d %q", c.method, c.path, got.status, got.code, c.status, c.code)
		}
		if c.code == "NOT_FOUND" && !strings.Contains(got.message, "the API is at /graphql") || c.status == 405 && got.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: got %q and %v, want where the API is, and what is allowed", c.method, c.path, got.message, got.header)
		}
	}
}

// TestScreensOfTheClientAreKnown compares with the client's own routes.
func TestScreensOfTheClientAreKnown(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("web", "src", "app.tsx"))
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`<Route path="(/[^"]*)"`).FindAllStringSubmatch(string(source), -1)
	if len(routes) < 5 {
		t.Fatalf("found %d routes, want all", len(routes))
	}
	for _, route := range routes {
		if !knownScreen(route[1]) {
			t.Errorf("the client has a screen at %s, which the server does not know", route[1])
		}
	}
}

func TestSocketThatIsRefusedIsToldWhy(t *testing.T) {
	s := start(t, apitest.Embedded(t.TempDir()), "--allowed-origins", "https://Bücher.example:443")
	host := strings.TrimPrefix(s.url, "http://")
	upgrade := func(change func(h http.Header)) http.Header {
		h := http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"graphql-transport-ws"}}
		change(h)
		return h
	}
	for _, c := range []struct {
		name, method string
		header       http.Header
		status       int
		says         []string
		has, is      string // a header
	}{
		{"a foreign site", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://evil.example") }), 403, []string{"https://evil.example", "--allowed-origins", host}, "", ""},
		{"without a site", "GET", upgrade(func(h http.Header) { h.Set("Origin", "null") }), 403, []string{"null", "--allowed-origins"}, "", ""},
		{"a proxy that takes away Upgrade", "GET", upgrade(func(h http.Header) { h.Del("Upgrade"); h.Del("Connection") }), 426, []string{"proxy", "Upgrade: websocket"}, "Upgrade", "websocket"},
		{"a proxy that takes away Connection", "GET", upgrade(func(h http.Header) { h.Del("Connection") }), 426, []string{"proxy", "Connection: Upgrade"}, "Upgrade", "websocket"},
		{"a version of its own", "GET", upgrade(func(h http.Header) { h.Set("Sec-Websocket-Version", "8") }), 426, []string{"must be 13"}, "Sec-Websocket-Version", "13"},
		{"a key that is none", "GET", upgrade(func(h http.Header) { h.Set("Sec-Websocket-Key", "x") }), 400, []string{"Sec-WebSocket-Key"}, "", ""},
		{"by POST", "POST", upgrade(func(http.Header) {}), 405, []string{"GET"}, "Allow", "GET"},
		{"an allowed site, by its other name", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://xn--bcher-kva.example") }), 101, nil, "", ""},
		{"its own site", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://chirp.example"); h.Set("Host", "chirp.example:443") }), 101, nil, "", ""},
		{"its own site, with the port", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://CHIRP.example:443"); h.Set("Host", "chirp.example") }), 101, nil, "", ""},
		{"its own site at another port", "GET", upgrade(func(h http.Header) { h.Set("Origin", "https://chirp.example:8443"); h.Set("Host", "chirp.example") }), 403, []string{"chirp.example:8443"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.status == 101 {
				response := upgradeOnly(t, s.url, c.header)
				if response.StatusCode != 101 {
					t.Errorf("got %d, want 101", response.StatusCode)
				}
				return
			}
			got := ask(t, c.method, s.url+"/graphql", "", c.header)
			if got.status != c.status || got.code == "" || c.has != "" && got.header.Get(c.has) != c.is {
				t.Errorf("got %d %q with %s %q, want %d, a code and %q", got.status, got.code, c.has, got.header.Get(c.has), c.status, c.is)
			}
			for _, part := range c.says {
				if !strings.Contains(got.message, part) {
					t.Errorf("got %q, want %q in it", got.message, part)
				}
			}
		})
	}
	if text := s.log.String(); !strings.Contains(text, "nor one of --allowed-origins") || !strings.Contains(text, "evil.example") {
		t.Errorf("the log has not the foreign site:\n%s", text)
	}
}

// upgradeOnly sends an upgrade request, whose connection ends with the test.
func upgradeOnly(t *testing.T, url string, header http.Header) *http.Response {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	r.Host = header.Get("Host")
	response, err := apitest.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response
}

func TestRefusedPagesAreInTheLogNowAndThen(t *testing.T) {
	url, log := serveLoggedFront(t, "https://app.example.com")
	for range 200 {
		apitest.Fetch(t, http.MethodPost, url+"/graphql", http.Header{"Origin": {"https://evil.example"}, "Content-Type": {"application/json"}})
	}
	if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), "origin=https://evil.example") {
		t.Errorf("got %d lines, want one that names the site:\n%s", got, log)
	}
	for name, header := range map[string]http.Header{
		"a header that pages may not send": {"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type,x-own"}},
		"a method that there is not":       {"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"PUT"}},
	} {
		url, log := serveLoggedFront(t, "https://app.example.com")
		apitest.Fetch(t, http.MethodOptions, url+"/graphql", header)
		if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), "x-own") && !strings.Contains(log.String(), "PUT") {
			t.Errorf("%s: got %q, want a line that names it", name, log)
		}
	}
	url, log = serveLoggedFront(t, "https://app.example.com")
	for _, header := range []http.Header{{}, {"Origin": {"https://app.example.com"}}, {"Origin": {url}},
		{"Origin": {"https://chirp.example"}, "Sec-Fetch-Site": {"same-origin"}}} { // through a proxy that sends another Host
		apitest.Fetch(t, http.MethodPost, url+"/graphql", header)
	}
	apitest.Fetch(t, http.MethodOptions, url+"/graphql", http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"POST"},
		"Access-Control-Request-Headers": {"tracestate,traceparent,sentry-trace,baggage,content-type,authorization,accept,chirp-read-after,apollo-require-preflight,x-request-id"}})
	if log.String() != "" {
		t.Errorf("got %q, want no line about what is allowed", log)
	}
}

func TestOriginsThatNoBrowserSendsAreRefusedAtTheStart(t *testing.T) {
	for entry, says := range map[string]string{
		"https://app.example.com/":     "write https://app.example.com",
		"https://app.example.com/app":  "write https://app.example.com",
		"app.example.com":              "is not an origin such as",
		"https://":                     "is not an origin such as",
		"https://*.*.example.com":      "more than one star",
		"https://a.example?x":          "is not an origin such as",
		"https://user@a.example":       "is not an origin such as",
		"https://[::1":                 "is not an origin such as",
		"https://" + "xn--a" + ".test": "is not an origin such as",
	} {
		_, err := parseConfig([]string{"--allowed-origins", entry}, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), "--allowed-origins: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got error %v, want one that says %q", entry, err, says)
		}
	}
	if _, err := transport.ParseOrigins([]string{"https://app.example.com"}); err != nil {
		t.Errorf("what the refusal says to write: %v", err)
	}
}

// TestRefusalsOfTheConnectionAreReadable has those that come before there is a
// request.
func TestRefusalsOfTheConnectionAreReadable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer served(r.Context())()
		http.Error(w, "as the handler wants it", http.StatusTeapot)
	})
	server := newServer(answers, slog.New(slog.DiscardHandler))
	server.ReadHeaderTimeout = 300 * time.Millisecond
	go server.Serve(readable{listener})
	t.Cleanup(func() { server.Close() })
	long := strings.Repeat("x", 2<<20)
	for _, c := range []struct {
		name, request string
		status        int
		says          string
	}{
		{"headers that are too large", "GET / HTTP/1.1\r\nHost: x\r\nX: " + long + "\r\n\r\n", 431, "headers are too large"},
		{"a URL that is too long", "GET /" + long + " HTTP/1.1\r\nHost: x\r\n\r\n", 414, "send the request by POST"},
		{"what is not HTTP", "nonsense\r\n\r\n", 400, "not an HTTP request"},
		{"a request without a host", "GET / HTTP/1.1\r\n\r\n", 400, "missing required Host header"},
		{"a transfer that is not known", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n", 501, "Unsupported transfer encoding"},
		{"headers that do not come", "POST / HTTP/1.1\r\nHost: x\r\n", 408, "did not come in time"},
		{"a first line that does not come", "POS", 408, "did not come in time"},
		{"nothing at all", "", 0, ""},
		{"headers that do not come, after a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n" + pause + "GET / HTTP/1.1\r\n", 408, "did not come in time"},
		{"a URL that is too long, after a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n" + pause + "GET /" + long, 414, "send the request by POST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := exchange(t, listener.Addr().String(), c.request)
			text = text[max(0, strings.LastIndex(text, "HTTP/1.1")):]
			if c.status == 0 {
				if text != "" {
					t.Errorf("got %q, want the end", text)
				}
				return
			}
			head, body, _ := strings.Cut(text, "\r\n\r\n")
			got := readTold(0, nil, []byte(body))
			if !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", c.status)) || got.code != "BAD_USER_INPUT" || !strings.Contains(got.message, c.says) || !strings.Contains(head, "Connection: close") {
				t.Errorf("got %s, want %d and %q as JSON", text, c.status, c.says)
			}
		})
	}
	if text := exchange(t, listener.Addr().String(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(text, "HTTP/1.1 418 ") || !strings.HasSuffix(text, "as the handler wants it\n") {
		t.Errorf("a handler's refusal: got %q, want it as it is", text)
	}
}

// TestARequestHasOneAnswer has those that net/http can answer by itself: a
// second answer would be taken for that of the next request.
func TestARequestHasOneAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	server := newServer(newFront(log, &transport.Origins{}), log)
	go server.Serve(readable{listener})
	t.Cleanup(func() { server.Close() })
	const next = pause + "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for _, c := range []struct{ request, want string }{
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + next, "204 200"},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "204"},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" + next, "204 200"},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", "204"},
		{"GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400"},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
		{"POST /healthz HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\nContent-Length: 2\r\n\r\n", "417"},
		{"OPTIONS /graphql HTTP/1.1\r\nHost: x\r\n\r\n" + next, "503 200"},
	} {
		t.Run(c.request, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, line := range strings.Split(exchange(t, listener.Addr().String(), c.request), "\r\n") {
				if _, answer, ok := strings.Cut(line, "HTTP/1.1 "); ok {
					got = append(got, answer[:3])
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got the answers %v, want %s", got, c.want)
			}
		})
	}
}

// TestABodyThatStopsHoldsNoConnection has requests that are answered without
// their bodies, and those whose body is waited for.
func TestABodyThatStopsHoldsNoConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	front := newFront(log, &transport.Origins{})
	front.unread = 200 * time.Millisecond
	if err := front.pages(true); err != nil {
		t.Fatal(err)
	}
	server := newServer(front, log)
	go server.Serve(readable{listener})
	t.Cleanup(func() { server.Close() })
	for first, want := range map[string]string{
		"POST /graphql": "503", "PUT /graphql": "503", "POST /nothing": "404", "POST /": "405", "GET /": "200", "GET /healthz": "200", "POST /graphiql": "405",
		"POST /graphql\r\nExpect: more": "417",
	} {
		for _, body := range []string{"Content-Length: 10\r\n\r\n", "Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"} {
			t.Run(first+" "+body, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				text := exchange(t, listener.Addr().String(), strings.Replace(first+"\r\nHost: x\r\n"+body, "\r\n", " HTTP/1.1\r\n", 1))
				if !strings.HasPrefix(text, "HTTP/1.1 "+want) || strings.Count(text, "HTTP/1.1 ") != 1 {
					t.Errorf("got %.200q, want one answer, %s", text, want)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("the connection ended after %s, want it to end soon", took)
				}
			})
		}
	}
}

// pause in a request is where the answer to what is before is waited for.
const pause = "\x00"

// exchange writes a request and reads until the server ends the connection. A
// server that closes it while what is too large is still under way may cost its
// own answer; then it is asked again.
func exchange(t *testing.T, address, request string) (text string) {
	t.Helper()
	for range 5 {
		if text = exchangeOnce(t, address, request); text != "" || request == "" {
			break
		}
	}
	return text
}

func exchangeOnce(t *testing.T, address, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	var before strings.Builder
	for part := range strings.SplitSeq(request, pause) {
		if before.Len() == 0 && part != request {
			_, _ = io.WriteString(c, part)
			buffer := make([]byte, 4096)
			n, err := c.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			before.Write(buffer[:n])
			continue
		}
		go func() { _, _ = io.WriteString(c, part) }() // the server may end it before all is read
	}
	text, _ := io.ReadAll(c) // what came before an error counts
	return before.String() + string(text)
}

func TestBeforeTheStoreIsOpenTheAPISaysSo(t *testing.T) {
	url := serveFront(t)
	for accept, media := range map[string]string{"application/json": "application/graphql-response+json", "application/graphql-response+json": "application/graphql-response+json", "*/*": "application/json"} {
		got := ask(t, http.MethodPost, url+"/graphql", `{"query": "{ __typename }"}`, http.Header{"Content-Type": {"application/json"}, "Accept": {accept}})
		if got.status != http.StatusServiceUnavailable || got.code != "UNAVAILABLE" || got.header.Get("Retry-After") == "" || got.header.Get("Content-Type") != media+"; charset=utf-8" {
			t.Errorf("%s: got %d %s %v, want 503 UNAVAILABLE as %s, and when to try again", accept, got.status, got.code, got.header, media)
		}
	}
}
