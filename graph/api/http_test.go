package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chirp/graph/api"
)

// raw sends a request as it stands.
func (w *world) raw(method, target, contentType, body string, header http.Header) answer {
	w.t.Helper()
	r, err := http.NewRequest(method, w.server.URL+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	return w.do(r)
}

func TestRequestsThatAreNotGraphQLAreRefused(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.Body = 4096 })
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
			got := w.raw(c.method, c.target, c.contentType, c.body, header)
			if got.status != c.status || got.code() != "BAD_USER_INPUT" {
				t.Errorf("got %d %s, want %d BAD_USER_INPUT", got.status, got.body, c.status)
			}
		})
	}
}

func TestMediaTypeAndStatusFollowAccept(t *testing.T) {
	w := newWorld(t)
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
		got := w.raw("GET", "?query="+url.QueryEscape(c.query), "", "", http.Header{"Accept": {c.accept}})
		if got.status != c.status || got.header.Get("Content-Type") != c.media+"; charset=utf-8" {
			t.Errorf("Accept %q, %s: got %d %s, want %d %s", c.accept, c.query, got.status, got.header.Get("Content-Type"), c.status, c.media)
		}
	}
}

func TestGetAnswersQueriesWithVariables(t *testing.T) {
	w := newWorld(t)
	w.person("ada")
	w.must("", `{ user(username: "ada") { id } }`, nil)
	target := "?operationName=B&query=" + url.QueryEscape(`query A { viewer { id } } query B($n: String) { user(username: $n) { username } }`) +
		"&variables=" + url.QueryEscape(`{"n": "ada"}`)
	if got := w.raw("GET", target, "", "", nil); got.at("user.username") != "ada" {
		t.Errorf("got %s, want user ada", got.body)
	}
}

func TestPersistedQueriesAreRememberedByTheirHash(t *testing.T) {
	w := newWorld(t)
	ask := func(query string) answer {
		sum := sha256.Sum256([]byte(query))
		body := map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hex.EncodeToString(sum[:])}}}
		if got := w.raw("POST", "", "application/json", marshal(body), nil); got.code() != "PERSISTED_QUERY_NOT_FOUND" {
			t.Errorf("a hash never seen: got %s, want PERSISTED_QUERY_NOT_FOUND", got.body)
		}
		body["query"] = query
		if got := w.raw("POST", "", "application/json", marshal(body), nil); len(got.Errors) > 0 {
			t.Errorf("with the query: got %s", got.body)
		}
		delete(body, "query")
		return w.raw("POST", "", "application/json", marshal(body), nil)
	}
	if got := ask(`{ viewer { id } }`); len(got.Errors) > 0 {
		t.Errorf("the second time: got %s, want an answer", got.body)
	}
	if got := ask(`{ viewer { id } }` + strings.Repeat(" ", 40_000)); got.code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("a large query: got %s, want it not to be kept", got.body)
	}
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestIntrospectionCanBeSwitchedOff(t *testing.T) {
	const query = `{ __schema { queryType { name } } }`
	on := newWorld(t)
	if got := on.ask("", query, nil); got.at("__schema.queryType.name") != "Query" {
		t.Errorf("on: got %s, want the schema", got.body)
	}
	off := newWorld(t, func(c *api.Config) { c.Guard.Introspection = false })
	for _, q := range []string{query, `{ ...f } fragment f on Query { __type(name: "User") { name } }`} {
		if got := off.ask("", q, nil); got.code() != "FORBIDDEN" || len(got.Errors) != 1 {
			t.Errorf("off: %s: got %s, want FORBIDDEN", q, got.body)
		}
	}
	if got := off.ask("", `{ __typename viewr { id } }`, nil); strings.Contains(got.body, "Did you mean") {
		t.Errorf("off: got %s, want no suggestions", got.body)
	}
	if got := off.ask("", `{ __typename }`, nil); got.at("__typename") != "Query" {
		t.Errorf("off: got %s, want __typename to be answered", got.body)
	}
}

