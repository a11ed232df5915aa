package transport_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/url"
	"testing"

	"chirp/graph/graphtest"
)

// What a page of another site can make a browser send without a preflight request
// must neither change anything nor act as the browser's user.

const postForged = `mutation { postChirp(input: {content: "forged"}) { position } }`

// unchanged checks that nothing is appended while something happens.
func unchanged(t *testing.T, w *graphtest.World, what string, happens func()) {
	t.Helper()
	before, _ := w.Head(context.Background())
	happens()
	if after, _ := w.Head(context.Background()); after != before {
		t.Errorf("%s: the log went from %d to %d, want it unchanged", what, before, after)
	}
}

func TestACookieDoesNotAuthenticate(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for _, cookie := range []string{"token=" + ada.Token, "Authorization=Bearer " + ada.Token, "session=" + string(ada.ID)} {
		header := http.Header{"Cookie": {cookie}}
		unchanged(t, w, cookie, func() {
			if got := w.Send("", postForged, nil, header); got.Code() != "UNAUTHENTICATED" {
				t.Errorf("a mutation: got %s, want UNAUTHENTICATED", got.Body)
			}
		})
		if got := w.Send("", `{ viewer { id } }`, nil, header); got.At("viewer") != nil {
			t.Errorf("viewer: got %s, want nobody", got.Body)
		}
	}
	for _, operation := range []string{
		`mutation { registerUser(input: {username: "bob", password: "a password"}) { token } }`,
		`mutation { logIn(input: {username: "bob", password: "a password"}) { token } }`, `{ viewer { id } }`,
	} {
		if got := w.Send("", operation, nil, nil); got.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: got a cookie %q, want none ever", operation, got.Header.Get("Set-Cookie"))
		}
	}
}

func TestATokenInTheURLIsIgnored(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for _, name := range []string{"token", "access_token", "authorization", "Authorization"} {
		got := w.Raw(http.MethodGet, "?query={viewer{id}}&"+name+"="+url.QueryEscape("Bearer "+ada.Token), "", "", nil)
		if got.At("viewer") != nil {
			t.Errorf("%s: got %s, want nobody", name, got.Body)
		}
	}
}

func TestGETNeverMutates(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for accept, media := range map[string]string{"JSON": "", "GraphQL": "application/graphql-response+json", "events": "text/event-stream"} {
		unchanged(t, w, accept, func() {
			header := http.Header{"Authorization": {"Bearer " + ada.Token}}
			if media != "" {
				header.Set("Accept", media)
			}
			two := `query Q { __typename } mutation M { postChirp(input: {content: "forged"}) { position } }`
			for _, target := range []string{"?query=" + url.QueryEscape(postForged), "?operationName=M&query=" + url.QueryEscape(two)} {
				r, err := http.NewRequest(http.MethodGet, w.Server.URL+target, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = header
				response, err := w.Server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode != http.StatusMethodNotAllowed {
					t.Errorf("%s %s: got status %d, want 405", accept, target, response.StatusCode)
				}
			}
		})
	}
}

// Forms, and everything else that needs no preflight request, are refused by their
// content type.
func TestSimpleContentTypesAreRefused(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	const body = `{"query": "mutation { postChirp(input: {content: \"forged\"}) { position } }"}`
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	if err := parts.WriteField("operations", body); err != nil {
		t.Fatal(err)
	}
	parts.Close()
	for _, c := range []struct{ name, contentType, body string }{
		{"text", "text/plain", body},
		{"text that claims to be JSON", "text/plain; application/json", body},
		{"text with a charset", "text/plain;charset=UTF-8", body},
		{"a form", "application/x-www-form-urlencoded", "query=" + url.QueryEscape(postForged)},
		{"a form with JSON for a name", "application/x-www-form-urlencoded", body + "="},
		{"a form of parts", parts.FormDataContentType(), form.String()},
		{"none", "", body},
		{"two at once", "text/plain, application/json", body},
		{"GraphQL", "application/graphql", postForged},
	} {
		t.Run(c.name, func(t *testing.T) {
			unchanged(t, w, c.name, func() {
				got := w.Raw(http.MethodPost, "", c.contentType, c.body, http.Header{"Authorization": {"Bearer " + ada.Token}})
				if got.Status != http.StatusUnsupportedMediaType || got.Code() != "BAD_USER_INPUT" {
					t.Errorf("got %d %s, want 415", got.Status, got.Body)
				}
			})
		})
	}
}
