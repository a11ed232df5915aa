package graph

import (
	"encoding/json"
	"testing"

	"github.com/99designs/gqlgen/graphql"
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

// FuzzSubscribePayload checks payloads of a socket's subscribe message. What is
// taken can be decoded, with its documentId where the step looks for it.
func FuzzSubscribePayload(f *testing.F) {
	f.Add([]byte(`{"query":"{ __typename }","operationName":"A","variables":{"a":[1]},"extensions":{"b":null}}`))
	f.Add([]byte(`{"documentId":"sha256:00","extensions":{"persistedQuery":{"version":1}}}`))
	f.Add([]byte(`{"DocumentId":"x","documentid":"y"}`))
	f.Add([]byte(`{"documentId":null,"query":"\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if malformed(payload) != "" || !json.Valid(payload) || checkPayload(payload) != "" {
			return
		}
		var request struct {
			DocumentID *string `json:"documentId"`
		}
		moved := moveDocumentID(payload)
		var params graphql.RawParams
		if err := json.Unmarshal(moved, &params); err != nil {
			t.Fatalf("%s became %s: %v", payload, moved, err)
		}
		if err := json.Unmarshal(payload, &request); err != nil {
			t.Fatal(err)
		}
		if id := request.DocumentID; id != nil && params.Extensions[documentKey] != *id {
			t.Fatalf("%s became %s, want the documentId among the extensions", payload, moved)
		}
	})
}
