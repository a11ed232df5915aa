package graph

import (
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	library "github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"chirp/graph/model"
)

// FuzzDocument validates texts. What is taken is valid by the library's own
// rules, and what is not has few and short errors with codes.
func FuzzDocument(f *testing.F) {
	f.Add(`{ viewer { id ...f } } fragment f on User { a: username @include(if: true) }`)
	f.Add(`query A($n: Int = 1, $s: String) { user(username: $s) { chirps(first: $n) { edges { cursor } } } } query B { __typename }`)
	f.Add(`mutation { logIn(input: {username: "a", password: """b"""}) { token } }`)
	f.Add(`{ node(id: 1) { ... on User { a: id } ... on Chirp { a: content } } }`)
	f.Add(`{ viewer { ...a } } fragment a on User { ...b } fragment b on User { ...a }`)
	f.Add(`subscription { feedChirpAdded { cursor } }`)
	v := newValidator(Limits{}.withDefaults(), true)
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
			t.Fatalf("taken, but: %v", err)
		}
		if bad := library.ValidateWithRules(v.schema, again, rules.NewDefaultRules()); len(bad) > 0 {
			t.Fatalf("taken, but: %v", bad)
		}
	})
}

// FuzzWire reads requests. One that names a document becomes one for the
// executor, with its documentId where the step looks for it.
func FuzzWire(f *testing.F) {
	f.Add([]byte(`{"query":"{ __typename }","operationName":"A","variables":{"a":[1]},"extensions":{"b":null}}`))
	f.Add([]byte(`{"documentId":"sha256:00","extensions":{"persistedQuery":{"version":1},"documentId":"x"}}`))
	f.Add([]byte(`{"DocumentId":"x","documentid":"y","query":"{a}","Query":"{b}","headers":{"X":["y"]}}`))
	f.Add([]byte(`{"documentId":null,"query":"\ud83d\ude00","variables":{"n":1e400}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		wire, bad := decodeWire("the body", text)
		if bad != nil {
			return
		}
		got, bad := wire.params()
		if named := wire.namesDocument(); named != (bad == nil) {
			t.Fatalf("%s: a document is named: %t, but got %v", text, named, bad)
		}
		if bad != nil {
			return
		}
		if id := wire.DocumentID; id != nil && got.Extensions[documentKey] != *id || id == nil && got.Extensions[documentKey] != nil {
			t.Fatalf("%s became %+v, want its documentId among the extensions and no other", text, got)
		}
		if wire.Query != nil && got.Query != *wire.Query || wire.OperationName != nil && got.OperationName != *wire.OperationName {
			t.Fatalf("%s became %+v", text, got)
		}
	})
}
