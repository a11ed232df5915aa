package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"chirp/graph/graphtest"
)

// notExecuted sends a request in every way that allows it, and checks that it is
// refused as a whole: with one error with a code, without a path and without data.
func notExecuted(t *testing.T, w *graphtest.World, r graphtest.Request, code, message string) {
	t.Helper()
	before, _ := w.Head(context.Background())
	for _, way := range graphtest.Ways() {
		if way.Queries && strings.HasPrefix(r.Operation, "mutation") {
			continue
		}
		for _, got := range way.Send(t, w, r) {
			if got.Code() != code || len(got.Errors) != 1 || !strings.Contains(got.Errors[0].Message, message) {
				t.Errorf("%s: got %s, want one error %s with %q", way.Name, got.Body, code, message)
			}
			if strings.Contains(got.Body, `"data"`) || strings.Contains(got.Body, `"path"`) {
				t.Errorf("%s: got %s, want neither data nor a path", way.Name, got.Body)
			}
		}
	}
	if after, _ := w.Head(context.Background()); after != before {
		t.Errorf("the log went from %d to %d, want nothing to be executed", before, after)
	}
}

func TestWrongVariablesAreRefusedBeforeExecution(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	const (
		content = `mutation($v: String!) { a: postChirp(input: {content: "first"}) { position } b: postChirp(input: {content: $v}) { position } }`
		input   = `mutation($v: PostChirpInput!) { a: postChirp(input: {content: "first"}) { position } b: postChirp(input: $v) { position } }`
		node    = `query($v: ID!) { viewer { id } node(id: $v) { id } }`
		page    = `query($v: Int) { viewer { followers(first: $v) { edges { cursor } } } }`
		flag    = `query($v: Boolean!) { viewer { id @include(if: $v) } }`
	)
	object := func(name string, value any) map[string]any { return map[string]any{name: value} }
	for _, c := range []struct {
		name, operation string
		value           any
		message         string
	}{
		{"a number for a String", content, 5, "$v: a String is text, not a number"},
		{"a boolean for a String", content, true, "$v: a String is text, not a boolean"},
		{"null for a String!", content, nil, "$v: must not be null"},
		{"a list for a String", content, []any{"x"}, "$v: a String is text, not a list"},
		{"a number inside an object", input, object("content", 5), "$v.content: a String is text, not a number"},
		{"null inside an object", input, object("content", nil), "$v.content: must not be null"},
		{"nothing inside an object", input, object("commandId", "x"), "$v.content: must be given"},
		{"an unknown field", input, map[string]any{"content": "x", "contents": "y"}, `$v: PostChirpInput has no field "contents"`},
		{"the type's name as a field", input, map[string]any{"content": "x", "__typename": "PostChirpInput"}, `no field "__typename"`},
		{"text for an object", input, "x", "$v: a PostChirpInput is an object, not a string"},
		{"a list for an object", input, []any{object("content", "x")}, "$v: a PostChirpInput is an object, not a list"},
		{"a fraction for an ID", node, 1.5, "$v: an ID is text or a whole number of 64 bits, not 1.5"},
		{"a boolean for an ID", node, false, "$v: an ID is text or a whole number, not a boolean"},
		{"text for an Int", page, "2", "$v: an Int is a number, not a string"},
		{"a fraction for an Int", page, 1.5, `$v: "1.5" is not a whole number of 32 bits`},
		{"an Int beyond 32 bits", page, 2147483648, `$v: "2147483648" is not a whole number of 32 bits`},
		{"a boolean for an Int", page, true, "$v: an Int is a number, not a boolean"},
		{"a list for an Int", page, []any{1}, "$v: an Int is a number, not a list"},
		{"text for a Boolean", flag, "true", "$v: a Boolean is true or false, not a string"},
		{"a number for a Boolean", flag, 1, "$v: a Boolean is true or false, not a number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			notExecuted(t, w, graphtest.Request{Token: ada.Token, Operation: c.operation, Variables: object("v", c.value)}, "BAD_USER_INPUT", c.message)
		})
	}
	t.Run("none for a String!", func(t *testing.T) {
		notExecuted(t, w, graphtest.Request{Token: ada.Token, Operation: content}, "BAD_USER_INPUT", "$v: must be given")
	})
}

