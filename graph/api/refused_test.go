package api_test

import (
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

func TestOperationsThatAreNotExecutedHaveACode(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.Limits.Tokens, c.Guard.Limits.Cost = 500, 3000 })
	for _, c := range []struct {
		name, code, operation string
		variables             map[string]any
	}{
		{"syntax", "GRAPHQL_PARSE_FAILED", `{`, nil},
		{"unknown field", "GRAPHQL_VALIDATION_FAILED", `{ nope }`, nil},
		{"wrong type of a literal", "GRAPHQL_VALIDATION_FAILED", `{ feed(first: "ten") { edges { cursor } } }`, nil},
		{"wrong type of a variable", "BAD_USER_INPUT", `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": map[string]any{}}},
		{"null for what must not be", "BAD_USER_INPUT", `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": nil}},
		{"@defer", "GRAPHQL_VALIDATION_FAILED", `{ ... @defer { viewer { id } } }`, nil},
		{"too many words", "COMPLEXITY_LIMIT_EXCEEDED", `{` + strings.Repeat(" viewer { id }", 200) + `}`, nil},
		{"too deep", "COMPLEXITY_LIMIT_EXCEEDED", `{ viewer ` + strings.Repeat(`{ following(first: 1) { edges { node `, 5) + `{ id }` + strings.Repeat(`} } }`, 5) + ` }`, nil},
		{"too dear", "COMPLEXITY_LIMIT_EXCEEDED", `{ viewer { followers(first: 100) { edges { node { followers(first: 100) { edges { cursor } } } } } } }`, nil},
		{"too dear by a variable", "COMPLEXITY_LIMIT_EXCEEDED", `query($n: Int) { viewer { followers(first: $n) { edges { node { followers(first: $n) { edges { cursor } } } } } } }`, map[string]any{"n": 100}},
		{"many log-ins", "COMPLEXITY_LIMIT_EXCEEDED", `mutation { ` + manyLogIns(7) + ` }`, nil},
		{"fragments that double", "COMPLEXITY_LIMIT_EXCEEDED", doubling(25, "Query", "{ ...f0 }", "viewer { id }"), nil},
		{"fragments that double in introspection", "COMPLEXITY_LIMIT_EXCEEDED", doubling(25, "__Type", `{ __type(name: "User") { ...f0 } }`, "name"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.Ask("", c.operation, c.variables)
			if got.Code() != c.code {
				t.Fatalf("got code %q, want %s: %.300s", got.Code(), c.code, got.Body)
			}
			if strings.Contains(got.Body, `"data"`) {
				t.Errorf("got %.300s, want no data", got.Body)
			}
		})
	}
}
