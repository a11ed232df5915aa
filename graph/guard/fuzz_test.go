package guard

import (
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	library "github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"chirp/graph"
	"chirp/graph/model"
)

// FuzzDocument validates texts. Accepted documents are valid by the library's own
// rules. Others have few and short errors with codes.
func FuzzDocument(f *testing.F) {
	f.Add(`{ viewer { id ...f } } fragment f on User { a: username @include(if: true) }`)
	f.Add(`query A($n: Int = 1, $s: String) { user(username: $s) { chirps(first: $n) { edges { cursor } } } } query B { __typename }`)
	f.Add(`mutation { logIn(input: {username: "a", password: """b"""}) { token } }`)
	f.Add(`{ node(id: 1) { ... on User { a: id } ... on Chirp { a: content } } }`)
	f.Add(`{ viewer { ...a } } fragment a on User { ...b } fragment b on User { ...a }`)
	f.Add(`subscription { feedChirpAdded { cursor } }`)
	v := newValidator(graph.Schema(), Limits{}.withDefaults(), true)
	f.Fuzz(func(t *testing.T, text string) {
		doc, errs := v.document(text)
		if (doc == nil) != (len(errs) > 0) || len(errs) > maxErrors {
			t.Fatalf("got %d errors and document %v", len(errs), doc)
		}
		for _, e := range errs {
			code, _ := e.Extensions["code"].(string)
			if !model.ErrorCode(code).IsValid() || e.Message == "" || len(e.Message) > maxMessage {
				t.Fatalf("got %v with code %q, want a short one with a code", e, code)
			}
		}
		if doc == nil || len(text) > 2000 {
			return
		}
		again, err := parser.ParseQuery(&ast.Source{Input: text})
		if err != nil {
			t.Fatalf("accepted, but: %v", err)
		}
		if bad := library.ValidateWithRules(v.schema, again, rules.NewDefaultRules()); len(bad) > 0 {
			t.Fatalf("accepted, but: %v", bad)
		}
	})
}
