package main

import (
	"net/http"

	"github.com/rs/cors"
)

// secure sets the headers that every answer has unless its handler knows
// better: nothing here is a page, is to be guessed at, shown in a frame, or kept
// by anybody on the way.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// crossOrigin lets pages of other sites read answers, and send the headers that
// clients need. Credentials of the browser's own, such as cookies, are never
// taken: a caller is who its token says. Without origins, pages of this server
// alone can use it.
func crossOrigin(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 { // which the library would take for all
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowedHeaders: []string{
			"Accept", "Authorization", "Content-Type", "Chirp-Read-After", "X-Request-Id", "Traceparent", "Tracestate",
			// What Apollo's clients and gateways send.
			"Apollo-Require-Preflight", "Apollographql-Client-Name", "Apollographql-Client-Version", "X-Apollo-Operation-Name", "X-Apollo-Operation-Id",
		},
		ExposedHeaders: []string{"X-Request-Id", "Retry-After", "WWW-Authenticate"},
		MaxAge:         600, // seconds that a browser need not ask again
	}).Handler(next)
}
