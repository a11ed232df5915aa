package httpserver_test

import (
	"net/http"
	"testing"

	"chirp/internal/apitest"
)

func TestAPISaysThatTheStoreIsNotOpen(t *testing.T) {
	url := serveMux(t)
	for accept, media := range map[string]string{"application/json": "application/graphql-response+json", "application/graphql-response+json": "application/graphql-response+json", "*/*": "application/json"} {
		got := apitest.Ask(t, http.MethodPost, url+"/graphql", `{"query": "{ __typename }"}`, http.Header{"Content-Type": {"application/json"}, "Accept": {accept}})
		if got.Status != http.StatusServiceUnavailable || got.Code != "UNAVAILABLE" || got.Header.Get("Retry-After") == "" || got.Header.Get("Content-Type") != media+"; charset=utf-8" {
			t.Errorf("%s: got %d %s %v, want 503 UNAVAILABLE as %s, and when to try again", accept, got.Status, got.Code, got.Header, media)
		}
	}
}
