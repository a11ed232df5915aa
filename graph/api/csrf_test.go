package api_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/url"
	"testing"
)

// What a page of another site can make a browser send without asking first
// must change nothing here, nor be taken for the browser's user.

const postForged = `mutation { postChirp(input: {content: "forged"}) { position } }`

// unchanged checks that nothing is appended while something happens.
func (w *world) unchanged(t *testing.T, what string, happens func()) {
	t.Helper()
	before, _ := w.head(context.Background())
	happens()
	if after, _ := w.head(context.Background()); after != before {
		t.Errorf("%s: the log went from %d to %d, want it unchanged", what, before, after)
	}
}

func TestACookieIsNoCaller(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	for _, cookie := range []string{"token=" + ada.token, "Authorization=Bearer " + ada.token, "session=" + string(ada.id)} {
		header := http.Header{"Cookie": {cookie}}
		w.unchanged(t, cookie, func() {
			if got := w.send("", postForged, nil, header); got.code() != "UNAUTHENTICATED" {
				t.Errorf("a mutation: got %s, want UNAUTHENTICATED", got.body)
			}
		})
		if got := w.send("", `{ viewer { id } }`, nil, header); got.at("viewer") != nil {
			t.Errorf("viewer: got %s, want nobody", got.body)
		}
	}
	for _, operation := range []string{
		`mutation { registerUser(input: {username: "bob", password: "a password"}) { token } }`,
		`mutation { logIn(input: {username: "bob", password: "a password"}) { token } }`, `{ viewer { id } }`,
	} {
		if got := w.send("", operation, nil, nil); got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: got a cookie %q, want none ever", operation, got.header.Get("Set-Cookie"))
		}
	}
}

func TestATokenIsNotTakenFromTheURL(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	for _, name := range []string{"token", "access_token", "authorization", "Authorization"} {
		got := w.raw(http.MethodGet, "?query={viewer{id}}&"+name+"="+url.QueryEscape("Bearer "+ada.token), "", "", nil)
		if got.at("viewer") != nil {
			t.Errorf("%s: got %s, want nobody", name, got.body)
		}
	}
}

func TestGETNeverMutates(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	for accept, media := range map[string]string{"JSON": "", "GraphQL": "application/graphql-response+json", "events": "text/event-stream"} {
		w.unchanged(t, accept, func() {
			header := http.Header{"Authorization": {"Bearer " + ada.token}}
			if media != "" {
				header.Set("Accept", media)
			}
			two := `query Q { __typename } mutation M { postChirp(input: {content: "forged"}) { position } }`
			for _, target := range []string{"?query=" + url.QueryEscape(postForged), "?operationName=M&query=" + url.QueryEscape(two)} {
				r, err := http.NewRequest(http.MethodGet, w.server.URL+target, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = header
				response, err := w.server.Client().Do(r)
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

// Forms, and whatever else needs no preflight request, are refused by their
// content type.
func TestSimpleContentTypesAreRefused(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
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
			w.unchanged(t, c.name, func() {
				got := w.raw(http.MethodPost, "", c.contentType, c.body, http.Header{"Authorization": {"Bearer " + ada.token}})
				if got.status != http.StatusUnsupportedMediaType || got.code() != "BAD_USER_INPUT" {
					t.Errorf("got %d %s, want 415", got.status, got.body)
				}
			})
		})
	}
}
