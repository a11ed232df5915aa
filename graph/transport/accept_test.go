package transport_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chirp/graph/graphtest"
)

const (
	inJSON      = "application/json; charset=utf-8"
	inGraphQL   = "application/graphql-response+json; charset=utf-8"
	inEvents    = "text/event-stream; charset=utf-8"
	inMultipart = `multipart/mixed; boundary="graphql"; subscriptionSpec="1.0"`
)

func TestResponseHasThePreferredMediaType(t *testing.T) {
	w := graphtest.New(t)
	const query = `{ __typename }`
	watch := fmt.Sprintf(`subscription { profileUpdated(userId: %q) { id } }`, w.Person("ada").ID)
	const apollo = `multipart/mixed;boundary="graphql";subscriptionSpec="1.0",application/graphql-response+json,application/json;q=0.9`
	const urql = `application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed`
	for _, c := range []struct {
		name, accept, operation string
		media                   string
		status                  int
	}{
		{"anything", "*/*", query, inJSON, 200},
		{"any application", "application/*", query, inJSON, 200},
		{"the higher quality", "application/json;q=0.8, application/graphql-response+json;q=0.9", query, inGraphQL, 200},
		{"the higher quality, of three digits", "application/graphql-response+json;q=0.899, application/json;q=0.9", query, inJSON, 200},
		{"the first of equals", "application/graphql-response+json, application/json", query, inGraphQL, 200},
		{"the first of equals the other way round", "application/json, application/graphql-response+json", query, inJSON, 200},
		{"a name before a wildcard of less quality", "*/*;q=0.1, application/graphql-response+json", query, inGraphQL, 200},
		{"what is closest said of a type", "application/*;q=1, application/json;q=0.2, application/graphql-response+json;q=0.3", query, inGraphQL, 200},
		{"a charset is closer", "application/json;q=0.1, application/json;charset=utf-8, application/graphql-response+json;q=0.5", query, inJSON, 200},
		{"excluded by 0", "application/json;q=0, */*", query, inGraphQL, 200},
		{"excluded by 0.000", "application/json;q=0.000, application/graphql-response+json;q=0.0, */*", query, inJSON, 406},
		{"an entry that is malformed does not count", "application/json;q=high, application/graphql-response+json;q=0.1", query, inGraphQL, 200},
		{"a comma in quotes", `text/html;a="x,application/json", application/graphql-response+json`, query, inGraphQL, 200},
		{"another charset", "application/json;charset=latin1", query, inJSON, 406},
		{"nothing of ours", "text/html, image/*", query, inJSON, 406},
		{"only another multipart protocol", "multipart/mixed;deferSpec=20220824", query, inJSON, 406},
		{"events for a query", "text/event-stream", query, inEvents, 200},
		{"events before JSON", "text/event-stream, application/json;q=0.5", query, inEvents, 200},
		{"JSON before events", "application/json, text/event-stream", query, inJSON, 200},
		{"Apollo Client's subscription", apollo, watch, inMultipart, 200},
		{"Apollo Client's header with a query", apollo, query, inGraphQL, 200},
		{"multipart alone with a query", `multipart/mixed;subscriptionSpec=1.0`, query, inMultipart, 200},
		{"urql's query", urql, query, inGraphQL, 200},
		{"urql's subscription", "text/event-stream, multipart/mixed", watch, inEvents, 200},
		{"a subscription where JSON is wanted more", "application/json, text/event-stream;q=0.1", watch, inEvents, 200},
		{"a subscription of the better stream", "text/event-stream;q=0.5, multipart/mixed;subscriptionSpec=1.0;q=0.6", watch, inMultipart, 200},
		{"a subscription by a wildcard", "*/*", watch, inJSON, 400},
		{"a subscription of a later multipart protocol", "multipart/mixed;subscriptionSpec=2.0, */*", watch, inJSON, 400},
		{"a refused query", apollo, `{ nope }`, inGraphQL, 422},
		{"a refused query as events", "text/event-stream", `{ nope }`, inEvents, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := w.Open(t, c.accept, "", c.operation) //nolint:bodyclose // the cleanup does
			if media := got.Header.Get("Content-Type"); got.StatusCode != c.status || media != c.media {
				t.Errorf("Accept: %s: got %d %s, want %d %s", c.accept, got.StatusCode, media, c.status, c.media)
			}
		})
	}
}

