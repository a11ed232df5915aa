package guard_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"chirp/graph"
	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/graph/guard"
)

// trust returns the documents of a manifest of texts.
func trust(t *testing.T, texts ...string) *guard.Documents {
	t.Helper()
	manifest := map[string]string{}
	for _, text := range texts {
		manifest[graphtest.DocumentID(text)] = text
	}
	documents, err := guard.ReadDocuments(graph.Schema(), []byte(graphtest.Marshal(manifest)), guard.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

const (
	byName    = `query($n: String) { user(username: $n) { username } }`
	watchFeed = `subscription { feedChirpAdded { node { content } } }`
)

func TestTrustedDocumentIsExecutedByItsID(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.Documents = trust(t, byName, watchFeed) })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	if got := w.PostJSON(map[string]any{"documentId": graphtest.DocumentID(byName), "variables": map[string]any{"n": "ada"}}); got.At("user.username") != "ada" {
		t.Errorf("by POST: got %s, want user ada", got.Body)
	}
	target := "?documentId=" + url.QueryEscape(graphtest.DocumentID(byName)) + "&variables=" + url.QueryEscape(`{"n": "ada"}`)
	if got := w.Raw("GET", target, "", "", nil); got.At("user.username") != "ada" {
		t.Errorf("by GET: got %s, want user ada", got.Body)
	}
	for name, extensions := range map[string]any{"no": nil, "some": map[string]any{"client": "x"}} {
		s := w.Socket(t, ada.Token)
		s.Send(graphtest.Message{ID: "q", Type: "subscribe", Payload: json.RawMessage(graphtest.Marshal(map[string]any{
			"documentId": graphtest.DocumentID(byName), "variables": map[string]any{"n": "ada"}, "extensions": extensions}))})
		if got := s.Next("q"); got.At("user.username") != "ada" {
			t.Errorf("by socket with %s extensions: got %s, want user ada", name, got.Body)
		}
	}
	events := w.Socket(t, ada.Token)
	events.Send(graphtest.Message{ID: "f", Type: "subscribe", Payload: json.RawMessage(graphtest.Marshal(map[string]any{"documentId": graphtest.DocumentID(watchFeed)}))})
	w.WaitForFeeds(1)
	w.Post(bob, "hello")
	if got := events.Next("f"); got.At("feedChirpAdded.node.content") != "hello" {
		t.Errorf("a subscription: got %s, want the chirp", got.Body)
	}
}

func TestAnUntrustedDocumentIDIsRefused(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.Documents = trust(t, byName) })
	w.Must("", `{ viewer { id } }`, nil) // which the server caches but does not trust
	for _, c := range []struct {
		name, code string
		members    map[string]any
	}{
		{"unknown", "DOCUMENT_NOT_TRUSTED", map[string]any{"documentId": graphtest.DocumentID("nothing")}},
		{"known, but not trusted", "DOCUMENT_NOT_TRUSTED", map[string]any{"documentId": graphtest.DocumentID(`{ viewer { id } }`)}},
		{"without its prefix", "BAD_USER_INPUT", map[string]any{"documentId": graphtest.DocumentID(byName)[7:]}},
		{"too short", "BAD_USER_INPUT", map[string]any{"documentId": "sha256:00"}},
		{"empty", "BAD_USER_INPUT", map[string]any{"documentId": ""}},
		{"no text", "BAD_USER_INPUT", map[string]any{"documentId": 1}},
		{"beside a query", "BAD_USER_INPUT", map[string]any{"documentId": graphtest.DocumentID(byName), "query": byName}},
	} {
		if got := w.PostJSON(c.members); got.Code() != c.code || len(got.Errors) != 1 || got.Data != nil {
			t.Errorf("%s: got %s, want %s", c.name, got.Body, c.code)
		}
	}
}

