package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/internal/apitest"
)

// from returns a dialer whose connections come from an address of this machine.
func from(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: apitest.Patience}
}

// launchWithFiles launches a server whose process may have only so many files open.
func launchWithFiles(t *testing.T, p apitest.Place, files int, flags ...string) *apitest.Process {
	t.Helper()
	args := slices.Concat([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, files), "sh", apitest.Program(t)}, p.Args,
		[]string{"--addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0", "--rate-limit", "0"}, flags)
	s, listening := apitest.SpawnWith(t, exec.Command("sh", args...), nil)
	url, ok := <-listening
	if !ok {
		t.Fatalf("the server ended at once:\n%s", s.Log.String())
	}
	s.URL = url
	apitest.Ready(t, s.URL)
	return s
}

// TestIdleConnectionsLeaveFilesToTheStore opens more connections than the process
// may have files, and sends nothing on them, while the server posts, reads, and opens
// the files of rebuilt views.
func TestIdleConnectionsLeaveFilesToTheStore(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		const files = 256
		s := launchWithFiles(t, p, files)
		users := apitest.RegisterAll(t, s.URL, "ann", "bob")
		apitest.Must(users[0].At(s.URL).Follow(t.Context(), users[1].ID, ""))(t)
		wantInFeed(t, users[1], users[0], "before", s.URL)
		apitest.Client.CloseIdleConnections()

		stranger, host := from("127.0.0.2"), strings.TrimPrefix(s.URL, "http://")
		stop := make(chan struct{})
		var flood sync.WaitGroup
		flood.Go(func() { openIdle(t, stranger, host, 2*files, stop) })
		apitest.Eventually(t, "the stranger has what it may have", func() bool {
			return metric(t, s.Ops, `chirp_http_connections_closed_total{which="idle"}`) > 0
		})
		for i := range 5 {
			wantInFeed(t, users[1], users[0], fmt.Sprint("meanwhile ", i), s.URL)
		}
		if e := p.Command(t, "rebuild"); e.Code != 0 {
			t.Errorf("rebuild: got exit code %d and %s", e.Code, e.Log)
		}
		wantInFeed(t, users[1], users[0], "from rebuilt views", s.URL)
		if open, most := len(apitest.Must(os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Cmd.Process.Pid)))(t)), metric(t, s.Ops, "chirp_http_connections_most"); open >= files || most != files/4 {
			t.Errorf("got %d files open and a limit of %d connections, want fewer than %d and %d", open, most, files, files/4)
		}
		if text := s.Log.String(); strings.Contains(text, "too many open files") || !strings.Contains(text, "few files open") {
			t.Errorf("the log should say that the limit of files is low, and no more:\n%s", text)
		}
		close(stop)
		flood.Wait()
		s.Terminate(t)
	})
}

// openIdle keeps up to n connections open, and opens others when they are closed,
// until stop is closed.
func openIdle(t *testing.T, d *net.Dialer, host string, n int, stop chan struct{}) {
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for {
		select {
		case <-stop:
			return
		default:
		}
		c, err := d.DialContext(t.Context(), "tcp", host)
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		if open = append(open, c); len(open) > n {
			open[0].Close()
			open = open[1:]
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// TestAnOfficeBehindOneAddressIsNotLimited opens the connections of 200 people, some
// of whom have several pages open, and uses each of them twice.
func TestAnOfficeBehindOneAddressIsNotLimited(t *testing.T) {
	const people, each = 200, 7
	s := apitest.Start(t, apitest.Embedded(t.TempDir()))
	if most := metric(t, s.Ops, "chirp_http_connections_most"); most < 2*people*each {
		t.Skipf("the process may have only %d connections", most)
	}
	host := strings.TrimPrefix(s.URL, "http://")
	connections := make([]net.Conn, people*each)
	for i := range connections {
		connections[i] = apitest.Must(from("127.0.0.3").DialContext(t.Context(), "tcp", host))(t)
		defer connections[i].Close()
	}
	const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for range 2 {
		for i, c := range connections {
			_ = c.SetDeadline(time.Now().Add(apitest.Patience))
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
		}
		answer := make([]byte, len("HTTP/1.1 200"))
		for i, c := range connections {
			if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 200" {
				t.Fatalf("connection %d: got %q, error %v; want 200", i, answer, err)
			}
			drainAnswer(t, c)
		}
	}
	if n := metric(t, s.Ops, `chirp_http_connections_closed_total{which="idle"}`) + metric(t, s.Ops, `chirp_http_connections_closed_total{which="new"}`); n != 0 {
		t.Errorf("%d connections were closed, want none", n)
	}
}

// drainAnswer reads the rest of an answer to a liveness probe.
func drainAnswer(t *testing.T, c net.Conn) {
	t.Helper()
	for text := ""; !strings.HasSuffix(text, "\r\n\r\nalive\n"); {
		b := make([]byte, 1024)
		n, err := c.Read(b)
		if text += string(b[:n]); err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
	}
}
