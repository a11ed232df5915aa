package transport_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

func TestRequestsThatAreNotGraphQLAreRefused(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.Body = 4096 })
	const typename = `{"query": "{ __typename }"}`
	for _, c := range []struct {
		name, method, target, contentType, body string
		accept                                  string
		status                                  int
	}{
		{"no JSON", "POST", "", "application/json", "nonsense", "", 400},
		{"a batch", "POST", "", "application/json", "[" + typename + "]", "", 422},
		{"two values", "POST", "", "application/json", typename + typename, "", 400},
		{"no query", "POST", "", "application/json", `{}`, "", 422},
		{"query is a number", "POST", "", "application/json", `{"query": 1}`, "", 422},
		{"variables are text", "POST", "", "application/json", `{"query": "{ __typename }", "variables": "x"}`, "", 422},
		{"no content type", "POST", "", "", typename, "", 415},
		{"a form", "POST", "", "application/x-www-form-urlencoded", "query={__typename}", "", 415},
		{"another charset", "POST", "", "application/json; charset=utf-16", typename, "", 415},
		{"a body that is nothing", "POST", "", "application/json", "", "", 400},
		{"too large", "POST", "", "application/json", `{"query": "{ __typename }` + strings.Repeat(" ", 5000) + `"}`, "", 413},
		{"another method", "PUT", "", "application/json", typename, "", 405},
		{"an answer in XML", "POST", "", "application/json", typename, "text/xml", 406},
		{"a mutation by GET", "GET", "?query=" + url.QueryEscape(`mutation { logIn(input: {username: "a", password: "a password"}) { token } }`), "", "", "", 405},
		{"a subscription by POST", "POST", "", "application/json", `{"query": "subscription { feedChirpAdded { cursor } }"}`, "", 400},
		{"variables by GET that are no object", "GET", "?query={__typename}&variables=1", "", "", "", 422},
		{"a query by GET that does not parse", "GET", "?query=%zz", "", "", "", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{}
			if c.accept != "" {
				header.Set("Accept", c.accept)
			}
			got := w.Raw(c.method, c.target, c.contentType, c.body, header)
			if got.Status != c.status || got.Code() != "BAD_USER_INPUT" {
				t.Errorf("got %d %s, want %d BAD_USER_INPUT", got.Status, got.Body, c.status)
			}
		})
	}
}

func TestMediaTypeAndStatusFollowAccept(t *testing.T) {
	w := graphtest.New(t)
	for _, c := range []struct {
		accept, query, media string
		status               int
	}{
		{"", `{ __typename }`, "application/json", 200},
		{"*/*", `{ __typename }`, "application/json", 200},
		{"application/graphql-response+json", `{ __typename }`, "application/graphql-response+json", 200},
		{"application/graphql-response+json, application/json;q=0.9", `{ __typename }`, "application/graphql-response+json", 200},
		{"", `{ nope }`, "application/json", 422},
		{"*/*", `{ nope }`, "application/json", 422},
		{"application/json", `{ nope }`, "application/graphql-response+json", 422},
		{"application/json, application/graphql-response+json", `{ nope }`, "application/json", 422},
		{"application/graphql-response+json", `{ nope }`, "application/graphql-response+json", 422},
		{"application/graphql-response+json; charset=utf8", `{ nope }`, "application/graphql-response+json", 422},
	} {
		got := w.Raw("GET", "?query="+url.QueryEscape(c.query), "", "", http.Header{"Accept": {c.accept}})
		if got.Status != c.status || got.Header.Get("Content-Type") != c.media+"; charset=utf-8" {
			t.Errorf("Accept %q, %s: got %d %s, want %d %s", c.accept, c.query, got.Status, got.Header.Get("Content-Type"), c.status, c.media)
		}
	}
}

func TestGetAnswersQueriesWithVariables(t *testing.T) {
	w := graphtest.New(t)
	w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	target := "?operationName=B&query=" + url.QueryEscape(`query A { viewer { id } } query B($n: String) { user(username: $n) { username } }`) +
		"&variables=" + url.QueryEscape(`{"n": "ada"}`)
	if got := w.Raw("GET", target, "", "", nil); got.At("user.username") != "ada" {
		t.Errorf("got %s, want user ada", got.Body)
	}
}

func TestPersistedQueriesAreRememberedByTheirHash(t *testing.T) {
	w := graphtest.New(t)
	ask := func(query string) graphtest.Answer {
		sum := sha256.Sum256([]byte(query))
		body := map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hex.EncodeToString(sum[:])}}}
		if got := w.Raw("POST", "", "application/json", graphtest.Marshal(body), nil); got.Code() != "PERSISTED_QUERY_NOT_FOUND" {
			t.Errorf("a hash never seen: got %s, want PERSISTED_QUERY_NOT_FOUND", got.Body)
		}
		body["query"] = query
		if got := w.Raw("POST", "", "application/json", graphtest.Marshal(body), nil); len(got.Errors) > 0 {
			t.Errorf("with the query: got %s", got.Body)
		}
		delete(body, "query")
		return w.Raw("POST", "", "application/json", graphtest.Marshal(body), nil)
	}
	if got := ask(`{ viewer { id } }`); len(got.Errors) > 0 {
		t.Errorf("the second time: got %s, want an answer", got.Body)
	}
	if got := ask(`{ viewer { id } }` + strings.Repeat(" ", 40_000)); got.Code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("a large query: got %s, want it not to be kept", got.Body)
	}
}

