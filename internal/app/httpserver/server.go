// Package httpserver is the server's HTTP surface apart from the API itself: the
// mux, the probes, the web pages, the headers of every response, and readable
// refusals. It answers before the store is open.
package httpserver

import (
	"log/slog"
	"net/http"
)

// New returns an HTTP server for a handler, which must pass its requests to
// TrackRequest, and a Listener. Every request reaches the handler, even
// OPTIONS *, so that the connection knows that a handler has it.
func New(handler http.Handler, limits Limits, log *slog.Logger) *http.Server {
	limits = limits.WithDefaults()
	return &http.Server{Handler: handler, ReadHeaderTimeout: limits.Header, IdleTimeout: limits.Idle,
		ConnContext: connContext, ConnState: connState, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
}
