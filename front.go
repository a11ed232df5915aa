package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// front is the HTTP surface: it answers probes from the first moment, and
// passes everything else on once the store is open.
type front struct {
	mux      *http.ServeMux
	app      atomic.Pointer[app]
	waiting  atomic.Pointer[string] // why there is no app yet
	draining atomic.Bool
	log      *slog.Logger
}

// newFront lets pages of the sites in origins use the API.
func newFront(log *slog.Logger, origins ...string) *front {
	f := &front{mux: http.NewServeMux(), log: log}
	f.mux.Handle("/graphql", crossOrigin(origins, http.HandlerFunc(f.graphql)))
	f.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	f.mux.HandleFunc("GET /readyz", f.readyz)
	f.mux.HandleFunc("GET /metrics", f.metrics)
	return f
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	f.mux.ServeHTTP(w, r)
}

func (f *front) serve(a *app)         { f.app.Store(a) }
func (f *front) drain()               { f.draining.Store(true) }
func (f *front) waitingFor(err error) { reason := err.Error(); f.waiting.Store(&reason) }

func (f *front) graphql(w http.ResponseWriter, r *http.Request) {
	if a := f.app.Load(); a != nil {
		a.graphql.ServeHTTP(w, r)
		return
	}
	body, err := json.Marshal(map[string]any{"errors": []any{map[string]any{
		"message":    "the store is not open yet; try again in a moment",
		"extensions": map[string]any{"code": "UNAVAILABLE"},
	}}})
	if err != nil {
		f.log.Error("encode an answer", "error", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	if _, err := w.Write(body); err != nil {
		f.log.Debug("write an answer", "error", err)
	}
}

// readyz is green when requests sent here will be answered well: the store is
// reachable, and the views are live and not far behind.
func (f *front) readyz(w http.ResponseWriter, r *http.Request) {
	if reasons := f.unready(r.Context()); len(reasons) > 0 {
		answer(w, http.StatusServiceUnavailable, strings.Join(reasons, "\n"))
		return
	}
	answer(w, http.StatusOK, "ready")
}

func (f *front) unready(ctx context.Context) []string {
	if f.draining.Load() {
		return []string{"the server is stopping"}
	}
	if a := f.app.Load(); a != nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return a.unready(ctx)
	}
	if reason := f.waiting.Load(); reason != nil {
		return []string{"the store cannot be reached: " + *reason}
	}
	return []string{"the store is being opened"}
}

func (f *front) metrics(w http.ResponseWriter, r *http.Request) {
	a := f.app.Load()
	if a == nil {
		answer(w, http.StatusServiceUnavailable, "the store is not open yet")
		return
	}
	promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(text + "\n")); err != nil {
		return // the client has gone
	}
}
