package transport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"chirp/graph/graphtest"
)

// posts is a mutation that leaves an event, so that its execution is noticed.
const posts = `mutation { postChirp(input: {content: \"done\"}) { chirp { id } } }`

// requests that have two readings, or none. In each, a reader that is lenient
// in one way or another finds the mutation.
var ambiguous = []struct{ name, text string }{
	{"a query twice", `{"query": "{ __typename }", "query": "` + posts + `"}`},
	{"a query twice, the mutation first", `{"query": "` + posts + `", "query": "{ __typename }"}`},
	{"a query twice, once escaped", `{"query": "{ __typename }", "\u0071uery": "` + posts + `"}`},
	{"an operationName twice", `{"query": "query A { __typename } mutation B { postChirp(input: {content: \"done\"}) { chirp { id } } }", "operationName": "A", "operationName": "B"}`},
	{"variables twice", `{"query": "mutation($c: String!) { postChirp(input: {content: $c}) { chirp { id } } }", "variables": {"c": ""}, "variables": {"c": "done"}}`},
	{"a variable twice", `{"query": "mutation($c: String!) { postChirp(input: {content: $c}) { chirp { id } } }", "variables": {"c": "", "c": "done"}}`},
	{"a field of an input twice", `{"query": "mutation($i: PostChirpInput!) { postChirp(input: $i) { chirp { id } } }", "variables": {"i": {"content": "", "content": "done"}}}`},
	{"an extension twice", `{"query": "` + posts + `", "extensions": {"a": {"b": 1, "b": 2}}}`},
	{"an unknown member twice", `{"query": "` + posts + `", "other": 1, "other": 2}`},
	{"a brace after it", `{"query": "` + posts + `"}}`},
	{"a bracket after it", `{"query": "` + posts + `"}]`},
	{"text after it", `{"query": "` + posts + `"} true`},
	{"a comma at the end", `{"query": "` + posts + `",}`},
	{"a lone surrogate", `{"query": "` + posts + `", "extensions": {"a": "\udc00"}}`},
	{"bytes that are not UTF-8", `{"query": "` + posts + `", "extensions": {"a": "` + "\xff" + `"}}`},
}

// misnamed are requests that have members in another case, which must be ignored.
var misnamed = []struct{ name, text string }{
	{"a Query besides", `{"query": "{ __typename }", "Query": "` + posts + `"}`},
	{"a QUERY before", `{"QUERY": "` + posts + `", "query": "{ __typename }"}`},
	{"an OperationName", `{"query": "query A { __typename } mutation B { postChirp(input: {content: \"done\"}) { chirp { id } } }", "operationName": "A", "OperationName": "B"}`},
	{"a DocumentID", `{"query": "{ __typename }", "DocumentID": "sha256:00"}`},
	{"variableſ", `{"query": "query($n: Int) { __typename @skip(if: false) user(id: \"x\") @skip(if: true) { followers(first: $n) { edges { cursor } } } }", "variableſ": {"n": {}}}`},
	{"headers", `{"query": "{ __typename }", "headers": {"Authorization": ["x"]}, "Headers": 1}`},
}

func lastEvent(t *testing.T, w *graphtest.World) int64 {
	t.Helper()
	head, err := w.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return int64(head)
}

func TestAnAmbiguousBodyIsRefused(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	before := lastEvent(t, w)
	for _, accept := range []string{"application/json", "application/graphql-response+json", "text/event-stream", `multipart/mixed;subscriptionSpec="1.0"`} {
		for _, c := range ambiguous {
			got := w.Raw("POST", "", "application/json", c.text, http.Header{"Accept": {accept}, "Authorization": {"Bearer " + ada.Token}})
			if got.Status != http.StatusBadRequest || got.Code() != "BAD_USER_INPUT" || got.Data != nil {
				t.Errorf("%s: %s: got %d %s, want 400 BAD_USER_INPUT", accept, c.name, got.Status, got.Body)
			}
		}
	}
	for _, c := range misnamed {
		got := w.Raw("POST", "", "application/json", c.text, http.Header{"Authorization": {"Bearer " + ada.Token}})
		if got.At("__typename") != "Query" {
			t.Errorf("%s: got %s, want the query's answer", c.name, got.Body)
		}
	}
	if got := w.Raw("POST", "", "application/json", `{"Query": "`+posts+`"}`, http.Header{"Authorization": {"Bearer " + ada.Token}}); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("a Query alone: got %d %s, want 422", got.Status, got.Body)
	}
	if after := lastEvent(t, w); after != before {
		t.Errorf("got %d new events, want none", after-before)
	}
}