func TestNullInPlaceOfADefaultIsRefused(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	null := map[string]any{"v": nil}
	for name, operation := range map[string]string{
		"of @include":                `query($v: Boolean = true) { __typename @include(if: $v) }`,
		"of @skip":                   `query($v: Boolean = true) { __typename @skip(if: $v) }`,
		"of an inline fragment":      `query($v: Boolean = true) { ... @include(if: $v) { __typename } }`,
		"of a spread":                `query($v: Boolean = true) { ...f @skip(if: $v) } fragment f on Query { __typename }`,
		"in a fragment":              `query($v: Boolean = true) { ...f } fragment f on Query { viewer { ...g } } fragment g on User { id @include(if: $v) }`,
		"in a fragment of no object": `query($v: Boolean = true) { node(id: "user_1") { ... on Chirp { content @include(if: $v) } } }`,
		"under what is skipped":      `query($v: Boolean = true) { __typename viewer @skip(if: true) { id @include(if: $v) } }`,
		"after a mutation":           `mutation($v: Boolean = true) { postChirp(input: {content: "x"}) { position @include(if: $v) } }`,
		"beside a mutation":          `mutation($v: Boolean = true) { postChirp(input: {content: "x"}) { position } __typename @skip(if: $v) }`,
		"of an ID":                   `query($v: ID = "user_1") { __typename node(id: $v) { id } }`,
		"of a field of an object":    `mutation($v: String = "x") { a: postChirp(input: {content: "x"}) { position } postChirp(input: {content: $v}) { position } }`,
		"of an object":               `mutation($v: PostChirpInput = {content: "x"}) { a: postChirp(input: {content: "x"}) { position } postChirp(input: $v) { position } }`,
		"of introspection":           `query($v: String = "User") { viewer { id } __type(name: $v) { name } }`,
	} {
		t.Run(name, func(t *testing.T) {
			notExecuted(t, w, graphtest.Request{Token: ada.Token, Operation: operation, Variables: null}, "BAD_USER_INPUT", "$v: it is null")
		})
	}
	for operation, want := range map[string]string{
		`query($v: Boolean = true) { __typename viewer @include(if: $v) { username } }`:                            "ada",
		`query($v: ID = "user_1", $no: Boolean = true) { viewer { username } node(id: $v) @skip(if: $no) { id } }`: "ada",
	} {
		variables := map[string]any{}
		if strings.Contains(operation, "$no") {
			variables = null // the operation has no variable
		}
		if got := w.Ask(ada.Token, operation, variables); got.At("viewer.username") != want || len(got.Errors) > 0 {
			t.Errorf("%s: got %s, want %s", operation, got.Body, want)
		}
	}
}

func TestAnInvalidPageIsRefusedBeforeExecution(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	const both = "first and last are both given; leave one of them out"
	mutation := func(arguments string) string {
		return `mutation($v: Int) { postChirp(input: {content: "x"}) { chirp { author { ...f } } } } fragment f on User { chirps(` + arguments + `) { edges { cursor } } }`
	}
	for operation, message := range map[string]string{
		mutation("first: 1, last: $v"):                                                   both,
		mutation("last: $v, first: $v"):                                                  both,
		mutation("first: $v, after: null, last: 1"):                                      both,
		mutation("first: 101, last: $v"):                                                 "first is 101, it must be 1 to 100",
		`query($v: Int) { viewer { id } feed(first: 1, last: $v) { edges { cursor } } }`: both,
	} {
		notExecuted(t, w, graphtest.Request{Token: ada.Token, Operation: operation, Variables: map[string]any{"v": 1}}, "BAD_USER_INPUT", message)
	}
	if got := w.Must(ada.Token, mutation("first: 1, last: $v"), map[string]any{"v": nil}); got.At("postChirp.chirp.author.chirps") == nil {
		t.Errorf("a last that is null: got %s, want a page", got.Body)
	}
}

