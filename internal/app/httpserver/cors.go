package httpserver

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rs/cors"

	"chirp/graph/transport"
)

// corsMaxAge is for how many seconds a browser need not ask again.
const corsMaxAge = 600

// allowedMethods and allowedHeaders return what pages of other sites may use.
func allowedMethods() []string { return []string{http.MethodGet, http.MethodHead, http.MethodPost} }

func allowedHeaders() []string {
	return []string{
		"Accept", "Authorization", "Content-Type", "Chirp-Read-After", "Chirp-Cost", "X-Request-Id", "Cache-Control", "Last-Event-Id",
		// What tracing and error reporting add to each request.
		"Traceparent", "Tracestate", "Baggage", "Sentry-Trace",
		// What Apollo's clients and gateways send, and what others send to make a
		// browser ask first.
		"Apollo-Require-Preflight", "Graphql-Require-Preflight", "X-Requested-With",
		"Apollographql-Client-Name", "Apollographql-Client-Version", "X-Apollo-Operation-Name", "X-Apollo-Operation-Id",
	}
}

// crossOrigin lets pages of the sites in origins read responses, and send the
// headers that clients need; without origins, only this server's own pages can
// use the API. Cookies are never allowed: the token says who the caller is. What
// a browser will refuse is logged.
func crossOrigin(origins *transport.Origins, log *slog.Logger, next http.Handler) http.Handler {
	handler := next
	if !origins.None() { // the library would take an empty list for all sites
		options := cors.Options{
			AllowOriginFunc: origins.Allow, AllowedMethods: allowedMethods(), AllowedHeaders: allowedHeaders(),
			ExposedHeaders: []string{"X-Request-Id", "Retry-After", "WWW-Authenticate"},
			MaxAge:         corsMaxAge,
		}
		if origins.Any() {
			options.AllowOriginFunc, options.AllowedOrigins = nil, []string{"*"}
		}
		handler = cors.New(options).Handler(next)
	}
	refusals := &throttledLog{log: log, every: 10 * time.Second}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sortRequestedHeaders(r.Header)
		if message, attrs := crossOriginRefusal(origins, r); message != "" {
			refusals.warn(message, attrs...)
		}
		handler.ServeHTTP(w, r)
	})
}

const (
	requestHeaders = "Access-Control-Request-Headers"
	// maxRequestedHeaders bounds how many headers a preflight may ask for.
	maxRequestedHeaders = 64
)

// sortRequestedHeaders brings the headers that a preflight asks for into the
// only form that the library accepts, in which browsers send them: one list in
// lower case, sorted, each once. Proxies and scripts send others.
func sortRequestedHeaders(h http.Header) {
	if h[requestHeaders] == nil {
		return
	}
	names := requestedHeaders(h)
	if len(names) > maxRequestedHeaders {
		return // the library refuses it
	}
	slices.Sort(names)
	h.Set(requestHeaders, strings.Join(slices.Compact(names), ","))
}

func requestedHeaders(h http.Header) []string {
	var names []string
	for part := range strings.SplitSeq(strings.Join(h[requestHeaders], ","), ",") {
		if name := strings.ToLower(strings.Trim(part, " \t")); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// crossOriginRefusal returns why a browser will keep the response from the page
// that sent the request, or will not send the request that this preflight is
// for. The message is empty if it will do neither.
func crossOriginRefusal(origins *transport.Origins, r *http.Request) (message string, attrs []any) {
	site, foreign := origins.Foreign(r)
	if site == "" || r.Header.Get("Sec-Fetch-Site") == "same-origin" && r.Header.Get("Upgrade") == "" {
		return "", nil // behind a proxy the site may have another name for the browser
	}
	attrs = []any{"origin", fmt.Sprintf("%.200s", site), "host", fmt.Sprintf("%.200s", r.Host)}
	if foreign {
		return "a page of another site is not let in: its origin is neither that of the request's Host nor one of --allowed-origins", attrs
	}
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || method == "" {
		return "", nil
	}
	if !slices.Contains(allowedMethods(), method) {
		return "a page of another site was refused: it asks for a method that the API does not have", append(attrs, "method", fmt.Sprintf("%.40s", method))
	}
	allowed := allowedHeaders()
	for _, name := range requestedHeaders(r.Header) {
		if !slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, name) }) {
			return "a page of another site was refused: it sends a header that the API does not take from pages", append(attrs, "header", fmt.Sprintf("%.80s", name))
		}
	}
	return "", nil
}