func TestALongAcceptHeaderIsNotReadToItsEnd(t *testing.T) {
	w := graphtest.New(t)
	long := strings.Repeat("text/x,", 20_000) + "application/json"
	if got, _ := w.Open(t, long, "", `{ __typename }`); got.StatusCode != http.StatusNotAcceptable { //nolint:bodyclose // the cleanup does
		t.Errorf("got status %d, want 406", got.StatusCode)
	}
}

func TestMethodsAreCheckedForEachOperation(t *testing.T) {
	w := graphtest.New(t)
	const all = "GET, HEAD, OPTIONS, POST"
	const logIn = `mutation { logIn(input: {username: "a", password: "a password"}) { token } }`
	const watch = `subscription { feedChirpAdded { cursor } }`
	for _, c := range []struct {
		method, query, accept string
		status                int
		allow                 string
	}{
		{"PUT", `{ __typename }`, "", 405, all},
		{"DELETE", `{ __typename }`, "text/event-stream", 405, all},
		{"PATCH", `{ __typename }`, "text/html", 405, all},
		{"OPTIONS", ``, "", 204, all},
		{"HEAD", `{ __typename }`, "", 200, ""},
		{"HEAD", ``, "", 422, ""},
		{"HEAD", logIn, "", 405, "POST"},
		{"HEAD", watch, "text/event-stream", 405, "GET, POST"},
		{"GET", logIn, "", 405, "POST"},
		{"GET", logIn, "text/event-stream", 405, "POST"},
		{"GET", logIn, `multipart/mixed;subscriptionSpec="1.0"`, 405, "POST"},
	} {
		r, err := http.NewRequest(c.method, w.Server.URL+"?query="+url.QueryEscape(c.query), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if c.query == "" {
			r.URL.RawQuery = ""
		}
		r.Header.Set("Accept", c.accept)
		got, err := w.Server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if got.StatusCode != c.status || got.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: got %d with Allow %q, want %d with %q", c.method, c.query, got.StatusCode, got.Header.Get("Allow"), c.status, c.allow)
		}
	}
}

func TestPostIgnoresTheURL(t *testing.T) {
	w := graphtest.New(t)
	target := "?trace=1&query=" + url.QueryEscape(`{ nope }`) + "&operationName=B&variables=nonsense"
	if got := w.Raw("POST", target, "application/json", `{"query": "{ __typename }"}`, nil); got.At("__typename") != "Query" {
		t.Errorf("with parameters in the URL: got %s, want the answer to the body", got.Body)
	}
	target = "?query=" + url.QueryEscape(`{ __typename }`)
	if got := w.Raw("POST", target, "application/json", `{}`, nil); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("with the query in the URL: got %d %s, want 422", got.Status, got.Body)
	}
	compressed := http.Header{"Content-Encoding": {"gzip"}}
	if got := w.Raw("POST", "", "application/json", "\x1f\x8b", compressed); got.Status != http.StatusUnsupportedMediaType || got.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("compressed: got %d %s, want 415 and Accept-Encoding: identity", got.Status, got.Body)
	}
}

func TestAnUpgradeToHTTP2IsIgnored(t *testing.T) {
	w := graphtest.New(t)
	offer := http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABkAARAAAAA"}}
	if got := w.Send(w.Person("ada").Token, `{ __typename }`, nil, offer); got.At("__typename") != "Query" {
		t.Errorf("got %d %s, want an answer", got.Status, got.Body)
	}
	if got := w.Send("nonsense", `{ __typename }`, nil, offer); got.Code() != "UNAUTHENTICATED" {
		t.Errorf("with a bad token: got %d %s, want UNAUTHENTICATED", got.Status, got.Body)
	}
}
