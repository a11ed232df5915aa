package graph_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/internal/domain"
)

// TestEveryCodeIsReachable provokes each code of the schema's closed list, and no
// other.
func TestEveryCodeIsReachable(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.Limits.Depth = 3 })
	limited := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit, c.Guard.Introspection = 0.1, false })
	down := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	w.Must(ada.Token, `mutation { postChirp(input: {content: "hello", commandId: "used"}) { position } }`, nil)
	as := func(token, operation string) func() graphtest.Answer {
		return func() graphtest.Answer { return w.Ask(token, operation, map[string]any{"id": bob.ID}) }
	}
	whom := func(mutation string) string {
		return `mutation($id: ID!) { ` + mutation + `(input: {userId: $id}) { position } }`
	}
	reach := map[string]func() graphtest.Answer{
		"BAD_USER_INPUT":    as(ada.Token, `mutation { postChirp(input: {content: " "}) { position } }`),
		"NOT_FOUND":         as(ada.Token, `mutation { followUser(input: {userId: "`+string(domain.UserIDFrom([16]byte{1}))+`"}) { position } }`),
		"CONFLICT":          as(ada.Token, `mutation { postChirp(input: {content: "other", commandId: "used"}) { position } }`),
		"USERNAME_TAKEN":    as("", `mutation { registerUser(input: {username: "ADA", password: "a password"}) { token } }`),
		"ALREADY_FOLLOWING": as(ada.Token, whom("followUser")),
		"NOT_FOLLOWING": func() graphtest.Answer {
			w.Must(ada.Token, whom("unfollowUser"), map[string]any{"id": bob.ID})
			return w.Ask(ada.Token, whom("unfollowUser"), map[string]any{"id": bob.ID})
		},
		"UNAUTHENTICATED": as("", `{ feed { edges { cursor } } }`),
		"FORBIDDEN":       func() graphtest.Answer { return limited.Ask("", `{ __schema { types { name } } }`, nil) },
		"NOT_YET_VISIBLE": func() graphtest.Answer {
			return w.Send("", `{ viewer { id } user(username: "ada") { id } }`, nil, http.Header{"Chirp-Read-After": {"999"}})
		},
		"CURSOR_INVALID": as(ada.Token, `{ feed(after: "nonsense") { edges { cursor } } }`),
		"RATE_LIMITED": func() graphtest.Answer {
			eve := limited.Person("eve")
			limited.Must(eve.Token, `mutation { postChirp(input: {content: "x"}) { position } }`, nil)
			return limited.Ask(eve.Token, `mutation { postChirp(input: {content: "y"}) { position } }`, nil)
		},
		"UNAVAILABLE": func() graphtest.Answer {
			down.Views.Fail(domain.Errorf(domain.Unavailable, "the store does not answer"))
			return down.Ask("", `{ user(username: "ada") { id } }`, nil)
		},
		"INTERNAL":                  as("", `{ user(username: "fails") { id } }`),
		"GRAPHQL_PARSE_FAILED":      as("", `{`),
		"GRAPHQL_VALIDATION_FAILED": as("", `{ nope }`),
		"COMPLEXITY_LIMIT_EXCEEDED": as("", `{ viewer { followers { edges { cursor } } } }`),
		"PERSISTED_QUERY_NOT_FOUND": func() graphtest.Answer {
			return w.PostJSON(map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": graphtest.DocumentID("x")[7:]}}})
		},
		"DOCUMENT_NOT_TRUSTED": func() graphtest.Answer { return w.PostJSON(map[string]any{"documentId": graphtest.DocumentID("x")}) },
	}
	listed := map[string]bool{}
	for _, name := range w.Must("", `{ __type(name: "ErrorCode") { values: enumValues { name } } }`, nil).List("__type.values", "name") {
		listed[name.(string)] = true
	}
	for _, code := range slices.Sorted(maps.Keys(listed)) {
		if reach[code] == nil {
			t.Errorf("%s: nothing reaches it", code)
			continue
		}
		if got := reach[code](); got.Code() != code || len(got.Errors) != 1 {
			t.Errorf("%s: got %s", code, got.Body)
		}
	}
	for code := range reach {
		if !listed[code] {
			t.Errorf("%s is not in the schema's list", code)
		}
	}
}
