package graphtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Answer is a response of the API.
type Answer struct {
	Data   map[string]any `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Locations  []any          `json:"locations"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
	Extensions map[string]any `json:"extensions"`

	Status int         `json:"-"`
	Header http.Header `json:"-"`
	Body   string      `json:"-"`
}

// Code returns the code of the first error, or "" if there is none.
func (a Answer) Code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

// At returns the value at a path of field names and indices, such as
// "user.chirps.edges.0.cursor", or nil if there is none.
func At(v any, path string) any {
	for _, step := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// At returns the value at a path into the data, or nil if there is none.
func (a Answer) At(path string) any { return At(any(a.Data), path) }

// List returns the values at a path within each element of a list.
func (a Answer) List(list, path string) []any {
	elements, _ := a.At(list).([]any)
	values := make([]any, len(elements))
	for i, e := range elements {
		values[i] = At(e, path)
	}
	return values
}

// Ask sends an operation by POST. Its snapshot shows everything written before.
func (w *World) Ask(token, operation string, variables map[string]any) Answer {
	w.T.Helper()
	head, _ := w.Head(context.Background())
	return w.Send(token, operation, variables, http.Header{"Chirp-Read-After": {head.String()}})
}

// Send sends an operation by POST with headers.
func (w *World) Send(token, operation string, variables map[string]any, header http.Header) Answer {
	w.T.Helper()
	body, err := json.Marshal(map[string]any{"query": operation, "variables": variables})
	if err != nil {
		w.T.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, w.Server.URL, bytes.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	return w.Do(r)
}

// Do sends a request and returns the answer.
func (w *World) Do(r *http.Request) Answer {
	w.T.Helper()
	response, err := w.Server.Client().Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.T.Fatal(err)
	}
	a := Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
	if err := json.Unmarshal(body, &a); err != nil {
		w.T.Fatalf("answer %d %.200q: %v", a.Status, body, err)
	}
	CheckPaths(w.T, a.Body)
	return a
}

// Must is Ask for an operation that must succeed.
func (w *World) Must(token, operation string, variables map[string]any) Answer {
	w.T.Helper()
	a := w.Ask(token, operation, variables)
	if len(a.Errors) > 0 {
		w.T.Fatalf("%s\ngot errors %+v", operation, a.Errors)
	}
	return a
}

// Raw sends a request with exactly this body and these headers.
func (w *World) Raw(method, target, contentType, body string, header http.Header) Answer {
	w.T.Helper()
	r, err := http.NewRequest(method, w.Server.URL+target, strings.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	return w.Do(r)
}

// PostJSON sends the members of a request by POST.
func (w *World) PostJSON(members map[string]any) Answer {
	w.T.Helper()
	return w.Raw("POST", "", "application/json", Marshal(members), nil)
}

// ServeBody calls the handler with a POST of a user, without a network.
func (w *World) ServeBody(token, body string) Answer {
	w.T.Helper()
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	got := httptest.NewRecorder()
	w.Handler.ServeHTTP(got, r)
	a := Answer{Body: got.Body.String(), Status: got.Code}
	CheckPaths(w.T, a.Body)
	if err := json.Unmarshal(got.Body.Bytes(), &a); err != nil {
		w.T.Fatalf("answer %d %.200q: %v", a.Status, a.Body, err)
	}
	return a
}

// Marshal returns v as JSON.
func Marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Envelope returns the body of a request.
func Envelope(document, variables string) string {
	return `{"query":` + Marshal(document) + `,"variables":` + variables + `}`
}

// DocumentID returns the documentId of a text.
func DocumentID(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

// CheckPaths fails the test for errors whose path does not lead through the
// response's data to a value, or to a null in place of it.
func CheckPaths(t testing.TB, response string) {
	t.Helper()
	var r struct {
		Data   any
		Errors []struct {
			Message string
			Path    []any
		}
	}
	if err := json.Unmarshal([]byte(response), &r); err != nil {
		return // not a response, which its test checks
	}
	for _, e := range r.Errors {
		switch {
		case e.Path == nil:
		case !strings.Contains(response, `"data":`):
			t.Errorf("the error %q has the path %v and there is no data", e.Message, e.Path)
		case len(e.Path) == 0 || !leads(r.Data, e.Path):
			t.Errorf("the error %q has the path %v, which does not lead through %.300s", e.Message, e.Path, response)
		}
	}
}

// leads reports whether a path leads to a value or to a null on the way.
func leads(v any, path []any) bool {
	if v == nil || len(path) == 0 {
		return true
	}
	switch step := path[0].(type) {
	case string:
		fields, _ := v.(map[string]any)
		value, ok := fields[step]
		return ok && leads(value, path[1:])
	case float64:
		items, _ := v.([]any)
		return int(step) >= 0 && int(step) < len(items) && leads(items[int(step)], path[1:])
	default:
		return false
	}
}

// DecodeAll decodes responses.
func DecodeAll(t *testing.T, texts []string) []Answer {
	t.Helper()
	answers := make([]Answer, len(texts))
	for i, text := range texts {
		answers[i].Body = text
		if err := json.Unmarshal([]byte(text), &answers[i]); err != nil {
			t.Fatalf("got %.300q: %v", text, err)
		}
		CheckPaths(t, text)
	}
	return answers
}

// PostOnce is a mutation.
const PostOnce = `mutation { postChirp(input: {content: "x"}) { position } }`

// UsualIntrospection is the query of GraphiQL, code generators and other tools.
const UsualIntrospection = `query IntrospectionQuery { __schema {
  description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
  types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`
