package app_test

import (
	"net/http"
	"strings"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/app"
)

func TestPagesBesideTheAPI(t *testing.T) {
	s := start(t, apitest.Embedded(t.TempDir()), nil)
	for _, c := range []struct {
		path, policy string // the policy is part of what is wanted; the default one has no scripts
		status       int
	}{
		{"/", "script-src 'self'; style-src 'self';", 200},
		{"/@Ada", "script-src 'self'; style-src 'self';", 200},
		{"/graphiql", "style-src 'self' 'unsafe-inline'", 200},
		{"/graphiql/", "style-src 'self' 'unsafe-inline'", 200},
		{"/graphiql/nothing", "default-src 'none'; frame-ancestors 'none'", 404},
		{"/graphqls.html", "default-src 'none'; frame-ancestors 'none'", 404},
		{"/graphql/nothing", "default-src 'none'; frame-ancestors 'none'", 404},
	} {
		got := apitest.Fetch(t, http.MethodGet, s.URL+c.path, nil)
		policy := got.Header.Get("Content-Security-Policy")
		if got.StatusCode != c.status || !strings.Contains(policy, c.policy) {
			t.Errorf("GET %s: got status %d and policy %q, want %d and %q", c.path, got.StatusCode, policy, c.status, c.policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if got.Header.Get(name) != want {
				t.Errorf("GET %s: got %s %q, want %q", c.path, name, got.Header.Get(name), want)
			}
		}
	}
}

func TestGraphiQLIsOffWithIntrospection(t *testing.T) {
	s := start(t, apitest.Embedded(t.TempDir()), func(cfg *app.Config) { cfg.Guard.Introspection = false })
	for _, path := range []string{"/graphiql", "/graphiql/", "/graphiql/licenses.txt", "/graphiql/assets/x.js"} {
		if got := apitest.Fetch(t, http.MethodGet, s.URL+path, nil); got.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: got status %d, want 404", path, got.StatusCode)
		}
	}
	if got := apitest.Fetch(t, http.MethodGet, s.URL+"/", nil); got.StatusCode != http.StatusOK {
		t.Errorf("GET /: got status %d, want 200", got.StatusCode)
	}
}
