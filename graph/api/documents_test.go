package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chirp/graph"
	"chirp/graph/api"
	"chirp/graph/guard"
)

// idOf gives the documentId of a text.
func idOf(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

// trust gives the documents of a manifest of texts.
func trust(t *testing.T, texts ...string) *guard.Documents {
	t.Helper()
	manifest := map[string]string{}
	for _, text := range texts {
		manifest[idOf(text)] = text
	}
	documents, err := guard.ReadDocuments(graph.Schema(), []byte(marshal(manifest)), guard.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

// body is a request's members, by POST.
func (w *world) body(members map[string]any) answer {
	w.t.Helper()
	return w.raw("POST", "", "application/json", marshal(members), nil)
}

const (
	byName    = `query($n: String) { user(username: $n) { username } }`
	watchFeed = `subscription { feedChirpAdded { node { content } } }`
)

func TestTrustedDocumentIsNamedByItsID(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Guard.Documents = trust(t, byName, watchFeed) })
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	w.must("", `{ user(username: "ada") { id } }`, nil)
	if got := w.body(map[string]any{"documentId": idOf(byName), "variables": map[string]any{"n": "ada"}}); got.at("user.username") != "ada" {
		t.Errorf("by POST: got %s, want user ada", got.body)
	}
	target := "?documentId=" + url.QueryEscape(idOf(byName)) + "&variables=" + url.QueryEscape(`{"n": "ada"}`)
	if got := w.raw("GET", target, "", "", nil); got.at("user.username") != "ada" {
		t.Errorf("by GET: got %s, want user ada", got.body)
	}
	for name, extensions := range map[string]any{"no": nil, "some": map[string]any{"client": "x"}} {
		s := w.socket(t, ada.token)
		s.send(message{ID: "q", Type: "subscribe", Payload: json.RawMessage(marshal(map[string]any{
			"documentId": idOf(byName), "variables": map[string]any{"n": "ada"}, "extensions": extensions}))})
		if got := s.next("q"); got.at("user.username") != "ada" {
			t.Errorf("by socket with %s extensions: got %s, want user ada", name, got.body)
		}
	}
	events := w.socket(t, ada.token)
	events.send(message{ID: "f", Type: "subscribe", Payload: json.RawMessage(marshal(map[string]any{"documentId": idOf(watchFeed)}))})
	w.waitForFeeds(1)
	w.post(bob, "hello")
	if got := events.next("f"); got.at("feedChirpAdded.node.content") != "hello" {
		t.Errorf("a subscription: got %s, want the chirp", got.body)
	}
}

func TestDocumentIDThatIsNotTrustedIsRefused(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Guard.Documents = trust(t, byName) })
	w.must("", `{ viewer { id } }`, nil) // which the server keeps, but does not trust
	for _, c := range []struct {
		name, code string
		members    map[string]any
	}{
		{"unknown", "DOCUMENT_NOT_TRUSTED", map[string]any{"documentId": idOf("nothing")}},
		{"known, but not trusted", "DOCUMENT_NOT_TRUSTED", map[string]any{"documentId": idOf(`{ viewer { id } }`)}},
		{"without its prefix", "BAD_USER_INPUT", map[string]any{"documentId": idOf(byName)[7:]}},
		{"too short", "BAD_USER_INPUT", map[string]any{"documentId": "sha256:00"}},
		{"empty", "BAD_USER_INPUT", map[string]any{"documentId": ""}},
		{"no text", "BAD_USER_INPUT", map[string]any{"documentId": 1}},
		{"beside a query", "BAD_USER_INPUT", map[string]any{"documentId": idOf(byName), "query": byName}},
	} {
		if got := w.body(c.members); got.code() != c.code || len(got.Errors) != 1 || got.Data != nil {
			t.Errorf("%s: got %s, want %s", c.name, got.body, c.code)
		}
	}
}

