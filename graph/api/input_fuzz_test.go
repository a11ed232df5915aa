package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chirp/graph/graphtest"
)

// FuzzInput sends variables for documents with arguments of every kind. If they are
// executed, every resolver can read its arguments.
func FuzzInput(f *testing.F) {
	for _, variables := range []string{
		`{"id":1,"n":2e1,"b":null}`, `{"id":"user_1","after":"x","n":100,"b":false}`, `{"i":{"content":"x"},"b":true}`,
		`{"i":{"content":5}}`, `{"i":{"content":"x","commandId":null}}`, `{"i":[{"content":"x"}],"id":1.5,"n":"2"}`,
	} {
		f.Add(variables)
	}
	const (
		query = `query($id: ID = "x", $n: Int, $after: String, $name: String, $b: Boolean = true) {
			node(id: $id) { id @skip(if: $b) } user(id: $id, username: $name) { id }
			recentUsers(first: $n, after: $after) { edges @include(if: $b) { node { followers(first: $n) { edges { cursor } } } } pageInfo { endCursor } } }`
		mutation = `mutation($i: PostChirpInput = {content: "x"}, $id: ID = "x", $after: String = "y") {
			a: postChirp(input: $i) { position } b: postChirp(input: {content: $after, commandId: $after}) { position } followUser(input: {userId: $id}) { position } }`
	)
	w := graphtest.New(f)
	for _, document := range []string{query, mutation} {
		if got := w.ServeBody("", graphtest.Envelope(document, `{}`)); got.Data == nil {
			f.Fatalf("got %s, want it to be executed", got.Body)
		}
	}
	f.Fuzz(func(t *testing.T, variables string) {
		for _, document := range []string{query, mutation} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(graphtest.Envelope(document, variables)))
			r.Header.Set("Content-Type", "application/json")
			got := httptest.NewRecorder()
			w.Handler.ServeHTTP(got, r)
			checkAnswer(t, got.Body.Bytes())
			var a graphtest.Answer
			if json.Unmarshal(got.Body.Bytes(), &a) != nil || a.Data == nil {
				continue
			}
			for _, e := range a.Errors {
				for _, unreadable := range []string{"a String is", "an ID is text", "an Int is", "32 bits", "must not be null", "must be defined"} {
					if strings.Contains(e.Message, unreadable) {
						t.Fatalf("%s: got %.500s, want it refused before", variables, got.Body)
					}
				}
			}
		}
	})
}