func TestOtherDocumentsAreRefusedIfOnlyTrustedOnesAreAllowed(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.Documents, c.Guard.DocumentsOnly = trust(t, byName), true })
	hashOf := func(text string) map[string]any {
		return map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": graphtest.DocumentID(text)[7:]}}
	}
	const other = `{ viewer { id } }`
	for name, members := range map[string]map[string]any{
		"by its id":                        {"documentId": graphtest.DocumentID(byName)},
		"in full":                          {"query": byName},
		"by the hash of a persisted query": {"extensions": hashOf(byName)},
	} {
		members["variables"] = map[string]any{"n": "nobody"}
		if got := w.PostJSON(members); len(got.Errors) > 0 {
			t.Errorf("a trusted one %s: got %s, want an answer", name, got.Body)
		}
	}
	for name, members := range map[string]map[string]any{
		"in full":                          {"query": other},
		"in full, to be remembered":        {"query": other, "extensions": hashOf(other)},
		"by the hash of a persisted query": {"extensions": hashOf(other)},
		"a trusted one with a space":       {"query": byName + " "},
		"nonsense":                         {"query": "{"},
	} {
		if got := w.PostJSON(members); got.Code() != "DOCUMENT_NOT_TRUSTED" || got.Data != nil {
			t.Errorf("another one %s: got %s, want DOCUMENT_NOT_TRUSTED", name, got.Body)
		}
	}
	s := w.Socket(t, "")
	s.Subscribe("q", other)
	if m := s.Read(); !strings.Contains(string(m.Payload), "DOCUMENT_NOT_TRUSTED") {
		t.Errorf("by socket: got %s %s, want DOCUMENT_NOT_TRUSTED", m.Type, m.Payload)
	}
}

func TestAnInvalidManifestIsRefusedWithTheDocumentsID(t *testing.T) {
	manifest := func(id, text string) string {
		return graphtest.Marshal(map[string]string{graphtest.DocumentID(byName): byName, id: text})
	}
	const halfEscaped = `{ user(username: "\uD83D") { id } }`
	const unknown, deep = `{ nobody { id } }`, `{ viewer { followers { edges { node { id } } } } }`
	for _, c := range []struct {
		name, manifest, says string
	}{
		{"no JSON", `nonsense`, "must be a JSON object"},
		{"a list", `[]`, "must be a JSON object"},
		{"a text that is none", `{"` + graphtest.DocumentID(byName) + `": 1}`, "must be a JSON object"},
		{"an id twice", `{"` + graphtest.DocumentID(byName) + `": "{ nope }", "` + graphtest.DocumentID(byName) + `": ` + graphtest.Marshal(byName) + `}`, "twice"},
		{"an id twice, once without its prefix", manifest(graphtest.DocumentID(byName)[7:], byName), "twice"},
		{"something after it", manifest(graphtest.DocumentID("x"), "x") + "}", "something after"},
		{"an id that is none", manifest("feed", byName), `document "feed": the id is not sha256: and 64 hexadecimal digits`},
		{"another text's id", manifest(graphtest.DocumentID("x"), byName), "document " + graphtest.DocumentID("x") + ": the text has the SHA-256 " + graphtest.DocumentID(byName)[7:]},
		{"a text that does not parse", manifest(graphtest.DocumentID("{"), "{"), "document " + graphtest.DocumentID("{") + ": Expected Name"},
		{"a text that escapes half a character", manifest(graphtest.DocumentID(halfEscaped), halfEscaped), "document " + graphtest.DocumentID(halfEscaped) + `: Invalid Unicode escape sequence: \uD83D`},
		{"half a character in the JSON", `{"` + graphtest.DocumentID("{ a(b: \"\uFFFD\") }") + `": "{ a(b: \"\ud83d\") }"}`, "the manifest is not valid UTF-8, or has an escaped lone surrogate"},
		{"an unknown field", manifest(graphtest.DocumentID(unknown), unknown), "document " + graphtest.DocumentID(unknown) + `: Cannot query field "nobody"`},
		{"beyond the limits", manifest(graphtest.DocumentID(deep), deep), "document " + graphtest.DocumentID(deep) + ": the operation nests fields more than 3 levels deep"},
	} {
		_, err := guard.ReadDocuments(graph.Schema(), []byte(c.manifest), guard.Limits{Depth: 3})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.says)
		}
	}
	bare := graphtest.Marshal(map[string]string{graphtest.DocumentID(byName)[7:]: byName})
	if got, err := guard.ReadDocuments(graph.Schema(), []byte(bare), guard.Limits{}); err != nil || got.Len() != 1 {
		t.Errorf("an id without its prefix: got %d documents, error %v; want 1", got.Len(), err)
	}
}

