package app_test

import (
	"context"
	"net/http"
	"testing"

	"chirp/internal/apitest"
	"chirp/internal/app"
	"chirp/internal/domain"
)

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	check := func(t *testing.T, url string) {
		for _, path := range []string{
			"/graphql", "/graphql?query={__typename}", "/graphql?query=nonsense", "/healthz", "/readyz", "/metrics", "/nowhere.txt", "/assets/nothing", "/graphql/x", "//graphql",
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, http.MethodDelete} {
				response := apitest.Fetch(t, method, url+path, nil)
				apitest.CheckSecurityHeaders(t, method+" "+path+" "+response.Status, response.Header)
			}
		}
	}
	t.Run("before the store is open", func(t *testing.T) { check(t, apitest.ServeApp(t, away, nil).URL) })
	t.Run("while it serves", func(t *testing.T) {
		s := start(t, apitest.Embedded(t.TempDir()), nil)
		check(t, s.URL)
		response := apitest.Fetch(t, http.MethodGet, s.URL+"/graphql?query={viewer{id}}", http.Header{"Authorization": {"Bearer x"}, "Accept": {"application/graphql-response+json"}})
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("a bad token: got status %d, want 401", response.StatusCode)
		}
		apitest.CheckSecurityHeaders(t, "a bad token", response.Header)
	})
}

// away is a store that cannot be reached.
func away(context.Context) (app.Storage, error) {
	return nil, domain.Errorf(domain.Unavailable, "the store is away")
}
