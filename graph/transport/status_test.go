package transport_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

// TestStatusFollowsTheOutcome has the statuses of GraphQL over HTTP. They are the same
// for every media type, except for data with errors.
func TestStatusFollowsTheOutcome(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.RateLimit = 1000 })
	ada := w.Person("ada")
	w.Must(ada.Token, `{ viewer { username } }`, nil) // so that her account is visible
	for _, c := range []struct {
		name, query, variables string
		status                 int // with graphql-response+json
		data                   bool
	}{
		{"data", `{ viewer { username } }`, `{}`, 200, true},
		{"data and an error", `{ viewer { username } node(id: "x") { id } }`, `{}`, 294, true},
		{"no field but errors", `{ node(id: "x") { id } }`, `{}`, 294, true},
		{"data that an error made null", `{ feed(after: "x") { edges { cursor } } }`, `{}`, 294, true},
		{"a document that does not parse", `{`, `{}`, 400, false},
		{"a document with a lone surrogate", `{ user(username: "\uD83D") { id } }`, `{}`, 400, false},
		{"a document without an operation", `fragment f on User { id }`, `{}`, 422, false},
		{"a document that is not valid", `{ nope }`, `{}`, 422, false},
		{"several operations, none chosen", `query A { __typename } query B { __typename }`, `{}`, 422, false},
		{"variables that cannot be coerced", `query($id: ID!) { node(id: $id) { id } }`, `{"id": null}`, 422, false},
		{"a variable that is not there", `query($id: ID!) { node(id: $id) { id } }`, `{}`, 422, false},
		{"beyond the limits", `{ viewer { id ` + strings.Repeat(`followers { edges { node { `, 6) + `id` + strings.Repeat(` } } }`, 6) + ` } }`, `{}`, 422, false},
		{"variables of another kind", `{ __typename }`, `[7]`, 422, false},
	} {
		for _, accept := range []string{"application/graphql-response+json", "application/json", ""} {
			want := c.status
			if want == 294 && accept != "application/graphql-response+json" {
				want = 200
			}
			header := http.Header{"Accept": {accept}, "Authorization": {"Bearer " + ada.Token}}
			body := `{"query": ` + graphtest.Marshal(c.query) + `, "variables": ` + c.variables + `}`
			target := "?query=" + url.QueryEscape(c.query) + "&variables=" + url.QueryEscape(c.variables)
			for method, got := range map[string]graphtest.Answer{"POST": w.Raw("POST", "", "application/json; charset=utf8", body, header), "GET": w.Raw("GET", target, "", "", header)} {
				if got.Status != want || strings.Contains(got.Body, `"data"`) != c.data {
					t.Errorf("%s: %s, Accept: %s: got %d %s, want %d, with data: %t", c.name, method, accept, got.Status, got.Body, want, c.data)
				}
			}
		}
	}
}

// late is a body that does not arrive before the deadline.
type late struct{ io.Reader }

func (late) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestASlowBodyIsATimeout(t *testing.T) {
	w := graphtest.New(t)
	r := httptest.NewRequest(http.MethodPost, "/", late{})
	r.Header.Set("Content-Type", "application/json")
	got := httptest.NewRecorder()
	w.Handler.ServeHTTP(got, r)
	if got.Code != http.StatusRequestTimeout || got.Header().Get("Connection") != "close" || !strings.Contains(got.Body.String(), `"errors"`) {
		t.Errorf("got %d, %v, %s, want 408 and the end of the connection", got.Code, got.Header(), got.Body)
	}
}

func TestTwoContentTypesAreRefused(t *testing.T) {
	w := graphtest.New(t)
	got := w.Raw("POST", "", "", `{"query": "{ __typename }"}`, http.Header{"Content-Type": {"application/json", "text/plain"}})
	if got.Status != http.StatusUnsupportedMediaType || got.Header.Get("Accept") != "application/json" {
		t.Errorf("got %d %s, want 415 and what is accepted", got.Status, got.Body)
	}
}

func TestReadAfterHeaderHasItsStatuses(t *testing.T) {
	w := graphtest.New(t)
	for accept, want := range map[string]int{"application/json": 200, "application/graphql-response+json": 294} {
		got := w.Send("", `{ node(id: "chirp_01h455vb4pex5vsknk084sn02q") { id } }`, nil, http.Header{"Chirp-Read-After": {"1000"}, "Accept": {accept}})
		if got.Code() != "NOT_YET_VISIBLE" || got.Status != want {
			t.Errorf("%s: beyond the head: got %d %s, want %d NOT_YET_VISIBLE", accept, got.Status, got.Body, want)
		}
		got = w.Send("", `{ __typename }`, nil, http.Header{"Chirp-Read-After": {"x"}, "Accept": {accept}})
		if got.Code() != "BAD_USER_INPUT" || got.Status != http.StatusBadRequest {
			t.Errorf("%s: no position: got %d %s, want 400 BAD_USER_INPUT", accept, got.Status, got.Body)
		}
	}
}