func TestAnAmbiguousURLIsRefused(t *testing.T) {
	w := graphtest.New(t)
	query := "query=" + url.QueryEscape(`query A($n: String) { user(username: $n) { id } } query B { __typename }`)
	for _, c := range []struct {
		name, target string
		status       int
	}{
		{"a query twice", "?query={__typename}&query={viewer{id}}", 422},
		{"an operationName twice", "?" + query + "&operationName=A&operationName=B", 422},
		{"variables twice", "?" + query + "&operationName=A&variables={}&variables={}", 422},
		{"a documentId twice", "?documentId=a&documentId=b", 422},
		{"a Query only", "?Query={__typename}", 422},
		{"a variable twice", "?" + query + "&operationName=A&variables=" + url.QueryEscape(`{"n":"a","n":"b"}`), 400},
		{"a brace after the variables", "?" + query + "&operationName=A&variables=" + url.QueryEscape(`{"n":"a"}}`), 400},
		{"an extension twice", "?" + query + "&operationName=B&extensions=" + url.QueryEscape(`{"a":1,"a":2}`), 400},
		{"an operationName that is not UTF-8", "?" + query + "&operationName=%ff", 400},
		{"variables that are a list", "?" + query + "&operationName=A&variables=[7]", 422},
	} {
		if got := w.Raw("GET", c.target, "", "", nil); got.Status != c.status || got.Code() != "BAD_USER_INPUT" {
			t.Errorf("%s: got %d %s, want %d BAD_USER_INPUT", c.name, got.Status, got.Body, c.status)
		}
	}
	if got := w.Raw("GET", "?query={__typename}&operationName=&variables=&extensions=&Query=x", "", "", nil); got.At("__typename") != "Query" {
		t.Errorf("with empty parameters: got %s, want as if they were not there", got.Body)
	}
}

func TestAnAmbiguousMessageClosesTheSocket(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	before := lastEvent(t, w)
	for subprotocol, kind := range map[string]string{"graphql-transport-ws": "subscribe", "graphql-ws": "start"} {
		d := websocket.Dialer{Subprotocols: []string{subprotocol}, HandshakeTimeout: graphtest.Hang}
		open := func(t *testing.T) *graphtest.Socket {
			s := graphtest.DialServer(t, w.Server, d, nil)
			s.Initiate(ada.Token)
			for subprotocol == "graphql-ws" && s.Read().Type != "ka" {
			}
			return s
		}
		frame := `{"id": "a", "type": "` + kind + `", "payload": %s}`
		texts := []struct{ name, text string }{
			{"an id twice", `{"id": "a", "id": "b", "type": "` + kind + `", "payload": {"query": "` + posts + `"}}`},
			{"a type twice", `{"id": "a", "type": "ping", "type": "` + kind + `", "payload": {"query": "` + posts + `"}}`},
			{"a payload twice", `{"id": "a", "type": "` + kind + `", "payload": {"query": "{ __typename }"}, "payload": {"query": "` + posts + `"}}`},
			{"a Type", `{"id": "a", "Type": "` + kind + `", "payload": {"query": "` + posts + `"}}`},
			{"a Payload", `{"id": "a", "type": "` + kind + `", "Payload": {"query": "` + posts + `"}}`},
			{"a brace after it", `{"id": "a", "type": "` + kind + `", "payload": {"query": "` + posts + `"}}}`},
		}
		for _, c := range ambiguous {
			texts = append(texts, struct{ name, text string }{c.name, fmt.Sprintf(frame, c.text)})
		}
		for _, c := range texts {
			t.Run(subprotocol+"/"+c.name, func(t *testing.T) {
				s := open(t)
				_ = s.Conn.WriteMessage(websocket.TextMessage, []byte(c.text))
				if code, reason := s.WaitClosed(); code != 4400 || reason == "" {
					t.Errorf("closed with %d %q, want 4400 and a reason", code, reason)
				}
			})
		}
		next := map[string]string{"subscribe": "next", "start": "data"}[kind]
		for _, c := range misnamed {
			s := open(t)
			_ = s.Conn.WriteMessage(websocket.TextMessage, []byte(fmt.Sprintf(frame, c.text)))
			if m := s.Read(); m.Type != next || !strings.Contains(string(m.Payload), `"Query"`) {
				t.Errorf("%s: %s: got %s %s, want the query's answer", subprotocol, c.name, m.Type, m.Payload)
			}
		}
	}
	if after := lastEvent(t, w); after != before {
		t.Errorf("got %d new events, want none", after-before)
	}
}

