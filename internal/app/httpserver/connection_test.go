package httpserver_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"chirp/graph/transport"
	"chirp/internal/apitest"
	"chirp/internal/app/httpserver"
)

// TestRefusalsOfTheConnectionAreReadable sends what net/http refuses before it
// has a request for a handler.
func TestRefusalsOfTheConnectionAreReadable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpserver.TrackRequest(r.Context())
		http.Error(w, "as the handler wants it", http.StatusTeapot)
	})
	server := httpserver.New(answers, httpserver.Limits{}, slog.New(slog.DiscardHandler))
	server.ReadHeaderTimeout = 2 * time.Second
	go server.Serve(httpserver.Listener{Listener: listener})
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
			got := apitest.ReadRefusal(0, nil, []byte(body))
			if !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", c.status)) || got.Code != "BAD_USER_INPUT" || !strings.Contains(got.Message, c.says) || !strings.Contains(head, "Connection: close") {
				t.Errorf("got %s, want %d and %q as JSON", text, c.status, c.says)
			}
		})
	}
	if text := exchange(t, listener.Addr().String(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(text, "HTTP/1.1 418 ") || !strings.HasSuffix(text, "as the handler wants it\n") {
		t.Errorf("a handler's refusal: got %q, want it as it is", text)
	}
}

// TestEachRequestHasOneResponse sends requests that net/http can answer by itself:
// a client would take a second response for that of the next request.
func TestEachRequestHasOneResponse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	server := httpserver.New(httpserver.NewMux(log, &transport.Origins{}), httpserver.Limits{}, log)
	go server.Serve(httpserver.Listener{Listener: listener})
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

// TestBodyThatStopsHoldsNoConnection sends requests that handlers answer without
// reading the body, and some whose body they wait for.
func TestBodyThatStopsHoldsNoConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	mux := httpserver.NewMux(log, &transport.Origins{})
	mux.SetUnreadBodyTimeout(200 * time.Millisecond)
	if err := mux.ServePages(true); err != nil {
		t.Fatal(err)
	}
	server := httpserver.New(mux, httpserver.Limits{}, log)
	go server.Serve(httpserver.Listener{Listener: listener})
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

// pause marks where exchange waits for the response to what comes before.
const pause = "\x00"

// exchange writes a request and reads until the server closes the connection. If
// the server closes it while the rest of a large request is under way, the
// response may be lost; exchange then tries again.
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

// The system keeps little of what a client does not read.
func TestTheSystemKeepsLittleForAClient(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	client, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	conn, err := httpserver.Listener{Listener: tcp}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	if n, err := conn.Write(make([]byte, 16<<20)); err == nil || n > 1<<20 {
		t.Errorf("the system took %d bytes, error %v, want at most 1 MiB and a timeout", n, err)
	}
}
