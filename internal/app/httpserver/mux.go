package httpserver

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chirp/graph/api"
	"chirp/graph/transport"
	"chirp/internal/domain"
	"chirp/internal/gate"
)

// Backend is what a mux serves once the store is open.
type Backend struct {
	GraphQL http.Handler
	Metrics prometheus.Gatherer
	// Unready returns the reasons why requests would not be answered well, none
	// if they would.
	Unready func(context.Context) []string
	// Notices returns what an operator should fix although everything is
	// served.
	Notices func() []string
}

const (
	// unreadBodyTimeout is how long a request's body may take that no handler
	// reads.
	unreadBodyTimeout = 10 * time.Second
	// readyTimeout bounds a readiness probe.
	readyTimeout = 5 * time.Second
)

// Mux routes every request. It answers probes from the first moment, and the
// rest once it has a backend.
type Mux struct {
	mux        *http.ServeMux
	backend    atomic.Pointer[Backend]
	waitingFor atomic.Pointer[string] // why there is no backend yet
	draining   atomic.Bool
	log        *slog.Logger

	unreadBodyTimeout time.Duration
}

// NewMux returns a mux without pages and backend. Pages of the sites in origins
// may use the API.
func NewMux(log *slog.Logger, origins *transport.Origins) *Mux {
	m := &Mux{mux: http.NewServeMux(), log: log, unreadBodyTimeout: unreadBodyTimeout}
	m.mux.Handle("/graphql", crossOrigin(origins, log, http.HandlerFunc(m.graphql)))
	for _, probe := range []string{"/healthz", "/readyz", "/metrics"} {
		m.mux.HandleFunc(probe, methodNotAllowed) // all but those below
	}
	m.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "alive") })
	m.mux.HandleFunc("GET /readyz", m.readyz)
	m.mux.HandleFunc("GET /metrics", m.metrics)
	return m
}

// Serve sets the backend.
func (m *Mux) Serve(b Backend) { m.backend.Store(&b) }

// Drain makes the server unready, because it is stopping.
func (m *Mux) Drain() { m.draining.Store(true) }

// WaitingFor sets the error that keeps the store from being opened.
func (m *Mux) WaitingFor(err error) { reason := err.Error(); m.waitingFor.Store(&reason) }

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer TrackRequest(r.Context())()
	setSecurityHeaders(w.Header())
	if r.Body != http.NoBody { // net/http reads it to the end before it answers
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(m.unreadBodyTimeout)) // some writers have none
	}
	if r.RequestURI == "*" {
		wholeServer(w, r)
		return
	}
	m.mux.ServeHTTP(w, r)
}

// wholeServer answers a request that is about no path. Only OPTIONS, which asks
// whether the server is there, makes sense.
func wholeServer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodOptions {
		refuse(w, http.StatusBadRequest, "BAD_USER_INPUT", "only OPTIONS can be about the whole server; the API is at /graphql")
		return
	}
	w.Header().Set("Allow", "GET, HEAD, OPTIONS, POST")
	w.WriteHeader(http.StatusNoContent)
}

func (m *Mux) graphql(w http.ResponseWriter, r *http.Request) {
	if b := m.backend.Load(); b != nil {
		b.GraphQL.ServeHTTP(w, r)
		return
	}
	api.Refuse(w, r, domain.Errorf(domain.Unavailable, "the store is not open yet; try again in a moment"))
}

// readyz answers 200 if requests sent here will be answered well: the store is
// reachable, and the views serve and are not far behind.
func (m *Mux) readyz(w http.ResponseWriter, r *http.Request) {
	if reasons := m.unready(r.Context()); len(reasons) > 0 {
		writeText(w, http.StatusServiceUnavailable, strings.Join(reasons, "\n"))
		return
	}
	lines := []string{"ready"}
	if b := m.backend.Load(); b != nil {
		lines = append(lines, b.Notices()...)
	}
	writeText(w, http.StatusOK, strings.Join(lines, "\n"))
}

func (m *Mux) unready(ctx context.Context) []string {
	if m.draining.Load() {
		return []string{"the server is stopping"}
	}
	if b := m.backend.Load(); b != nil {
		ctx, cancel := context.WithTimeout(gate.Own(ctx), readyTimeout)
		defer cancel()
		return b.Unready(ctx)
	}
	if reason := m.waitingFor.Load(); reason != nil {
		return []string{"the store cannot be reached: " + *reason}
	}
	return []string{"the store is being opened"}
}

func (m *Mux) metrics(w http.ResponseWriter, r *http.Request) {
	b := m.backend.Load()
	if b == nil {
		writeText(w, http.StatusServiceUnavailable, "the store is not open yet")
		return
	}
	promhttp.HandlerFor(b.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// writeText answers with lines of text.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // an error means that the client has gone
}