func TestIntrospectionCanBeSwitchedOff(t *testing.T) {
	const query = `{ __schema { queryType { name } } }`
	on := graphtest.New(t)
	if got := on.Ask("", query, nil); got.At("__schema.queryType.name") != "Query" {
		t.Errorf("on: got %s, want the schema", got.Body)
	}
	off := graphtest.New(t, func(c *api.Config) { c.Guard.Introspection = false })
	for _, q := range []string{query, `{ ...f } fragment f on Query { __type(name: "User") { name } }`} {
		if got := off.Ask("", q, nil); got.Code() != "FORBIDDEN" || len(got.Errors) != 1 {
			t.Errorf("off: %s: got %s, want FORBIDDEN", q, got.Body)
		}
	}
	if got := off.Ask("", `{ __typename viewr { id } }`, nil); strings.Contains(got.Body, "Did you mean") {
		t.Errorf("off: got %s, want no suggestions", got.Body)
	}
	if got := off.Ask("", `{ __typename }`, nil); got.At("__typename") != "Query" {
		t.Errorf("off: got %s, want __typename to be answered", got.Body)
	}
}

func TestEveryTypeAndFieldIsDescribed(t *testing.T) {
	w := graphtest.New(t)
	got := w.Must("", `{ __schema { types { name description fields { name description } inputFields { name description } } } }`, nil)
	types := got.At("__schema.types").([]any)
	for _, typ := range types {
		name := fmt.Sprint(graphtest.At(typ, "name"))
		if strings.HasPrefix(name, "__") {
			continue
		}
		if d, _ := graphtest.At(typ, "description").(string); d == "" {
			t.Errorf("type %s has no description", name)
		}
		for _, kind := range []string{"fields", "inputFields"} {
			fields, _ := graphtest.At(typ, kind).([]any)
			for _, f := range fields {
				if d, _ := graphtest.At(f, "description").(string); d == "" {
					t.Errorf("field %s.%v has no description", name, graphtest.At(f, "name"))
				}
			}
		}
	}
	if len(types) < 20 {
		t.Errorf("got %d types, want the whole schema", len(types))
	}
}

func TestEventsPushChirps(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	w.Must("", `{ viewer { id } }`, nil)
	e := w.Events(t, ada.Token, `subscription { feedChirpAdded { cursor node { content author { username } } } }`)
	w.WaitForFeeds(1)
	for _, content := range []string{"one", "two"} {
		w.Post(bob, content)
		name, got := e.Next()
		if name != "next" || got.At("feedChirpAdded.node.content") != content || got.At("feedChirpAdded.node.author.username") != "bob" {
			t.Errorf("got %s %s, want next with %s by bob", name, got.Body, content)
		}
	}
	e.Close()
	w.WaitForFeeds(0)
}

func TestEventsAnswerQueriesAndErrorsAndComplete(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	for operation, want := range map[string]string{
		`{ viewer { username } }`:                                "",
		`subscription { nope }`:                                  "GRAPHQL_VALIDATION_FAILED",
		`subscription { feedChirpAdded(after: "x") { cursor } }`: "CURSOR_INVALID",
	} {
		e := w.Events(t, ada.Token, operation)
		name, got := e.Next()
		if name != "next" || got.Code() != want {
			t.Errorf("%s: got %s %s, want code %q", operation, name, got.Body, want)
		}
		if name, _ := e.Next(); name != "complete" {
			t.Errorf("%s: got %s, want complete", operation, name)
		}
	}
	if e := w.Events(t, "nonsense", `{ viewer { id } }`); e.Status != http.StatusUnauthorized {
		t.Errorf("a bad token: got status %d, want 401", e.Status)
	}
}

func TestAMissingUserCannotBeWatched(t *testing.T) {
	w := graphtest.New(t)
	e := w.Events(t, w.Person("ada").Token, `subscription { it: profileUpdated(userId: "user_00000000000000000000000001") { id } }`)
	if _, got := e.Next(); got.Code() != "NOT_FOUND" || got.Errors[0].Path != nil {
		t.Errorf("got %s, want NOT_FOUND, without a path because there is no data", got.Body)
	}
}

func TestURLHasTheLimitsOfABody(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Transport.Body = 4096 })
	for name, target := range map[string]string{
		"too long":                "?query={__typename}&x=" + strings.Repeat("x", 5000),
		"nested variables":        "?query={__typename}&variables=" + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200),
		"broken UTF-8":            "?query={__typename}%23%ff",
		"broken UTF-8 in members": "?query={__typename}&variables={%22a%22:%22%ff%22}",
	} {
		r, err := http.NewRequest(http.MethodGet, w.Server.URL+strings.ReplaceAll(target, `"`, "%22"), bytes.NewReader(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Do(r); got.Status/100 != 4 || got.Code() != "BAD_USER_INPUT" {
			t.Errorf("%s: got %d %s, want BAD_USER_INPUT", name, got.Status, got.Body)
		}
	}
}
