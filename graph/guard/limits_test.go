package guard_test

import (
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/graph/guard"
)

// TestEachLimitIsASetting asks for as much as each limit allows, and for one more.
func TestEachLimitIsASetting(t *testing.T) {
	const page = `query($n: Int) { viewer { followers(first: $n) { edges { cursor } } } }`
	for _, c := range []struct {
		name, code     string
		set            func(*guard.Limits)
		within, beyond string
		n              [2]any
	}{
		{"tokens", "COMPLEXITY_LIMIT_EXCEEDED", func(l *guard.Limits) { l.Tokens = 6 }, `{ viewer{id}}`, `{ viewer{id id}}`, [2]any{}},
		{"depth", "COMPLEXITY_LIMIT_EXCEEDED", func(l *guard.Limits) { l.Depth = 2 }, `{ viewer { id } }`, `{ viewer { followers { edges { cursor } } } }`, [2]any{}},
		{"aliases", "COMPLEXITY_LIMIT_EXCEEDED", func(l *guard.Limits) { l.Aliases = 2 }, `{ a: viewer { b: id } }`, `{ a: viewer { b: id c: id } }`, [2]any{}},
		{"directives", "COMPLEXITY_LIMIT_EXCEEDED", func(l *guard.Limits) { l.Directives = 1 }, `{ viewer @skip(if: true) { id } }`, `{ viewer @skip(if: true) { id @skip(if: true) } }`, [2]any{}},
		{"fields", "COMPLEXITY_LIMIT_EXCEEDED", func(l *guard.Limits) { l.Fields = 3 }, `{ viewer { ...f } } fragment f on User { id username }`, `{ viewer { ...f ...f } } fragment f on User { id username }`, [2]any{}},
		{"mutations", "COMPLEXITY_LIMIT_EXCEEDED", func(l *guard.Limits) { l.Mutations = 1 },
			`mutation { logIn(input: {username: "a", password: "a password"}) { token } }`, `mutation { a: logIn(input: {username: "a", password: "a password"}) { token } b: logIn(input: {username: "a", password: "a password"}) { token } }`, [2]any{}},
		{"cost", "COMPLEXITY_LIMIT_EXCEEDED", func(l *guard.Limits) { l.Cost = 31 }, page, page, [2]any{10, 11}},
		{"page", "BAD_USER_INPUT", func(l *guard.Limits) { l.Page = 10 }, page, page, [2]any{10, 11}},
		{"page of the schema's", "BAD_USER_INPUT", func(l *guard.Limits) {}, page, page, [2]any{100, 101}},
		{"page of none", "BAD_USER_INPUT", func(l *guard.Limits) {}, page, page, [2]any{1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := graphtest.New(t, func(cfg *api.Config) { c.set(&cfg.Guard.Limits) })
			if got := w.Ask("", c.within, map[string]any{"n": c.n[0]}); got.Code() != "" && got.Code() != "UNAUTHENTICATED" {
				t.Errorf("within: got %s, want an answer", got.Body)
			}
			got := w.Ask("", c.beyond, map[string]any{"n": c.n[1]})
			if got.Code() != c.code || got.Data != nil || len(got.Errors) != 1 {
				t.Fatalf("beyond: got %s, want %s and no data", got.Body, c.code)
			}
			if limit, most := got.Errors[0].Extensions["limit"], got.Errors[0].Extensions["most"]; c.code == "COMPLEXITY_LIMIT_EXCEEDED" && (limit != c.name || most == nil) {
				t.Errorf("got limit %v of %v, want %s", limit, most, c.name)
			}
		})
	}
}

// TestPagesThatAreTooLongAreRefusedBeforeAnyRead checks that the error has the
// location of the page, and that nothing is read for the other fields.
func TestPagesThatAreTooLongAreRefusedBeforeAnyRead(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	opened := w.Views.Opened.Load()
	got := w.Send(ada.Token, `query($n: Int = 3) { me: viewer { id ...f } } fragment f on User { l: chirps(first: $n) { edges { cursor } } }`, map[string]any{"n": 500}, nil)
	if got.Code() != "BAD_USER_INPUT" || !strings.Contains(got.Body, `"locations":[{"line":1,"column":68}]`) || got.Errors[0].Message != "first is 500, it must be 1 to 100" {
		t.Errorf("got %s, want it to be refused at the list", got.Body)
	}
	if n := w.Views.Opened.Load() - opened; n != 0 {
		t.Errorf("%d snapshots were opened, want none", n)
	}
}

func TestSuggestionsGoWithIntrospection(t *testing.T) {
	misspelt := map[string]string{
		"field":       `{ viewr { id } }`,
		"argument":    `{ user(usernam: "x") { id } }`,
		"type":        `{ node(id: "x") { ...f } } fragment f on Userr { id }`,
		"input field": `mutation { logIn(input: {usernam: "x", password: "x"}) { token } }`,
	}
	on := graphtest.New(t)
	off := graphtest.New(t, func(c *api.Config) { c.Guard.Introspection = false })
	for name, document := range misspelt {
		if got := on.Ask("", document, nil); !strings.Contains(got.Body, "Did you mean") {
			t.Errorf("%s: got %s, want a suggestion", name, got.Body)
		}
		if got := off.Ask("", document, nil); strings.Contains(got.Body, "Did you mean") || got.Code() != "GRAPHQL_VALIDATION_FAILED" {
			t.Errorf("%s, without introspection: got %s, want no suggestion", name, got.Body)
		}
	}
	if got := off.Ask("", `{ viewer { id } }`, nil); len(got.Errors) > 0 {
		t.Errorf("without introspection: got %s, want an answer", got.Body)
	}
}

func TestToolsMayAskForTheWholeSchema(t *testing.T) {
	w := graphtest.New(t)
	if got := w.Ask("", graphtest.UsualIntrospection, nil); len(got.Errors) > 0 || len(got.List("__schema.types", "name")) < 20 {
		t.Errorf("got %.300s, want the schema", got.Body)
	}
	twice := strings.Replace(graphtest.UsualIntrospection, "{ __schema {", "{ __typename a: __schema { types { ...FullType } } b: __schema { types { ...FullType } } c: __schema { types { ...FullType } } __schema {", 1)
	if got := w.Ask("", twice, nil); got.Code() != "COMPLEXITY_LIMIT_EXCEEDED" || got.Errors[0].Extensions["limit"] != "introspection" {
		t.Errorf("four times: got %.300s, want COMPLEXITY_LIMIT_EXCEEDED", got.Body)
	}
}
