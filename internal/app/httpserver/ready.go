package httpserver

import (
	"context"
	"net/http"
	"time"

	"chirp/internal/gate"
)

const (
	// readyTimeout bounds a readiness probe.
	readyTimeout = 5 * time.Second
	// readyFor is how long the answer of a public probe is given again: a probe
	// reads from the store, with connections that are reserved for the server.
	readyFor = 100 * time.Millisecond
)

func healthz(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "alive") }

// readyz answers 200 if requests sent here will be answered well: the store is
// reachable, and the views serve and are not far behind. Anyone may ask, so the
// reasons are for the operator's address only.
func (m *Mux) readyz(w http.ResponseWriter, r *http.Request) {
	if !m.draining.Load() && m.ready.get(r.Context(), func() bool { return len(m.unready(r.Context())) == 0 }) {
		writeText(w, http.StatusOK, "ready")
		return
	}
	writeText(w, http.StatusServiceUnavailable, "not ready")
}

// unready returns the reasons why the server is not ready.
func (m *Mux) unready(ctx context.Context) []string {
	if m.draining.Load() {
		return []string{"the server is stopping"}
	}
	if b := m.backend.Load(); b != nil {
		// The answer is shared, so it does not depend on one client's patience.
		ctx, cancel := context.WithTimeout(gate.Own(context.WithoutCancel(ctx)), readyTimeout)
		defer cancel()
		return b.Unready(ctx)
	}
	if reason := m.waitingFor.Load(); reason != nil {
		return []string{"the store cannot be reached: " + *reason}
	}
	return []string{"the store is being opened"}
}

// readiness is the last answer of a public probe. Probes that come together wait
// for one answer.
type readiness struct {
	turn  chan struct{} // has one element while no probe checks
	ready bool
	until time.Time // when the answer is too old
}

func newReadiness() *readiness {
	r := &readiness{turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	return r
}

// get returns the last answer, or checks again. It returns false if ctx ends
// first.
func (r *readiness) get(ctx context.Context, check func() bool) bool {
	select {
	case <-r.turn:
		defer func() { r.turn <- struct{}{} }()
	case <-ctx.Done():
		return false
	}
	if time.Now().After(r.until) {
		r.ready = check()
		r.until = time.Now().Add(readyFor)
	}
	return r.ready
}