func TestInvalidSubscriptionsAreRefused(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for operation, c := range map[string]struct {
		value         any
		code, message string
	}{
		`subscription($v: ID!) { profileUpdated(userId: $v) { id } }`:                                                    {1.5, "BAD_USER_INPUT", "$v: "},
		`subscription($v: ID = "x") { profileUpdated(userId: $v) { id } }`:                                               {nil, "BAD_USER_INPUT", "$v: it is null"},
		`subscription($v: Boolean = true) { profileUpdated(userId: "x") { id @include(if: $v) } }`:                       {nil, "BAD_USER_INPUT", "$v: it is null"},
		`subscription($v: Boolean = true) { feedChirpAdded { cursor } ... @skip(if: $v) { feedChirpAdded { cursor } } }`: {nil, "BAD_USER_INPUT", "$v: it is null"},
		`subscription { __typename }`:                                     {nil, "GRAPHQL_VALIDATION_FAILED", ""},
		`subscription { ...f } fragment f on Subscription { __typename }`: {nil, "GRAPHQL_VALIDATION_FAILED", ""},
		`subscription { feedChirpAdded @skip(if: true) { cursor } }`:      {nil, "BAD_USER_INPUT", "exactly one"},
	} {
		for _, way := range graphtest.Ways() {
			if !way.Subscribes {
				continue
			}
			for _, got := range way.Send(t, w, graphtest.Request{Token: ada.Token, Operation: operation, Variables: map[string]any{"v": c.value}}) {
				if got.Code() != c.code || !strings.Contains(got.Errors[0].Message, c.message) || strings.Contains(got.Body, `"data"`) {
					t.Errorf("%s: %s: got %s, want %s with %q and no data", way.Name, operation, got.Body, c.code, c.message)
				}
			}
		}
	}
}

func TestWholeNumbersAreIntsInAnyNotation(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for i := range 25 {
		w.Follow(w.Person(fmt.Sprint("fan", i)), ada)
	}
	const page = `query($n: Int) { viewer { followers(first: $n) { edges { cursor } } } }`
	for text, want := range map[string]int{"20": 20, "20.0": 20, "2e1": 20, "2.0e+1": 20, "200e-1": 20, "null": 20, "1e2": 25, "-0": 0, "101": 0, "1.01e2": 0, "1e3": 0, "1e9": 0, "1e10": 0, "1e400": 0, "1e-1": 0, "20.5": 0} {
		w.Must(ada.Token, `{ viewer { id } }`, nil)
		got := w.ServeBody(ada.Token, graphtest.Envelope(page, `{"n":`+text+`}`))
		if want == 0 {
			if got.Code() != "BAD_USER_INPUT" || strings.Contains(got.Body, `"data"`) {
				t.Errorf("%s: got %s, want it refused", text, got.Body)
			}
			continue
		}
		if edges, _ := got.At("viewer.followers.edges").([]any); len(edges) != want {
			t.Errorf("%s: got %s, want %d edges", text, got.Body, want)
		}
	}
	const dear = `query($n: Int) { viewer { followers(first: $n) { edges { node { followers(first: $n) { edges { cursor } } } } } } }`
	for _, text := range []string{"100", "1e2", "100.0"} {
		if got := w.ServeBody(ada.Token, graphtest.Envelope(dear, `{"n":`+text+`}`)); got.Code() != "COMPLEXITY_LIMIT_EXCEEDED" {
			t.Errorf("%s twice: got %s, want it to be too dear", text, got.Body)
		}
	}
}

