package api_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"chirp/graph/api"
	"chirp/internal/domain"
)

// TestEveryCodeIsReachable asks for each code of the schema's closed list, and
// for no other.
func TestEveryCodeIsReachable(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Guard.Limits.Depth = 3 })
	limited := newWorld(t, func(c *api.Config) { c.Guard.RateLimit, c.Guard.Introspection = 0.1, false })
	down := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	w.must(ada.token, `mutation { postChirp(input: {content: "hello", commandId: "used"}) { position } }`, nil)
	as := func(token, operation string) func() answer {
		return func() answer { return w.ask(token, operation, map[string]any{"id": bob.id}) }
	}
	whom := func(mutation string) string {
		return `mutation($id: ID!) { ` + mutation + `(input: {userId: $id}) { position } }`
	}
	reach := map[string]func() answer{
		"BAD_USER_INPUT":    as(ada.token, `mutation { postChirp(input: {content: " "}) { position } }`),
		"NOT_FOUND":         as(ada.token, `mutation { followUser(input: {userId: "`+string(domain.UserIDFrom([16]byte{1}))+`"}) { position } }`),
		"CONFLICT":          as(ada.token, `mutation { postChirp(input: {content: "other", commandId: "used"}) { position } }`),
		"USERNAME_TAKEN":    as("", `mutation { registerUser(input: {username: "ADA", password: "a password"}) { token } }`),
		"ALREADY_FOLLOWING": as(ada.token, whom("followUser")),
		"NOT_FOLLOWING": func() answer {
			w.must(ada.token, whom("unfollowUser"), map[string]any{"id": bob.id})
			return w.ask(ada.token, whom("unfollowUser"), map[string]any{"id": bob.id})
		},
		"UNAUTHENTICATED": as("", `{ feed { edges { cursor } } }`),
		"FORBIDDEN":       func() answer { return limited.ask("", `{ __schema { types { name } } }`, nil) },
		"NOT_YET_VISIBLE": func() answer {
			return w.send("", `{ viewer { id } user(username: "ada") { id } }`, nil, http.Header{"Chirp-Read-After": {"999"}})
		},
		"CURSOR_INVALID": as(ada.token, `{ feed(after: "nonsense") { edges { cursor } } }`),
		"RATE_LIMITED": func() answer {
			eve := limited.person("eve")
			limited.must(eve.token, `mutation { postChirp(input: {content: "x"}) { position } }`, nil)
			return limited.ask(eve.token, `mutation { postChirp(input: {content: "y"}) { position } }`, nil)
		},
		"UNAVAILABLE": func() answer {
			down.views.fail(domain.Errorf(domain.Unavailable, "the store does not answer"))
			return down.ask("", `{ user(username: "ada") { id } }`, nil)
		},
		"INTERNAL":                  as("", `{ user(username: "fails") { id } }`),
		"GRAPHQL_PARSE_FAILED":      as("", `{`),
		"GRAPHQL_VALIDATION_FAILED": as("", `{ nope }`),
		"COMPLEXITY_LIMIT_EXCEEDED": as("", `{ viewer { followers { edges { cursor } } } }`),
		"PERSISTED_QUERY_NOT_FOUND": func() answer {
			return w.body(map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": idOf("x")[7:]}}})
		},
		"DOCUMENT_NOT_TRUSTED": func() answer { return w.body(map[string]any{"documentId": idOf("x")}) },
	}
	listed := map[string]bool{}
	for _, name := range w.must("", `{ __type(name: "ErrorCode") { values: enumValues { name } } }`, nil).list("__type.values", "name") {
		listed[name.(string)] = true
	}
	for _, code := range slices.Sorted(maps.Keys(listed)) {
		if reach[code] == nil {
			t.Errorf("%s: nothing reaches it", code)
			continue
		}
		if got := reach[code](); got.code() != code || len(got.Errors) != 1 {
			t.Errorf("%s: got %s", code, got.body)
		}
	}
	for code := range reach {
		if !listed[code] {
			t.Errorf("%s is not in the schema's list", code)
		}
	}
}
