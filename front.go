package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	graphapi "chirp/graph/api"
	"chirp/graph/transport"
	"chirp/internal/domain"
	"chirp/internal/gate"
)

// front is the HTTP surface: it answers probes from the first moment, and
// passes everything else on once the store is open.
type front struct {
	mux      *http.ServeMux
	app      atomic.Pointer[application]
	waiting  atomic.Pointer[string] // why there is no app yet
	draining atomic.Bool
	log      *slog.Logger

	unread time.Duration // how long a body may take that no handler reads
}

// newFront lets pages of the sites in origins use the API.
func newFront(log *slog.Logger, origins *transport.Origins) *front {
	f := &front{mux: http.NewServeMux(), log: log, unread: 10 * time.Second}
	f.mux.Handle("/graphql", crossOrigin(origins, log, http.HandlerFunc(f.graphql)))
	for _, probe := range []string{"/healthz", "/readyz", "/metrics"} {
		f.mux.HandleFunc(probe, methodNotAllowed) // all but those below
	}
	f.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	f.mux.HandleFunc("GET /readyz", f.readyz)
	f.mux.HandleFunc("GET /metrics", f.metrics)
	return f
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer served(r.Context())()
	secure(w.Header())
	if r.Body != http.NoBody { // net/http reads it to the end before it answers
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(f.unread)) // some writers have none
	}
	if r.RequestURI == "*" {
		wholeServer(w, r)
		return
	}
	f.mux.ServeHTTP(w, r)
}

// wholeServer answers a request that is about no path: OPTIONS * asks whether
// the server is there, and there are no others.
func wholeServer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodOptions {
		refuseText(w, http.StatusBadRequest, "BAD_USER_INPUT", "only OPTIONS can be about the whole server; the API is at /graphql")
		return
	}
	w.Header().Set("Allow", "GET, HEAD, OPTIONS, POST")
	w.WriteHeader(http.StatusNoContent)
}

func (f *front) serve(a *application) { f.app.Store(a) }
func (f *front) drain()               { f.draining.Store(true) }
func (f *front) waitingFor(err error) { reason := err.Error(); f.waiting.Store(&reason) }

func (f *front) graphql(w http.ResponseWriter, r *http.Request) {
	if a := f.app.Load(); a != nil {
		a.graphql.ServeHTTP(w, r)
		return
	}
	graphapi.Refuse(w, r, domain.Errorf(domain.Unavailable, "the store is not open yet; try again in a moment"))
}

// readyz is green when requests sent here will be answered well: the store is
// reachable, and the views are live and not far behind.
func (f *front) readyz(w http.ResponseWriter, r *http.Request) {
	if reasons := f.unready(r.Context()); len(reasons) > 0 {
		answer(w, http.StatusServiceUnavailable, strings.Join(reasons, "\n"))
		return
	}
	lines := []string{"ready"}
	if a := f.app.Load(); a != nil {
		lines = append(lines, a.store.Notices()...)
	}
	answer(w, http.StatusOK, strings.Join(lines, "\n"))
}

func (f *front) unready(ctx context.Context) []string {
	if f.draining.Load() {
		return []string{"the server is stopping"}
	}
	if a := f.app.Load(); a != nil {
		ctx, cancel := context.WithTimeout(gate.Own(ctx), 5*time.Second)
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
