package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/cors"

	"chirp/graph/transport"
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

// sharedMethods and sharedHeaders are what pages of other sites may use.
func sharedMethods() []string { return []string{http.MethodGet, http.MethodHead, http.MethodPost} }

func sharedHeaders() []string {
	return []string{
		"Accept", "Authorization", "Content-Type", "Chirp-Read-After", "Chirp-Cost", "X-Request-Id", "Cache-Control", "Last-Event-Id",
		// What tracing and error reporting add to each request.
		"Traceparent", "Tracestate", "Baggage", "Sentry-Trace",
		// What Apollo's clients and gateways send, and what others do so that a
		// browser asks first.
		"Apollo-Require-Preflight", "Graphql-Require-Preflight", "X-Requested-With",
		"Apollographql-Client-Name", "Apollographql-Client-Version", "X-Apollo-Operation-Name", "X-Apollo-Operation-Id",
	}
}

// crossOrigin lets pages of other sites read answers, and send the headers that
// clients need. Credentials of the browser's own, such as cookies, are never
// taken: a caller is who its token says. Without origins, pages of this server
// alone can use it. What is refused, by the browser, is in the log.
func crossOrigin(origins *transport.Origins, log *slog.Logger, next http.Handler) http.Handler {
	shared := next
	if !origins.None() { // which the library would take for all
		options := cors.Options{
			AllowOriginFunc: origins.Allow, AllowedMethods: sharedMethods(), AllowedHeaders: sharedHeaders(),
			ExposedHeaders: []string{"X-Request-Id", "Retry-After", "WWW-Authenticate"},
			MaxAge:         600, // seconds that a browser need not ask again
		}
		if origins.Any() {
			options.AllowOriginFunc, options.AllowedOrigins = nil, []string{"*"}
		}
		shared = cors.New(options).Handler(next)
	}
	refusals := &seldom{log: log, every: 10 * time.Second}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sortRequested(r.Header)
		if message, attrs := refusedToPage(origins, r); message != "" {
			refusals.warn(message, attrs...)
		}
		shared.ServeHTTP(w, r)
	})
}

const requestedHeaders = "Access-Control-Request-Headers"

// mostRequested bounds how many headers a browser may ask for.
const mostRequested = 64

// sortRequested brings the headers that a preflight asks for into the form in
// which the library expects them, as browsers send them: one list in lower case,
// sorted, each once. Proxies and scripts send others.
func sortRequested(h http.Header) {
	if h[requestedHeaders] == nil {
		return
	}
	names := requested(h)
	if len(names) > mostRequested {
		return // the library refuses it
	}
	slices.Sort(names)
	h.Set(requestedHeaders, strings.Join(slices.Compact(names), ","))
}

func requested(h http.Header) []string {
	var names []string
	for part := range strings.SplitSeq(strings.Join(h[requestedHeaders], ","), ",") {
		if name := strings.ToLower(strings.Trim(part, " \t")); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// refusedToPage says why a browser keeps an answer from the page that asks for
// it, or does not ask at all; empty if it does neither.
func refusedToPage(origins *transport.Origins, r *http.Request) (message string, attrs []any) {
	site, foreign := origins.Foreign(r)
	if site == "" || r.Header.Get("Sec-Fetch-Site") == "same-origin" && r.Header.Get("Upgrade") == "" {
		return "", nil // the browser knows its site by another name than a proxy here
	}
	attrs = []any{"origin", fmt.Sprintf("%.200s", site), "host", fmt.Sprintf("%.200s", r.Host)}
	if foreign {
		return "a page of another site is not let in: its origin is neither that of the request's Host nor one of --allowed-origins", attrs
	}
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || method == "" {
		return "", nil
	}
	if !slices.Contains(sharedMethods(), method) {
		return "a page of another site was refused: it asks for a method that the API has not", append(attrs, "method", fmt.Sprintf("%.40s", method))
	}
	allowed := sharedHeaders()
	for _, name := range requested(r.Header) {
		if !slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, name) }) {
			return "a page of another site was refused: it sends a header that the API does not take from pages", append(attrs, "header", fmt.Sprintf("%.80s", name))
		}
	}
	return "", nil
}

// seldom writes warnings that strangers bring about: at most one in a while, with
// the number of those left out, so that nobody can fill the log.
type seldom struct {
	log   *slog.Logger
	every time.Duration

	mu   sync.Mutex
	next time.Time
	left int
}

func (s *seldom) warn(message string, attrs ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Before(s.next) {
		s.left++
		return
	}
	if s.left > 0 {
		attrs = append(attrs, "leftOut", s.left)
	}
	s.next, s.left = now.Add(s.every), 0
	s.log.Warn(message, attrs...)
}