func TestLiteralsAreCheckedLikeVariables(t *testing.T) {
	w := graphtest.New(t)
	for _, document := range []string{
		`{ viewer { followers(first: "2") { edges { cursor } } } }`,
		`{ viewer { followers(first: 1e2) { edges { cursor } } } }`,
		`{ viewer { followers(first: 20.0) { edges { cursor } } } }`,
		`{ viewer { followers(first: 2147483648) { edges { cursor } } } }`,
		`{ viewer { followers(first: -2147483649) { edges { cursor } } } }`,
		`{ viewer { followers(first: 99999999999999999999) { edges { cursor } } } }`,
		`{ viewer { followers(first: {}) { edges { cursor } } } }`,
		`{ viewer { followers(first: [1]) { edges { cursor } } } }`,
		`{ viewer { followers(first: TEN) { edges { cursor } } } }`,
		`query($n: Int = 2147483648) { viewer { followers(first: $n) { edges { cursor } } } }`,
		`query($n: Int = 1e2) { viewer { followers(first: $n) { edges { cursor } } } }`,
		`query($n: Int = "2") { viewer { followers(first: $n) { edges { cursor } } } }`,
		`query($n: [Int]) { viewer { followers(first: $n) { edges { cursor } } } }`,
		`{ node(id: 2.5) { id } }`,
		`{ node(id: true) { id } }`,
		`{ node(id: {}) { id } }`,
		`{ node(id: null) { id } }`,
		`{ user(username: {}) { id } }`,
		`{ user(username: 5) { id } }`,
		`{ user(username: ADA) { id } }`,
		`{ viewer { id @include(if: "true") } }`,
		`{ viewer { id @include(if: 1) } }`,
		`{ viewer { id @include(if: null) } }`,
		`{ viewer { id @include(if: {}) } }`,
		`{ viewer { id @include } }`,
		`query($v: Boolean) { viewer { id @include(if: $v) } }`,
		`mutation { postChirp(input: {content: 5}) { position } }`,
		`mutation { postChirp(input: {content: null}) { position } }`,
		`mutation { postChirp(input: {commandId: "x"}) { position } }`,
		`mutation { postChirp(input: {content: "x", contents: "y"}) { position } }`,
		`mutation { postChirp(input: "x") { position } }`,
		`mutation { postChirp(input: []) { position } }`,
		`mutation($c: String) { postChirp(input: {content: $c}) { position } }`,
		`mutation($c: Int!) { postChirp(input: {content: $c}) { position } }`,
	} {
		got := w.Ask("", document, nil)
		if got.Code() != "GRAPHQL_VALIDATION_FAILED" || strings.Contains(got.Body, `"data"`) || strings.Contains(got.Body, `"path"`) {
			t.Errorf("%s: got %s, want GRAPHQL_VALIDATION_FAILED", document, got.Body)
		}
	}
	for document, code := range map[string]string{
		`{ it: node(id: 5) { id } }`:                                                    "BAD_USER_INPUT", // an ID, but not of an object here
		`{ it: feed(first: 2147483647) { edges { cursor } } }`:                          "BAD_USER_INPUT",
		`query($v: Boolean = false) { it: feed @include(if: $v) { edges { cursor } } }`: "",
	} {
		if got := w.Ask("", document, nil); got.Code() != code {
			t.Errorf("%s: got %s, want code %q", document, got.Body, code)
		}
	}
}

func TestDefaultsOfOtherOperationsDoNotApply(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	const document = `
		mutation A($id: String) { ...f }
		mutation B($id: String = "of B") { ...f }
		fragment f on Mutation { postChirp(input: {content: "x", commandId: $id}) { chirp { id } } }`
	post := func(operation string) any {
		body := graphtest.Marshal(map[string]any{"query": document, "operationName": operation})
		got := w.ServeBody(ada.Token, body)
		return got.At("postChirp.chirp.id")
	}
	b, first, second := post("B"), post("A"), post("A")
	if b == nil || first == nil || first == b || second == first {
		t.Errorf("B posted %v, A %v and %v; want three chirps, because A has no command id", b, first, second)
	}
}
