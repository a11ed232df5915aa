package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chirp/graph/transport"
	"chirp/internal/apitest"
)

// serveFront serves a front without a store: its headers are those of any.
func serveFront(t *testing.T, origins ...string) string {
	t.Helper()
	url, _ := serveLoggedFront(t, origins...)
	return url
}

// serveLoggedFront is serveFront with the log that it writes.
func serveLoggedFront(t *testing.T, origins ...string) (url string, log *apitest.Output) {
	t.Helper()
	allowed, err := transport.ParseOrigins(origins)
	if err != nil {
		t.Fatal(err)
	}
	log = &apitest.Output{}
	server := httptest.NewServer(newFront(slog.New(slog.NewTextHandler(log, nil)), allowed))
	t.Cleanup(server.Close)
	return server.URL, log
}

// wantSecure checks the headers that every answer must have.
func wantSecure(t *testing.T, what string, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %s %q, want %q once", what, name, got, want)
		}
	}
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	check := func(t *testing.T, url string) {
		for _, path := range []string{
			"/graphql", "/graphql?query={__typename}", "/graphql?query=nonsense", "/healthz", "/readyz", "/metrics", "/nowhere.txt", "/assets/nothing", "/graphql/x", "//graphql",
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, http.MethodDelete} {
				response := apitest.Fetch(t, method, url+path, nil)
				wantSecure(t, method+" "+path+" "+response.Status, response.Header)
			}
		}
	}
	t.Run("before the store is open", func(t *testing.T) { check(t, serveFront(t)) })
	t.Run("while it serves", func(t *testing.T) {
		s := start(t, apitest.Embedded(t.TempDir()))
		check(t, s.url)
		response := apitest.Fetch(t, http.MethodGet, s.url+"/graphql?query={viewer{id}}", http.Header{"Authorization": {"Bearer x"}, "Accept": {"application/graphql-response+json"}})
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("a bad token: got status %d, want 401", response.StatusCode)
		}
		wantSecure(t, "a bad token", response.Header)
	})
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
			url := serveFront(t, c.allowed...) + "/graphql"
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
			wantSecure(t, "preflight", asked.Header)
		})
	}
}