func TestOnlyTrustedDocumentsAreTakenWhereThatIsSet(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Guard.Documents, c.Guard.DocumentsOnly = trust(t, byName), true })
	hashOf := func(text string) map[string]any {
		return map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": idOf(text)[7:]}}
	}
	const other = `{ viewer { id } }`
	for name, members := range map[string]map[string]any{
		"by its id":                        {"documentId": idOf(byName)},
		"in full":                          {"query": byName},
		"by the hash of a persisted query": {"extensions": hashOf(byName)},
	} {
		members["variables"] = map[string]any{"n": "nobody"}
		if got := w.body(members); len(got.Errors) > 0 {
			t.Errorf("a trusted one %s: got %s, want an answer", name, got.body)
		}
	}
	for name, members := range map[string]map[string]any{
		"in full":                          {"query": other},
		"in full, to be remembered":        {"query": other, "extensions": hashOf(other)},
		"by the hash of a persisted query": {"extensions": hashOf(other)},
		"a trusted one with a space":       {"query": byName + " "},
		"nonsense":                         {"query": "{"},
	} {
		if got := w.body(members); got.code() != "DOCUMENT_NOT_TRUSTED" || got.Data != nil {
			t.Errorf("another one %s: got %s, want DOCUMENT_NOT_TRUSTED", name, got.body)
		}
	}
	s := w.socket(t, "")
	s.subscribe("q", other)
	if m := s.read(); !strings.Contains(string(m.Payload), "DOCUMENT_NOT_TRUSTED") {
		t.Errorf("by socket: got %s %s, want DOCUMENT_NOT_TRUSTED", m.Type, m.Payload)
	}
}

func TestManifestThatCannotBeTrustedNamesTheDocument(t *testing.T) {
	manifest := func(id, text string) string { return marshal(map[string]string{idOf(byName): byName, id: text}) }
	const halfEscaped = `{ user(username: "\uD83D") { id } }`
	const unknown, deep = `{ nobody { id } }`, `{ viewer { followers { edges { node { id } } } } }`
	for _, c := range []struct {
		name, manifest, says string
	}{
		{"no JSON", `nonsense`, "must be a JSON object"},
		{"a list", `[]`, "must be a JSON object"},
		{"a text that is none", `{"` + idOf(byName) + `": 1}`, "must be a JSON object"},
		{"an id twice", `{"` + idOf(byName) + `": "{ nope }", "` + idOf(byName) + `": ` + marshal(byName) + `}`, "twice"},
		{"an id twice, once without its prefix", manifest(idOf(byName)[7:], byName), "twice"},
		{"something after it", manifest(idOf("x"), "x") + "}", "something after"},
		{"an id that is none", manifest("feed", byName), `document "feed": the id is not sha256: and 64 hexadecimal digits`},
		{"another text's id", manifest(idOf("x"), byName), "document " + idOf("x") + ": the text has the SHA-256 " + idOf(byName)[7:]},
		{"a text that does not parse", manifest(idOf("{"), "{"), "document " + idOf("{") + ": Expected Name"},
		{"a text that escapes half a character", manifest(idOf(halfEscaped), halfEscaped), "document " + idOf(halfEscaped) + `: Invalid Unicode escape sequence: \uD83D`},
		{"half a character in the JSON", `{"` + idOf("{ a(b: \"\uFFFD\") }") + `": "{ a(b: \"\ud83d\") }"}`, "the manifest is not valid UTF-8, or escapes half a character"},
		{"an unknown field", manifest(idOf(unknown), unknown), "document " + idOf(unknown) + `: Cannot query field "nobody"`},
		{"beyond the limits", manifest(idOf(deep), deep), "document " + idOf(deep) + ": the operation has fields more than 3 deep"},
	} {
		_, err := guard.ReadDocuments(graph.Schema(), []byte(c.manifest), guard.Limits{Depth: 3})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.says)
		}
	}
	bare := marshal(map[string]string{idOf(byName)[7:]: byName})
	if got, err := guard.ReadDocuments(graph.Schema(), []byte(bare), guard.Limits{}); err != nil || got.Len() != 1 {
		t.Errorf("an id without its prefix: got %d documents, error %v; want 1", got.Len(), err)
	}
}

