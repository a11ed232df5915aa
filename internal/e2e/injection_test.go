package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"chirp/internal/apitest"
)

// No value that a user sends may become part of a query: neither an operator of
// MongoDB nor a piece of SQL. The tests send such values in every argument of the
// schema, as JSON and as text.

var (
	operatorValues = []any{
		apitest.Vars{"$gt": ""}, apitest.Vars{"$ne": nil}, apitest.Vars{"$where": "1"}, apitest.Vars{"$regex": ".*"}, apitest.Vars{"$in": []any{"ann"}}, []any{}, []any{"ann", "bob"}, true,
	}
	operatorTexts = []string{
		`{"$gt":""}`, `{"$ne":null}`, `{"$where":"1"}`, "$where", "$gt", "ann' OR '1'='1", "' OR 1=1 --", `" OR ""="`, "ann'; DROP TABLE events; --",
		"%", "an_' ESCAPE '", ".*", "ann\u0000", "[$ne]",
	}
)

// argument is an argument of a field, or a field of an input.
type argument struct {
	parent, field, name string
	document            string
	input               bool // it is within the argument "input"
}

func (a argument) String() string { return a.parent + "." + a.field + "." + a.name }

// variables returns the variables of an operation with a value as the argument,
// and valid values as the others. n makes names that are new.
func (a argument) variables(value any, n int, users []apitest.User) apitest.Vars {
	others := map[string]apitest.Vars{
		"registerUser": {"username": fmt.Sprint("new", n), "password": apitest.Password},
		"logIn":        {"username": "ann", "password": apitest.Password},
		"postChirp":    {"content": "hello"},
		"followUser":   {"userId": users[1].ID},
		"unfollowUser": {"userId": users[1].ID},

		"changePassword": {"currentPassword": "a wrong password", "newPassword": "a new password"},
		"endSession":     {"sessionId": "session_aeaaaaaaaaaaaaaaaaaaaaaaaa"},
	}[a.field]
	v := apitest.Vars{}
	for name, other := range others {
		v[name] = other
	}
	v[a.name] = value
	if a.input {
		return apitest.Vars{"input": v}
	}
	return v
}

// literal reports whether the argument may be any text.
func (a argument) literal() bool {
	return a.name == "content" || a.name == "commandId" || a.field == "registerUser" && a.name == "password"
}

type typeRef struct {
	Kind, Name string
	OfType     *typeRef
}

func (r typeRef) String() string {
	switch r.Kind {
	case "NON_NULL":
		return r.OfType.String() + "!"
	case "LIST":
		return "[" + r.OfType.String() + "]"
	default:
		return r.Name
	}
}

func (r typeRef) named() string {
	if r.OfType != nil {
		return r.OfType.named()
	}
	return r.Name
}

type inputValue struct {
	Name string
	Type typeRef
}

// arguments returns every argument in the schema, and every field of an input.
func arguments(t *testing.T, a apitest.API) (all []argument) {
	t.Helper()
	var got struct {
		Schema struct {
			Types []struct {
				Name        string
				InputFields []inputValue
				Fields      []struct {
					Name string
					Args []inputValue
				}
			}
		} `json:"__schema"`
	}
	const ref = `type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`
	if err := a.Do(t.Context(), `{ __schema { types { name inputFields { name `+ref+` } fields { name args { name `+ref+` } } } } }`, nil, &got); err != nil {
		t.Fatal(err)
	}
	inputs := map[string][]inputValue{}
	for _, typ := range got.Schema.Types {
		inputs[typ.Name] = typ.InputFields
	}
	around := map[string][2]string{
		"Query": {"query", ""}, "Mutation": {"mutation", ""}, "Subscription": {"subscription", ""}, "User": {"query", `user(username: "ann")`},
	}
	for _, typ := range got.Schema.Types {
		if strings.HasPrefix(typ.Name, "__") {
			continue
		}
		for _, field := range typ.Fields {
			for _, arg := range field.Args {
				in, known := around[typ.Name]
				if !known {
					t.Fatalf("%s.%s has arguments; say here how to get there", typ.Name, field.Name)
				}
				document := fmt.Sprintf("%s($%s: %s) { %s }", in[0], arg.Name, arg.Type, nest(in[1], fmt.Sprintf("it: %s(%[2]s: $%[2]s) { __typename }", field.Name, arg.Name)))
				if fields := inputs[arg.Type.named()]; len(fields) > 0 {
					for _, f := range fields {
						all = append(all, argument{typ.Name, field.Name, f.Name, document, true})
					}
					continue
				}
				all = append(all, argument{typ.Name, field.Name, arg.Name, document, false})
			}
		}
	}
	return all
}

func nest(outer, inner string) string {
	if outer == "" {
		return inner
	}
	return outer + " { " + inner + " }"
}

// ask returns the answer to an operation, of a subscription the first.
func (a argument) ask(t *testing.T, as apitest.API, v apitest.Vars) (data map[string]any, codes []string) {
	t.Helper()
	body := apitest.Must(json.Marshal(apitest.Vars{"query": a.document, "variables": v}))(t)
	accept := "application/json"
	if a.parent == "Subscription" {
		accept = "text/event-stream"
	}
	response := apitest.Must(as.Request(t.Context(), body, accept))(t)
	defer response.Body.Close()
	var got struct {
		Data   map[string]any
		Errors []apitest.AnswerError
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%s with %v: %v", a, v, err)
		}
		for _, e := range got.Errors {
			codes = append(codes, e.Extensions.Code)
		}
		break
	}
	return got.Data, codes
}

