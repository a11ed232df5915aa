package httpserver_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chirp/graph/transport"
	"chirp/internal/apitest"
	"chirp/internal/app/httpserver"
)

// serveMux serves a mux without a backend.
func serveMux(t *testing.T, origins ...string) string {
	t.Helper()
	url, _ := serveLoggedMux(t, origins...)
	return url
}

// serveLoggedMux is serveMux with the log that it writes.
func serveLoggedMux(t *testing.T, origins ...string) (url string, log *apitest.Output) {
	t.Helper()
	allowed, err := transport.ParseOrigins(origins)
	if err != nil {
		t.Fatal(err)
	}
	log = &apitest.Output{}
	server := httptest.NewServer(httpserver.NewMux(slog.New(slog.NewTextHandler(log, nil)), allowed))
	t.Cleanup(server.Close)
	return server.URL, log
}

func TestPagesOfAllowedSitesMayUseTheAPI(t *testing.T) {
	for _, c := range []struct {
		name, origin string
		allowed      []string
		want         string // Access-Control-Allow-Origin
	}{
		{"no site is allowed", "https://app.example.com", nil, ""},
		{"an allowed site", "https://app.example.com", []string{"https://app.example.com"}, "https://app.example.com"},
		{"one of several", "https://b.example", []string{"https://app.example.com", "https://b.example"}, "https://b.example"},
		{"another site", "https://evil.example", []string{"https://app.example.com"}, ""},
		{"another scheme", "http://app.example.com", []string{"https://app.example.com"}, ""},
		{"another port", "https://app.example.com:8443", []string{"https://app.example.com"}, ""},
		{"a site that begins alike", "https://app.example.com.evil.example", []string{"https://app.example.com"}, ""},
		{"a site that ends alike", "https://evilapp.example.com", []string{"https://app.example.com"}, ""},
		{"a file, or a sandboxed page", "null", []string{"https://app.example.com"}, ""},
		{"a subdomain", "https://a.example.com", []string{"https://*.example.com"}, "https://a.example.com"},
		{"not a subdomain", "https://a.example.org", []string{"https://*.example.com"}, ""},
		{"a backslash, where a browser sees the end of the host", `https://evil.example\.example.com`, []string{"https://*.example.com"}, ""},
		{"any site", "https://evil.example", []string{"*"}, "*"},
		{"an entry with the port of its scheme", "https://app.example.com", []string{"https://app.example.com:443"}, "https://app.example.com"},
		{"an entry in upper case", "https://app.example.com", []string{" HTTPS://App.Example.COM"}, "https://app.example.com"},
		{"an international name", "https://xn--bcher-kva.example", []string{"https://Bücher.example"}, "https://xn--bcher-kva.example"},
		{"a subdomain of an international name", "https://a.xn--bcher-kva.example", []string{"https://*.bücher.example"}, "https://a.xn--bcher-kva.example"},
		{"an origin with the port of its scheme", "http://app.example.com:80", []string{"http://app.example.com"}, "http://app.example.com:80"},
		{"any port", "http://localhost:5173", []string{"http://localhost:*"}, "http://localhost:5173"},
		{"an IPv6 address", "http://[::1]:5173", []string{"http://[0:0:0:0:0:0:0:1]:5173"}, "http://[::1]:5173"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := serveMux(t, c.allowed...) + "/graphql"
			asked := apitest.Fetch(t, http.MethodOptions, url, http.Header{
				"Origin": {c.origin}, "Access-Control-Request-Method": {"POST"},
				"Access-Control-Request-Headers": {"X-Request-Id, content-type", "authorization,Chirp-Read-After"}, // unsorted, in two headers
			})
			sent := apitest.Fetch(t, http.MethodPost, url, http.Header{"Origin": {c.origin}, "Content-Type": {"application/json"}})
			for what, h := range map[string]http.Header{"preflight": asked.Header, "request": sent.Header} {
				if got := h.Get("Access-Control-Allow-Origin"); got != c.want || h.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: got origin %q and credentials %q, want %q and none", what, got, h.Get("Access-Control-Allow-Credentials"), c.want)
				}
			}
			if c.want == "" {
				return
			}
			if got := asked.Header.Get("Access-Control-Allow-Headers"); got != "authorization,chirp-read-after,content-type,x-request-id" {
				t.Errorf("preflight: got headers %q, want those asked for", got)
			}
			exposed := strings.ToLower(sent.Header.Get("Access-Control-Expose-Headers"))
			for _, name := range []string{"x-request-id", "retry-after", "www-authenticate"} {
				if !strings.Contains(exposed, name) {
					t.Errorf("got the exposed headers %q, want %s among them", exposed, name)
				}
			}
			apitest.CheckSecurityHeaders(t, "preflight", asked.Header)
		})
	}
}

func TestRefusedPagesAreLoggedNowAndThen(t *testing.T) {
	url, log := serveLoggedMux(t, "https://app.example.com")
	for range 200 {
		apitest.Fetch(t, http.MethodPost, url+"/graphql", http.Header{"Origin": {"https://evil.example"}, "Content-Type": {"application/json"}})
	}
	if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), "origin=https://evil.example") {
		t.Errorf("got %d lines, want one that names the site:\n%s", got, log)
	}
	for name, header := range map[string]http.Header{
		"a header that pages may not send": {"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type,x-own"}},
		"a method that there is not":       {"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"PUT"}},
	} {
		url, log := serveLoggedMux(t, "https://app.example.com")
		apitest.Fetch(t, http.MethodOptions, url+"/graphql", header)
		if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), "x-own") && !strings.Contains(log.String(), "PUT") {
			t.Errorf("%s: got %q, want a line that names it", name, log)
		}
	}
	url, log = serveLoggedMux(t, "https://app.example.com")
	for _, header := range []http.Header{{}, {"Origin": {"https://app.example.com"}}, {"Origin": {url}},
		{"Origin": {"https://chirp.example"}, "Sec-Fetch-Site": {"same-origin"}}} { // through a proxy that sends another Host
		apitest.Fetch(t, http.MethodPost, url+"/graphql", header)
	}
	apitest.Fetch(t, http.MethodOptions, url+"/graphql", http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"POST"},
		"Access-Control-Request-Headers": {"tracestate,traceparent,sentry-trace,baggage,content-type,authorization,accept,chirp-read-after,apollo-require-preflight,x-request-id"}})
	if log.String() != "" {
		t.Errorf("got %q, want no line about what is allowed", log)
	}
}
