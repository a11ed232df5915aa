package transport

import (
	"bufio"
	"errors"
	"net"
	"net/http"

	"chirp/graph/panics"
)

// contain answers a request that panicked: with an error if nothing was
// written, else by breaking the connection off, because the client must not
// take what there is for the whole answer.
func (s *Service) contain(w *answerWriter, r *http.Request, v any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	fault := panics.Recovered(r.Context(), v)
	if w.begun {
		_ = s.Present(r.Context(), fault) // which logs it
		panic(http.ErrAbortHandler)
	}
	s.Refuse(w, r, fault)
}

// answerWriter knows whether an answer has begun.
type answerWriter struct {
	http.ResponseWriter
	begun bool
}

// Unwrap lets http.ResponseController find the writer beneath.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *answerWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Hijack implements http.Hijacker, for sockets.
func (w *answerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.begun = w.begun || err == nil
	return conn, rw, err
}