func TestNoValueBecomesAnOperator(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		server := apitest.Start(t, p)
		users := apitest.RegisterAll(t, server.URL, "ann", "bob")
		ann := users[0].At(server.URL)
		ann.ReadAfter = users[1].Position
		all := arguments(t, ann)
		if len(all) < 20 {
			t.Fatalf("got %d arguments, want every one of the schema: %v", len(all), all)
		}
		log := p.EventLog(t)
		head := func() int { return int(apitest.Must(log.Head(t.Context()))(t).Position) }
		n := 0
		for _, a := range all {
			before := head()
			for _, value := range operatorValues {
				if value == true && a.name == "keepCurrent" {
					continue // which is what it may be
				}
				n++
				data, codes := a.ask(t, ann, a.variables(value, n, users))
				if data["it"] != nil || len(codes) != 1 || codes[0] != "BAD_USER_INPUT" && codes[0] != "GRAPHQL_VALIDATION_FAILED" {
					t.Errorf("%s as %v: got %v and codes %v, want the input refused", a, value, data, codes)
				}
			}
			if grown := head() - before; grown != 0 {
				t.Errorf("%s: %d events were appended, want none", a, grown)
			}
			if a.literal() {
				continue // see below
			}
			for _, text := range operatorTexts {
				n++
				data, codes := a.ask(t, ann, a.variables(text, n, users))
				if found(data) || len(codes) > 1 || slices.Contains(codes, "INTERNAL") {
					t.Errorf("%s as %q: got %v and codes %v, want nothing found", a, text, data, codes)
				}
			}
			if grown := head() - before; grown != 0 {
				t.Errorf("%s: %d events were appended, want none", a, grown)
			}
		}
		textsAreThemselves(t, server.URL, users)
		headersAreNoOperators(t, ann)
	})
}

// found reports whether an answer has more than nulls and the user around the
// field.
func found(data map[string]any) bool {
	if around, ok := data["user"].(map[string]any); ok {
		return around["it"] != nil
	}
	return data["it"] != nil
}

// textsAreThemselves checks that a value which may be any text is stored as it
// is, and matches only itself.
func textsAreThemselves(t *testing.T, url string, users []apitest.User) {
	t.Helper()
	ann, bob := users[0].At(url), users[1].At(url)
	apitest.Must(bob.Follow(t.Context(), users[0].ID, ""))(t)
	ids, want := map[string]bool{}, []string{}
	for _, text := range operatorTexts {
		if strings.Contains(text, "\x00") {
			continue // neither content nor a command id may have it
		}
		first := apitest.Must(ann.Post(t.Context(), text, text))(t)
		again := apitest.Must(ann.Post(t.Context(), text, text))(t)
		if first != again || ids[first.ID] {
			t.Errorf("command id %q: got %v and then %v, want one chirp of its own", text, first, again)
		}
		ids[first.ID], bob.ReadAfter = true, first.Position
		want = append(want, strings.TrimSpace(text))
	}
	slices.Reverse(want)
	if got := apitest.Contents(apitest.Must(bob.Feed(t.Context(), 100))(t)); !slices.Equal(got, want) {
		t.Errorf("got the feed %q, want %q", got, want)
	}
	for i, text := range []string{`{"$gt":""}`, `' OR 1=1 --`} {
		name := fmt.Sprint("literal", i)
		err := ann.Do(t.Context(), apitest.RegisterDocument, apitest.Vars{"username": name, "password": text}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, guess := range []string{`{"$ne":null}`, `' OR 2=2 --`, apitest.Password} {
			if _, err := ann.LogIn(t.Context(), name, guess); apitest.Code(err) != "UNAUTHENTICATED" {
				t.Errorf("logging in by %q for the password %q: got %s, want UNAUTHENTICATED", guess, text, apitest.Code(err))
			}
		}
		apitest.Must(ann.LogIn(t.Context(), name, text))(t)
	}
}

func headersAreNoOperators(t *testing.T, a apitest.API) {
	t.Helper()
	for _, text := range operatorTexts {
		if strings.Contains(text, "\x00") {
			continue // no header may have it
		}
		for _, name := range []string{"Chirp-Read-After", "Authorization", "X-Request-Id", "Traceparent"} {
			response := apitest.Fetch(t, http.MethodGet, a.URL+"/graphql?query={__typename}", http.Header{name: {text}, "Accept": {"application/graphql-response+json"}})
			refused := name == "Chirp-Read-After" || name == "Authorization"
			if want := map[bool]int{true: 400, false: 200}[refused]; response.StatusCode/100 != want/100 || response.Header.Get("X-Request-Id") == text {
				t.Errorf("%s %q: got status %d and request id %q, want %d and an id made here", name, text, response.StatusCode, response.Header.Get("X-Request-Id"), want)
			}
		}
	}
}
