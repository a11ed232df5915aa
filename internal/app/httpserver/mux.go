package httpserver

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chirp/graph/api"
	"chirp/graph/transport"
	"chirp/internal/domain"
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

// unreadBodyTimeout is how long a request's body may take that no handler reads.
const unreadBodyTimeout = 10 * time.Second

// Mux routes every request. It answers probes from the first moment, and the
// rest once it has a backend. Ops returns what is for the operator only.
type Mux struct {
	mux        *http.ServeMux
	backend    atomic.Pointer[Backend]
	waitingFor atomic.Pointer[string] // why there is no backend yet
	ready      *readiness
	draining   atomic.Bool
	hosts      *Hosts // nil for any
	crowd      *Crowd // nil for no limits
	log        *slog.Logger

	unreadBodyTimeout time.Duration
}

// NewMux returns a mux without pages and backend. Pages of the sites in origins
// may use the API.
func NewMux(log *slog.Logger, origins *transport.Origins) *Mux {
	m := &Mux{mux: http.NewServeMux(), ready: newReadiness(), log: log, unreadBodyTimeout: unreadBodyTimeout}
	m.mux.Handle("/graphql", crossOrigin(origins, log, http.HandlerFunc(m.graphql)))
	for _, probe := range []string{"/healthz", "/readyz"} {
		m.mux.HandleFunc(probe, methodNotAllowed) // all but those below
	}
	m.mux.HandleFunc("GET /healthz", healthz)
	m.mux.HandleFunc("GET /readyz", m.readyz)
	m.mux.HandleFunc("/metrics", notFound) // for the operator, see Ops
	return m
}

// AnswerTo sets the names by which clients may call the server, except for its
// probes, which load balancers call by addresses of their own. It must be called
// before the first request.
func (m *Mux) AnswerTo(hosts *Hosts) { m.hosts = hosts }

// Count counts requests through proxies in a crowd. It must be called before the first
// request.
func (m *Mux) Count(c *Crowd) { m.crowd = c }

// Serve sets the backend.
func (m *Mux) Serve(b Backend) { m.backend.Store(&b) }

// Drain makes the server unready, because it is stopping.
func (m *Mux) Drain() { m.draining.Store(true) }

// WaitingFor sets the error that keeps the store from being opened.
func (m *Mux) WaitingFor(err error) { reason := err.Error(); m.waitingFor.Store(&reason) }

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	TrackRequest(r.Context())
	setSecurityHeaders(w.Header())
	if r.Body != http.NoBody { // net/http reads it to the end before it answers
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(m.unreadBodyTimeout)) // some writers have none
	}
	if probe := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"; !probe && m.hosts != nil && m.hosts.refuse(w, r) {
		return
	}
	if m.crowd != nil {
		leave, ok := m.crowd.enterRequest(r)
		if !ok {
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "RATE_LIMITED", "too many requests and sockets from this address at once; try again in a second")
			return
		}
		defer leave()
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

// writeText answers with lines of text.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // an error means that the client has gone
}
