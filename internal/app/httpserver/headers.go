package httpserver

import "net/http"

// setSecurityHeaders sets the headers of every response, unless its handler
// knows better: no page, no guessing of its type, no frame, no referrer, and
// nothing to cache.
func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}
