package transport

import (
	"bufio"
	"errors"
	"net"
	"net/http"

	"chirp/graph/panics"
)

// recoverPanic responds to a request that panicked: with an error if nothing was
// written yet, or else by aborting the connection, so that the client does not take
// a part of the response for all of it.
func (s *Service) recoverPanic(w *startedWriter, r *http.Request, v any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	fault := panics.Recovered(r.Context(), v)
	if w.started {
		_ = s.Present(r.Context(), fault) // which logs it
		panic(http.ErrAbortHandler)
	}
	s.Refuse(w, r, fault)
}

// startedWriter records whether the response has been started.
type startedWriter struct {
	http.ResponseWriter
	started bool
}

// Unwrap lets http.ResponseController find the writer beneath.
func (w *startedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *startedWriter) WriteHeader(status int) {
	w.started = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *startedWriter) Write(b []byte) (int, error) {
	w.started = true
	return w.ResponseWriter.Write(b)
}

// Hijack implements http.Hijacker, for sockets.
func (w *startedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.started = w.started || err == nil
	return conn, rw, err
}