func TestEveryTypeAndFieldIsDescribed(t *testing.T) {
	w := newWorld(t)
	got := w.must("", `{ __schema { types { name description fields { name description } inputFields { name description } } } }`, nil)
	types := got.at("__schema.types").([]any)
	for _, typ := range types {
		name := fmt.Sprint(at(typ, "name"))
		if strings.HasPrefix(name, "__") {
			continue
		}
		if d, _ := at(typ, "description").(string); d == "" {
			t.Errorf("type %s has no description", name)
		}
		for _, kind := range []string{"fields", "inputFields"} {
			fields, _ := at(typ, kind).([]any)
			for _, f := range fields {
				if d, _ := at(f, "description").(string); d == "" {
					t.Errorf("field %s.%v has no description", name, at(f, "name"))
				}
			}
		}
	}
	if len(types) < 20 {
		t.Errorf("got %d types, want the whole schema", len(types))
	}
}

// events is an open stream of server-sent events.
type events struct {
	t      *testing.T
	status int
	scan   *bufio.Scanner
	close  func()
}

func (w *world) events(t *testing.T, token, operation string) *events {
	t.Helper()
	response, stop := w.open(t, "text/event-stream", token, operation) //nolint:bodyclose // the cleanup does
	return &events{t: t, status: response.StatusCode, scan: bufio.NewScanner(response.Body), close: stop}
}

// open sends an operation by POST and gives the answer while it comes, until
// stop is called or the test ends.
func (w *world) open(t *testing.T, accept, token, operation string) (response *http.Response, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	body := marshal(map[string]any{"query": operation})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.server.URL, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if response, err = w.server.Client().Do(r); err != nil { //nolint:bodyclose // stop does
		t.Fatal(err)
	}
	stop = func() { cancel(); response.Body.Close() }
	t.Cleanup(stop)
	return response, stop
}

// next gives the next event's name and data.
func (e *events) next() (name string, data answer) {
	e.t.Helper()
	for e.scan.Scan() {
		line := e.scan.Text()
		switch {
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimPrefix(line, "event: ")
		case strings.HasPrefix(line, "data:") && len(line) > len("data: "):
			data.body = strings.TrimPrefix(line, "data: ")
			checkPaths(e.t, data.body)
			if err := json.Unmarshal([]byte(data.body), &data); err != nil {
				e.t.Fatal(err)
			}
		case line == "" && name != "":
			return name, data
		}
	}
	e.t.Fatalf("the stream ended: %v", e.scan.Err())
	return "", answer{}
}

func TestEventsPushChirps(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	w.must("", `{ viewer { id } }`, nil)
	e := w.events(t, ada.token, `subscription { feedChirpAdded { cursor node { content author { username } } } }`)
	w.waitForFeeds(1)
	for _, content := range []string{"one", "two"} {
		w.post(bob, content)
		name, got := e.next()
		if name != "next" || got.at("feedChirpAdded.node.content") != content || got.at("feedChirpAdded.node.author.username") != "bob" {
			t.Errorf("got %s %s, want next with %s by bob", name, got.body, content)
		}
	}
	e.close()
	w.waitForFeeds(0)
}

// waitForFeeds waits until so many feed subscriptions are open and live.
func (w *world) waitForFeeds(n int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d live feeds", n), func() bool {
		s := w.hub.Stats()
		return s.Feeds == n && (n == 0 || s.Authors > 0)
	})
}

func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(hang); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("still no %s: %+v", what, w.hub.Stats())
		}
	}
}

func TestEventsAnswerQueriesAndErrorsAndComplete(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	w.must("", `{ user(username: "ada") { id } }`, nil)
	for operation, want := range map[string]string{
		`{ viewer { username } }`:                                "",
		`subscription { nope }`:                                  "GRAPHQL_VALIDATION_FAILED",
		`subscription { feedChirpAdded(after: "x") { cursor } }`: "CURSOR_INVALID",
	} {
		e := w.events(t, ada.token, operation)
		name, got := e.next()
		if name != "next" || got.code() != want {
			t.Errorf("%s: got %s %s, want code %q", operation, name, got.body, want)
		}
		if name, _ := e.next(); name != "complete" {
			t.Errorf("%s: got %s, want complete", operation, name)
		}
	}
	if e := w.events(t, "nonsense", `{ viewer { id } }`); e.status != http.StatusUnauthorized {
		t.Errorf("a bad token: got status %d, want 401", e.status)
	}
}

func TestAMissingUserCannotBeWatched(t *testing.T) {
	w := newWorld(t)
	e := w.events(t, w.person("ada").token, `subscription { it: profileUpdated(userId: "user_00000000000000000000000001") { id } }`)
	if _, got := e.next(); got.code() != "NOT_FOUND" || got.Errors[0].Path != nil {
		t.Errorf("got %s, want NOT_FOUND, without a path because there is no data", got.body)
	}
}
