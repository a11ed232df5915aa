package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// server is a server that runs within the test process.
type server struct {
	url  string
	log  apitest.Output
	end  context.CancelFunc
	done chan struct{}
	err  error // of run, once done is closed
}

// start runs a server on a place until the test ends or stop is called, and
// waits until it is ready.
func start(t testing.TB, p apitest.Place, more ...string) *server {
	t.Helper()
	s := begin(t, p, more...)
	apitest.Ready(t, s.url)
	return s
}

// begin is start without the wait.
func begin(t testing.TB, p apitest.Place, more ...string) *server {
	t.Helper()
	cfg, err := parseConfig(slices.Concat(p.Args, []string{"--addr", "127.0.0.1:0", "--rate-limit", "0"}, more), io.Discard)
	if err != nil {
		t.Fatalf("parseConfig: %v", err)
	}
	listening := make(chan net.Addr, 1)
	cfg.listening = func(a net.Addr) { listening <- a }
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{end: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = run(ctx, cfg, slog.New(slog.NewTextHandler(&s.log, nil)))
	}()
	t.Cleanup(func() { s.stop(t); s.log.Check(t) })
	select {
	case addr := <-listening:
		s.url = "http://" + addr.String()
	case <-s.done:
		t.Fatalf("run: %v", s.err)
	}
	return s
}

// stop ends the server gracefully, and checks that it took it so.
func (s *server) stop(t testing.TB) {
	t.Helper()
	s.end()
	select {
	case <-s.done:
	case <-time.After(apitest.Patience):
		t.Fatal("run does not return after its context was cancelled")
	}
	if s.err != nil {
		t.Errorf("run: got error %v after a graceful stop, want none", s.err)
	}
}