func TestPersistedQueriesFollowTheProtocol(t *testing.T) {
	w := graphtest.New(t)
	persisted := func(version any, hash string) map[string]any {
		return map[string]any{"persistedQuery": map[string]any{"version": version, "sha256Hash": hash}}
	}
	const query, broken = `{ viewer { username } }`, `{ nobody }`
	known := persisted(1, graphtest.DocumentID(query)[7:])
	byHash := "?extensions=" + url.QueryEscape(graphtest.Marshal(known))
	if got := w.Raw("GET", byHash, "", "", nil); got.Code() != "PERSISTED_QUERY_NOT_FOUND" || got.Errors[0].Message != "PersistedQueryNotFound" {
		t.Errorf("a hash never seen, by GET: got %s, want PERSISTED_QUERY_NOT_FOUND", got.Body)
	}
	if got := w.Raw("GET", byHash+"&query="+url.QueryEscape(query), "", "", nil); len(got.Errors) > 0 {
		t.Errorf("with its query, by GET: got %s, want an answer", got.Body)
	}
	for method, got := range map[string]graphtest.Answer{"GET": w.Raw("GET", byHash, "", "", nil), "POST": w.PostJSON(map[string]any{"extensions": known})} {
		if len(got.Errors) > 0 || got.Data == nil {
			t.Errorf("by its hash, by %s: got %s, want an answer", method, got.Body)
		}
	}
	for name, members := range map[string]map[string]any{
		"another query's hash": {"query": query, "extensions": persisted(1, graphtest.DocumentID(broken)[7:])},
		"another version":      {"query": query, "extensions": persisted(2, graphtest.DocumentID(query)[7:])},
		"a hash that is none":  {"query": query, "extensions": persisted(1, "x")},
		"no object":            {"query": query, "extensions": map[string]any{"persistedQuery": "x"}},
	} {
		if got := w.PostJSON(members); got.Code() != "BAD_USER_INPUT" || got.Data != nil {
			t.Errorf("%s: got %s, want BAD_USER_INPUT", name, got.Body)
		}
	}
	bad := map[string]any{"query": broken, "extensions": persisted(1, graphtest.DocumentID(broken)[7:])}
	if got := w.PostJSON(bad); got.Code() != "GRAPHQL_VALIDATION_FAILED" {
		t.Errorf("an invalid one: got %s, want GRAPHQL_VALIDATION_FAILED", got.Body)
	}
	delete(bad, "query")
	if got := w.PostJSON(bad); got.Code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("an invalid one by its hash: got %s, want it not to be kept", got.Body)
	}
}

func TestTheDocumentCacheForgetsTheOldest(t *testing.T) {
	w := graphtest.New(t)
	first := map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": graphtest.DocumentID(`{ viewer { id } }`)[7:]}}
	w.Must("", `{ viewer { id } }`, nil)
	if got := w.PostJSON(map[string]any{"extensions": first}); len(got.Errors) > 0 {
		t.Fatalf("got %s, want the document to be cached", got.Body)
	}
	for i := range 10 {
		w.Must("", `{ viewer { id } } #`+strings.Repeat(fmt.Sprint(i), 30_000), nil)
	}
	if got := w.PostJSON(map[string]any{"extensions": first}); got.Code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("after 300 kB of others: got %s, want it to be forgotten", got.Body)
	}
}

func TestOperationIsChosenFromItsDocument(t *testing.T) {
	w := graphtest.New(t)
	const two = `query A { viewer { id } } query B { viewer { username } }`
	for name, want := range map[string]string{
		"":  "the document has several operations; choose one by operationName",
		"C": `the document has no operation "C"`,
	} {
		got := w.PostJSON(map[string]any{"query": two, "operationName": name})
		if got.Code() != "GRAPHQL_VALIDATION_FAILED" || got.Errors[0].Message != want {
			t.Errorf("operationName %q: got %s, want %q", name, got.Body, want)
		}
	}
	if got := w.PostJSON(map[string]any{"query": two, "operationName": "B"}); len(got.Errors) > 0 {
		t.Errorf("operationName B: got %s, want an answer", got.Body)
	}
}
