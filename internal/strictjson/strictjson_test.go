package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"chirp/internal/strictjson"
)

type request struct {
	Query     *string        `json:"query"`
	Variables map[string]any `json:"variables"`
}

func TestUnmarshalTakesOneReadingOnly(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // the query, or the error
		malformed  bool
	}{
		{"a request", ` {"query": "a", "variables": {"n": 1}} ` + "\n", "a", false},
		{"a name in another case is another name", `{"query": "a", "Query": "b", "QUERY": "c"}`, "a", false},
		{"a name that folds to a known one", `{"query": "a", "variableſ": 1}`, "a", false},
		{"an escaped name", `{"\u0071uery": "a"}`, "a", false},
		{"a name twice", `{"query": "a", "query": "a"}`, `has the member "query" twice in one object`, true},
		{"a name twice, once escaped", `{"query": "a", "\u0071uery": "b"}`, `has the member "query" twice in one object`, true},
		{"an unknown name twice", `{"query": "a", "x": 1, "x": 1}`, `has the member "x" twice in one object`, true},
		{"a variable twice", `{"query": "a", "variables": {"in": [{"x": 1, "x": 2}]}}`, `has the member "x" twice in one object`, true},
		{"twice inside of what is not known", `{"query": "a", "other": {"x": 1, "x": 2}}`, `has the member "x" twice in one object`, true},
		{"a brace after it", `{"query": "a"}}`, "has something after its JSON value", true},
		{"a bracket after it", `{"query": "a"}]`, "has something after its JSON value", true},
		{"another value after it", `{"query": "a"} {"query": "b"}`, "has something after its JSON value", true},
		{"a comma after it", `{"query": "a"},`, "has something after its JSON value", true},
		{"a comma at the end", `{"query": "a",}`, "is not JSON: byte 13 is out of place", true},
		{"cut off", `{"query": "a"`, "is not JSON: it ends too early", true},
		{"nothing", ``, "is not JSON: it ends too early", true},
		{"a zero byte after it", `{"query": "a"}` + "\x00", "has something after its JSON value", true},
		{"bytes that are not UTF-8", "{\"query\": \"\xff\"}", "is not JSON: byte 11 is out of place", true},
		{"half a surrogate pair", `{"query": "\ud83d"}`, "is not JSON: byte 11 is out of place", true},
		{"half a pair in a name", `{"query": "a", "\ud83d": 1}`, "is not JSON: byte 16 is out of place", true},
		{"a byte order mark", "\ufeff" + `{"query": "a"}`, "is not JSON: byte 0 is out of place", true},
		{"a query of another kind", `{"query": 1}`, `has a member "query" that cannot be a JSON number`, false},
		{"variables of another kind", `{"query": "a", "variables": [7]}`, `has a member "variables" that cannot be a JSON array`, false},
		{"no object", `[]`, "cannot be a JSON array", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r request
			err := strictjson.Unmarshal([]byte(c.text), &r)
			var bad *strictjson.Error
			switch {
			case errors.As(err, &bad) && (bad.Error() != c.want || bad.Malformed != c.malformed):
				t.Errorf("got %q, malformed %t, want %q, %t", bad.Error(), bad.Malformed, c.want, c.malformed)
			case bad == nil && (err != nil || r.Query == nil || *r.Query != c.want):
				t.Errorf("got %v, %v, want the query %s", r.Query, err, c.want)
			}
			if checked := strictjson.Unmarshal([]byte(c.text), new(any)); (checked != nil) != c.malformed {
				t.Errorf("Check: got %v, want an error: %t", checked, c.malformed)
			}
		})
	}
}

func TestNumbersStayAsTheyAreWritten(t *testing.T) {
	var r request
	const text = `{"variables": {"a": 9007199254740993, "b": [1e2, {"c": -0.10}], "d": "1", "e": null}}`
	if err := strictjson.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": json.Number("9007199254740993"),
		"b": []any{json.Number("1e2"), map[string]any{"c": json.Number("-0.10")}}, "d": "1", "e": nil}
	if !reflect.DeepEqual(r.Variables, want) {
		t.Errorf("got %#v, want %#v", r.Variables, want)
	}
}

func TestUnmarshalKnownRefusesOtherMembers(t *testing.T) {
	var r request
	if err := strictjson.UnmarshalKnown([]byte(`{"query": "a", "Query": "b"}`), &r); err == nil || err.Error() != `has the member "Query", which is not known` {
		t.Errorf("got %v, want that Query is not known", err)
	}
}

// FuzzUnmarshal looks for a text with two interpretations: encoding/json must also
// accept what Unmarshal accepts, with the same meaning once names that differ only
// in case are gone.
func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		`{"query":"a","variables":{"n":[1,{"x":null}]}}`, `{"query":"a","Query":"b"}`, `{"query":"a"}}`, `{"variableſ":{}}`,
		`{"query":"\ud83d\ude00"}`, `{"a":{"b":1,"b":2}}`, "{\"\xff\":1}", `[1]`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got any
		if strictjson.Unmarshal(text, &got) != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil || d.More() {
			t.Fatalf("taken, but encoding/json refuses it: %v", err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, encoding/json reads %#v", got, want)
		}
		again, err := json.Marshal(got)
		if err != nil || strictjson.Unmarshal(again, new(any)) != nil {
			t.Errorf("written again it is %q, %v, and refused", again, err)
		}
	})
}

const typical = `{"query":"query Feed($first: Int, $after: String) { feed(first: $first, after: $after) { edges { cursor node { id content author { id username } } } pageInfo { hasNextPage endCursor } } }","operationName":"Feed","variables":{"first":20,"after":"cc3h5nq2w8v0"},"extensions":{"clientLibrary":{"name":"@apollo/client","version":"4.3.8"}}}`

func BenchmarkTypicalRequest(b *testing.B) {
	for _, c := range []struct {
		name   string
		decode func(text []byte, into any) error
	}{
		{"strict", strictjson.Unmarshal},
		{"encoding/json", func(text []byte, into any) error {
			d := json.NewDecoder(strings.NewReader(string(text)))
			d.UseNumber()
			return d.Decode(into)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r request
				if err := c.decode([]byte(typical), &r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