func TestAnInvalidRequestOnASocketFailsAlone(t *testing.T) {
	w := graphtest.New(t)
	for subprotocol, kind := range map[string]string{"graphql-transport-ws": "subscribe", "graphql-ws": "start"} {
		s := graphtest.DialServer(t, w.Server, websocket.Dialer{Subprotocols: []string{subprotocol}, HandshakeTimeout: graphtest.Hang}, nil)
		s.Initiate("")
		for subprotocol == "graphql-ws" && s.Read().Type != "ka" {
		}
		for _, payload := range []string{
			`{"query": "{ __typename }", "variables": 1}`, `{"query": "{ __typename }", "variables": [7]}`, `{"query": "{ __typename }", "variables": "{}"}`,
			`{"query": "{ __typename }", "operationName": {}}`, `{"query": "{ __typename }", "extensions": []}`, `{"query": 7}`, `{"documentId": 7}`,
		} {
			s.Send(graphtest.Message{ID: "a", Type: kind, Payload: json.RawMessage(payload)})
			if m := s.Read(); m.Type != "error" || m.ID != "a" || !strings.Contains(string(m.Payload), "BAD_USER_INPUT") {
				t.Errorf("%s: %s: got %+v, want error BAD_USER_INPUT", subprotocol, payload, m)
			}
		}
		s.Send(graphtest.Message{ID: "a", Type: kind, Payload: json.RawMessage(`{"query": "{ __typename }"}`)})
		if m := s.Read(); m.ID != "a" || !strings.Contains(string(m.Payload), `"Query"`) {
			t.Errorf("%s: afterwards: got %+v, want an answer by the same id", subprotocol, m)
		}
	}
}

func TestTwoAuthorizationsOfASocketAreRefused(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for _, c := range []struct {
		payload string
		code    int
	}{
		{`{"authorization": "Bearer ` + ada.Token + `", "Authorization": "Bearer nonsense"}`, 4403},
		{`{"authorization": "Bearer nonsense", "AUTHORIZATION": "Bearer ` + ada.Token + `"}`, 4403},
		{`{"authorization": "Bearer nonsense", "authorization": "Bearer ` + ada.Token + `"}`, 4400},
		{`{"other": {"x": 1, "x": 2}}`, 4400},
	} {
		s := w.Dial(t, nil)
		_ = s.Conn.WriteMessage(websocket.TextMessage, []byte(`{"type": "connection_init", "payload": `+c.payload+`}`))
		if code, _ := s.WaitClosed(); code != c.code {
			t.Errorf("%.60s: closed with %d, want %d", c.payload, code, c.code)
		}
	}
	s := w.Dial(t, nil)
	_ = s.Conn.WriteMessage(websocket.TextMessage, []byte(`{"type": "connection_init", "payload": {"Authorization": "Bearer `+ada.Token+`"}}`))
	if m := s.Read(); m.Type != "connection_ack" {
		t.Errorf("one of them in another case: got %+v, want connection_ack", m)
	}
}

func TestPersistedQueryExtensionIsStrict(t *testing.T) {
	w := graphtest.New(t)
	const sum = `"sha256Hash": "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"` // of {__typename}
	for _, c := range []struct{ extensions, code string }{
		{`{"persistedQuery": {"version": 1, ` + sum + `}}`, "PERSISTED_QUERY_NOT_FOUND"},
		{`{"persistedQuery": {"version": "1", ` + sum + `}}`, "BAD_USER_INPUT"},
		{`{"persistedQuery": {"version": 1, "Version": 2, ` + sum + `}}`, "PERSISTED_QUERY_NOT_FOUND"},
		{`{"persistedQuery": {"version": 1, "version": 1, ` + sum + `}}`, "BAD_USER_INPUT"},
		{`{"persistedquery": {"version": 1, ` + sum + `}}`, "BAD_USER_INPUT"},
		{`{"documentId": "sha256:` + strings.Repeat("0", 64) + `"}`, "BAD_USER_INPUT"}, // it is no extension
	} {
		got := w.Raw("POST", "", "application/json", `{"extensions": `+c.extensions+`}`, nil)
		if got.Code() != c.code {
			t.Errorf("%s: got %s, want %s", c.extensions, got.Body, c.code)
		}
	}
}

func TestARepeatedHeaderIsRefused(t *testing.T) {
	w := graphtest.New(t)
	ada := "Bearer " + w.Person("ada").Token
	for _, tokens := range [][]string{{ada, ada}, {ada, "Bearer nonsense"}, {"", ada}} {
		got := w.Send("", `{ __typename }`, nil, http.Header{"Authorization": tokens})
		if got.Status != http.StatusUnauthorized || got.Code() != "UNAUTHENTICATED" {
			t.Errorf("%d tokens: got %d %s, want 401", len(tokens), got.Status, got.Body)
		}
	}
	if got := w.Send("", `{ __typename }`, nil, http.Header{"Chirp-Read-After": {"0", "1"}}); got.Status != http.StatusBadRequest {
		t.Errorf("two positions: got %d %s, want 400", got.Status, got.Body)
	}
	ws, response, err := graphtest.Dialer.Dial("ws"+strings.TrimPrefix(w.Server.URL, "http"), http.Header{"Authorization": {ada, "Bearer nonsense"}})
	if err == nil || response == nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a socket with two tokens: got %v, want 401", response)
	}
	if response != nil {
		_ = response.Body.Close()
	}
	if ws != nil {
		_ = ws.Close()
	}
}
