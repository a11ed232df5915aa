package httpserver_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chirp/graph/transport"
	"chirp/internal/app/httpserver"
)

// TestPublicProbesShareAnAnswer sends many probes at once to a server whose check
// takes a while.
func TestPublicProbesShareAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		mux := httpserver.NewMux(slog.New(slog.DiscardHandler), &transport.Origins{})
		mux.Serve(httpserver.Backend{Unready: func(context.Context) []string {
			time.Sleep(50 * time.Millisecond)
			if checks.Add(1) > 1 {
				return []string{"the second time it is not"}
			}
			return nil
		}})
		probe := func(n, want int) {
			t.Helper()
			var probes sync.WaitGroup
			for range n {
				probes.Go(func() {
					w := httptest.NewRecorder()
					mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
					if w.Code != want {
						t.Errorf("got %d %q, want %d", w.Code, w.Body, want)
					}
				})
			}
			probes.Wait()
		}
		probe(1000, http.StatusOK)
		time.Sleep(20 * time.Millisecond)
		probe(1000, http.StatusOK)
		time.Sleep(time.Second)
		probe(1000, http.StatusServiceUnavailable)
		if n := checks.Load(); n != 2 {
			t.Errorf("3,000 probes caused %d checks, want 2", n)
		}
		mux.Drain()
		probe(1, http.StatusServiceUnavailable)
	})
}
