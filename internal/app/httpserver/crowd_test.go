package httpserver_test

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"chirp/graph/transport"
	"chirp/internal/apitest"
	"chirp/internal/app/httpserver"
)

// TestIdleConnectionsAreClosedForOthers opens more connections than an address may
// have: some that send nothing, some between requests, some in the middle of one.
func TestIdleConnectionsAreClosedForOthers(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	listener := apitest.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	limits := httpserver.Limits{Connections: 100, ConnectionsPerAddress: 4}
	crowd := httpserver.NewCrowd(limits, nil, log)
	release := make(chan struct{})
	server := httpserver.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpserver.TrackRequest(r.Context())
		if r.URL.Path == "/slow" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-release
		}
	}), limits, log)
	go server.Serve(httpserver.Listener{Listener: listener, Crowd: crowd})
	t.Cleanup(func() { server.Close() })
	open := func(path string) net.Conn {
		t.Helper()
		c := apitest.Must(net.Dial("tcp", listener.Addr().String()))(t)
		t.Cleanup(func() { c.Close() })
		if path == "" {
			return c
		}
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: got %v, error %v; want 200", path, response, err)
		}
		return c
	}
	silent := open("")
	apitest.Eventually(t, "the silent one is counted", func() bool { return crowd.Stats().Open == 1 })
	first, kept := open("/slow"), open("/")
	open("/slow")
	apitest.Eventually(t, "the address is at its limit", func() bool { return crowd.Stats().Open == 4 })

	open("/slow")
	wantClosed(t, "the one that sent nothing", silent)
	open("/slow")
	wantClosed(t, "the one between requests", kept)
	wantClosed(t, "one too many", open(""))
	if s := crowd.Stats(); s.Open != 4 || s.Evicted != 2 || s.Refused != 1 {
		t.Errorf("got %+v, want 4 open, 2 evicted, 1 refused", s)
	}
	close(release)
	if _, err := io.ReadAll(io.LimitReader(first, 5)); err != nil { // the last chunk
		t.Errorf("a connection in use: got error %v, want the end of its response", err)
	}
	server.Close()
	apitest.Eventually(t, "no connection is left", func() bool { return crowd.Stats().Open == 0 })
}

// TestLargeHeadersOfAnAddressAreBounded sends the beginnings of requests with large URLs
// from one address, which it does not finish, and then requests from another.
func TestLargeHeadersOfAnAddressAreBounded(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	listener := apitest.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	crowd := httpserver.NewCrowd(httpserver.Limits{}, nil, log)
	server := httpserver.New(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		httpserver.TrackRequest(r.Context())
	}), httpserver.Limits{}, log)
	go server.Serve(httpserver.Listener{Listener: listener, Crowd: crowd})
	t.Cleanup(func() { server.Close() })
	dial := func(from string) (net.Conn, error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return c, err
	}
	begin := func(c net.Conn) net.Conn {
		_, _ = io.WriteString(c, "GET /?"+strings.Repeat("x", 512<<10)) // an error means that it was refused
		return c
	}
	var open []net.Conn
	for range 34 { // one more than there is room for
		open = append(open, begin(apitest.Must(dial("127.0.0.1"))(t)))
	}
	apitest.Eventually(t, "one address is refused URLs of 17 MB", func() bool { return crowd.Stats().Refused > 0 })
	finish := func(c net.Conn) *http.Response {
		t.Helper()
		_, _ = io.WriteString(c, " HTTP/1.1\r\nHost: x\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(apitest.Patience))
		return apitest.Must(http.ReadResponse(bufio.NewReader(c), nil))(t)
	}
	if other, err := dial("127.0.0.2"); err == nil { // some systems have only 127.0.0.1
		for range 2 { // the second is not refused if the first is no longer counted
			if got := finish(begin(other)); got.StatusCode != http.StatusOK {
				t.Errorf("another address: got %s, want 200", got.Status)
			}
		}
		other.Close()
	}
	for _, c := range open {
		c.Close()
	}
	apitest.Eventually(t, "those who have gone are not counted", func() bool { return crowd.Stats().Open == 0 })
	if got := finish(begin(apitest.Must(dial("127.0.0.1"))(t))); got.StatusCode != http.StatusOK {
		t.Errorf("the address, once they have gone: got %s, want 200", got.Status)
	}
}

func wantClosed(t *testing.T, what string, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(apitest.Patience))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: got error %v, want it closed", what, err)
	}
}

// TestRequestsThroughAProxyCountForTheirClients sends requests that do not end from
// two clients behind one proxy.
func TestRequestsThroughAProxyCountForTheirClients(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}
	mux := httpserver.NewMux(log, &transport.Origins{})
	mux.Count(httpserver.NewCrowd(httpserver.Limits{Connections: 100, ConnectionsPerAddress: 3}, proxies, log))
	inside, release := make(chan struct{}), make(chan struct{})
	mux.Serve(httpserver.Backend{GraphQL: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			inside <- struct{}{}
			<-release
		}
	})})
	send := func(method, from, client string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, "/graphql", nil)
		r.RemoteAddr = from
		r.Header.Set("X-Forwarded-For", client)
		mux.ServeHTTP(w, r)
		return w
	}
	ended := make(chan struct{})
	hold := func(from, client string, n int) {
		for range n {
			go func() { send(http.MethodPost, from, client); ended <- struct{}{} }()
			<-inside
		}
	}
	hold("10.0.0.1:1", "192.0.2.1", 3)
	w := send(http.MethodGet, "10.0.0.1:1", "192.0.2.1")
	if got := apitest.ReadRefusal(w.Code, w.Header(), w.Body.Bytes()); got.Status != http.StatusTooManyRequests || got.Code != "RATE_LIMITED" || got.Header.Get("Retry-After") == "" {
		t.Errorf("a fourth request of a client: got %d %s, want 429 RATE_LIMITED and when to try again", got.Status, got.Code)
	}
	hold("10.0.0.1:1", "192.0.2.2", 3)  // another client
	hold("192.0.2.3:1", "192.0.2.1", 4) // no proxy: its connections are counted instead
	close(release)
	for range 10 {
		<-ended
	}
	if got := send(http.MethodGet, "10.0.0.1:1", "192.0.2.1"); got.Code != http.StatusOK {
		t.Errorf("once they have ended: got %d, want 200", got.Code)
	}
}
