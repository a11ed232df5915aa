package apitest

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"chirp/graph/guard"
	"chirp/internal/app"
)

// Server is a server that runs in the test process.
type Server struct {
	URL string
	Ops string // the URL of the operator's address
	Log Output
	// Interrupt starts a graceful stop, and Ended is closed at its end.
	Interrupt context.CancelFunc
	Ended     chan struct{}
	err       error // once Ended is closed
}

// Serve runs a server in the test process until the test ends or Stop is
// called, and waits until it listens. The func serves until its context ends,
// and logs to the writer.
func Serve(t testing.TB, serve func(ctx context.Context, log io.Writer) error) *Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Interrupt: cancel, Ended: make(chan struct{})}
	go func() {
		defer close(s.Ended)
		s.err = serve(ctx, &s.Log)
	}()
	t.Cleanup(func() { s.Stop(t); s.Log.Check(t) })
	Eventually(t, "the server listens", func() bool {
		select {
		case <-s.Ended:
			t.Fatalf("the server ended at once: %v", s.err)
		default:
		}
		m := probeLine.FindStringSubmatch(s.Log.String())
		if m != nil {
			s.URL, s.Ops = m[1], m[2]
		}
		return m != nil
	})
	return s
}

// ServeApp is Serve for a store, without rate limits. change, unless it is nil,
// changes the settings.
func ServeApp(t testing.TB, open func(context.Context) (app.Storage, error), change func(*app.Config)) *Server {
	t.Helper()
	cfg := app.Config{Addr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0", CelebrityThreshold: 10_000, LocalPasswords: true, Guard: guard.Config{Introspection: true}}
	if change != nil {
		change(&cfg)
	}
	return Serve(t, func(ctx context.Context, log io.Writer) error {
		return app.Serve(ctx, cfg, open, slog.New(slog.NewTextHandler(log, nil)))
	})
}

// Stop stops the server gracefully, and checks that it ends without an error.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.Interrupt()
	select {
	case <-s.Ended:
	case <-time.After(Patience):
		t.Fatal("the server does not stop")
	}
	if s.err != nil {
		t.Errorf("the server ended with error %v after a graceful stop, want none", s.err)
	}
}
