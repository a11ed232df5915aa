package httpserver

import (
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Ops returns the handler of the operator's address, which answers requests that call
// it by one of the names in hosts. It serves the probes with their reasons, the
// metrics and the profiles, which are for the operator only. The command line is not
// among the profiles, because it may have secrets.
func (m *Mux) Ops(hosts *Hosts) http.Handler {
	ops := http.NewServeMux()
	ops.HandleFunc("GET /healthz", healthz)
	ops.HandleFunc("GET /readyz", m.readyReasons)
	ops.HandleFunc("GET /metrics", m.metrics)
	ops.HandleFunc("GET /debug/pprof/", pprof.Index)
	ops.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	ops.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	ops.HandleFunc("GET /debug/pprof/cmdline", notFoundOps)
	ops.HandleFunc("/", notFoundOps)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		TrackRequest(r.Context())
		setSecurityHeaders(w.Header())
		if !hosts.refuse(w, r) {
			ops.ServeHTTP(w, r)
		}
	})
}

func notFoundOps(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusNotFound, "this is the operator's address: there are /healthz, /readyz, /metrics and /debug/pprof/")
}

// readyReasons answers as readyz does, with a line for each reason why the
// server is not ready, or for each notice.
func (m *Mux) readyReasons(w http.ResponseWriter, r *http.Request) {
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

func (m *Mux) metrics(w http.ResponseWriter, r *http.Request) {
	b := m.backend.Load()
	if b == nil {
		writeText(w, http.StatusServiceUnavailable, "the store is not open yet")
		return
	}
	promhttp.HandlerFor(b.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}