func TestPersistedQueriesByTheBook(t *testing.T) {
	w := newWorld(t)
	persisted := func(version any, hash string) map[string]any {
		return map[string]any{"persistedQuery": map[string]any{"version": version, "sha256Hash": hash}}
	}
	const query, broken = `{ viewer { username } }`, `{ nobody }`
	known := persisted(1, idOf(query)[7:])
	byHash := "?extensions=" + url.QueryEscape(marshal(known))
	if got := w.raw("GET", byHash, "", "", nil); got.code() != "PERSISTED_QUERY_NOT_FOUND" || got.Errors[0].Message != "PersistedQueryNotFound" {
		t.Errorf("a hash never seen, by GET: got %s, want PERSISTED_QUERY_NOT_FOUND", got.body)
	}
	if got := w.raw("GET", byHash+"&query="+url.QueryEscape(query), "", "", nil); len(got.Errors) > 0 {
		t.Errorf("with its query, by GET: got %s, want an answer", got.body)
	}
	for method, got := range map[string]answer{"GET": w.raw("GET", byHash, "", "", nil), "POST": w.body(map[string]any{"extensions": known})} {
		if len(got.Errors) > 0 || got.Data == nil {
			t.Errorf("by its hash, by %s: got %s, want an answer", method, got.body)
		}
	}
	for name, members := range map[string]map[string]any{
		"another query's hash": {"query": query, "extensions": persisted(1, idOf(broken)[7:])},
		"another version":      {"query": query, "extensions": persisted(2, idOf(query)[7:])},
		"a hash that is none":  {"query": query, "extensions": persisted(1, "x")},
		"no object":            {"query": query, "extensions": map[string]any{"persistedQuery": "x"}},
	} {
		if got := w.body(members); got.code() != "BAD_USER_INPUT" || got.Data != nil {
			t.Errorf("%s: got %s, want BAD_USER_INPUT", name, got.body)
		}
	}
	bad := map[string]any{"query": broken, "extensions": persisted(1, idOf(broken)[7:])}
	if got := w.body(bad); got.code() != "GRAPHQL_VALIDATION_FAILED" {
		t.Errorf("an invalid one: got %s, want GRAPHQL_VALIDATION_FAILED", got.body)
	}
	delete(bad, "query")
	if got := w.body(bad); got.code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("an invalid one by its hash: got %s, want it not to be kept", got.body)
	}
}

func TestFloodOfDocumentsIsForgotten(t *testing.T) {
	w := newWorld(t)
	first := map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": idOf(`{ viewer { id } }`)[7:]}}
	w.must("", `{ viewer { id } }`, nil)
	if got := w.body(map[string]any{"extensions": first}); len(got.Errors) > 0 {
		t.Fatalf("got %s, want the document to be kept", got.body)
	}
	for i := range 10 {
		w.must("", `{ viewer { id } } #`+strings.Repeat(fmt.Sprint(i), 30_000), nil)
	}
	if got := w.body(map[string]any{"extensions": first}); got.code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("after 300 kB of others: got %s, want it to be forgotten", got.body)
	}
}

func TestOperationIsChosenFromItsDocument(t *testing.T) {
	w := newWorld(t)
	const two = `query A { viewer { id } } query B { viewer { username } }`
	for name, want := range map[string]string{
		"":  "the document has several operations; choose one by operationName",
		"C": `the document has no operation "C"`,
	} {
		got := w.body(map[string]any{"query": two, "operationName": name})
		if got.code() != "GRAPHQL_VALIDATION_FAILED" || got.Errors[0].Message != want {
			t.Errorf("operationName %q: got %s, want %q", name, got.body, want)
		}
	}
	if got := w.body(map[string]any{"query": two, "operationName": "B"}); len(got.Errors) > 0 {
		t.Errorf("operationName B: got %s, want an answer", got.body)
	}
}

func TestURLIsNoWayAroundTheLimitOfABody(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Transport.Body = 4096 })
	for name, target := range map[string]string{
		"too long":                "?query={__typename}&x=" + strings.Repeat("x", 5000),
		"nested variables":        "?query={__typename}&variables=" + nest(200, `{"a":`, `1`, `}`),
		"broken UTF-8":            "?query={__typename}%23%ff",
		"broken UTF-8 in members": "?query={__typename}&variables={%22a%22:%22%ff%22}",
	} {
		r, err := http.NewRequest(http.MethodGet, w.server.URL+strings.ReplaceAll(target, `"`, "%22"), bytes.NewReader(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.do(r); got.status/100 != 4 || got.code() != "BAD_USER_INPUT" {
			t.Errorf("%s: got %d %s, want BAD_USER_INPUT", name, got.status, got.body)
		}
	}
}
