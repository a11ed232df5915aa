package api_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"chirp/graph/api"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
)

func TestEveryErrorHasItsCodeAndPath(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	w.must(ada.token, `mutation { postChirp(input: {content: "hello", commandId: "used"}) { position } }`, nil)
	nobody := domain.UserIDFrom([16]byte{1})
	cursor := otherLogsCursor(t)
	follow := func(mutation string, id any) string {
		return fmt.Sprintf(`mutation { it: %s(input: {userId: "%v"}) { position } }`, mutation, id)
	}
	for _, c := range []struct {
		name, code, token, operation string
	}{
		{"username with a space", "BAD_USER_INPUT", "", `mutation { it: registerUser(input: {username: "a b", password: "a password"}) { token } }`},
		{"password too short", "BAD_USER_INPUT", "", `mutation { it: registerUser(input: {username: "eve", password: "short"}) { token } }`},
		{"username taken in another case", "USERNAME_TAKEN", "", `mutation { it: registerUser(input: {username: "ADA", password: "a password"}) { token } }`},
		{"command id empty", "BAD_USER_INPUT", "", `mutation { it: registerUser(input: {username: "eve", password: "a password", commandId: ""}) { token } }`},
		{"command id too long", "BAD_USER_INPUT", ada.token, `mutation { it: postChirp(input: {content: "x", commandId: "` + strings.Repeat("x", 65) + `"}) { position } }`},
		{"command id used for another command", "CONFLICT", ada.token, `mutation { it: postChirp(input: {content: "other", commandId: "used"}) { position } }`},
		{"content empty", "BAD_USER_INPUT", ada.token, `mutation { it: postChirp(input: {content: " "}) { position } }`},
		{"content too long", "BAD_USER_INPUT", ada.token, `mutation { it: postChirp(input: {content: "` + strings.Repeat("é", 281) + `"}) { position } }`},
		{"following oneself", "BAD_USER_INPUT", ada.token, follow("followUser", ada.id)},
		{"following twice", "ALREADY_FOLLOWING", ada.token, follow("followUser", bob.id)},
		{"following nobody", "NOT_FOUND", ada.token, follow("followUser", nobody)},
		{"following a chirp", "BAD_USER_INPUT", ada.token, follow("followUser", domain.ChirpIDFrom([16]byte{1}))},
		{"unfollowing whom one does not follow", "NOT_FOLLOWING", bob.token, follow("unfollowUser", ada.id)},
		{"following without a token", "UNAUTHENTICATED", "", follow("followUser", bob.id)},
		{"unfollowing without a token", "UNAUTHENTICATED", "", follow("unfollowUser", bob.id)},
		{"posting without a token", "UNAUTHENTICATED", "", `mutation { it: postChirp(input: {content: "x"}) { position } }`},
		{"posting as a user of another log", "UNAUTHENTICATED", w.token(nobody), `mutation { it: postChirp(input: {content: "x"}) { position } }`},
		{"feed without a token", "UNAUTHENTICATED", "", `{ it: feed { edges { cursor } } }`},
		{"viewer of another log", "UNAUTHENTICATED", w.token(nobody), `{ it: viewer { id } }`},
		{"first 0", "BAD_USER_INPUT", ada.token, `{ it: feed(first: 0) { edges { cursor } } }`},
		{"first -1", "BAD_USER_INPUT", ada.token, `{ it: feed(first: -1) { edges { cursor } } }`},
		{"first 101", "BAD_USER_INPUT", ada.token, `{ it: feed(first: 101) { edges { cursor } } }`},
		{"first 1000", "BAD_USER_INPUT", ada.token, `{ it: feed(first: 1000) { edges { cursor } } }`},
		{"cursor that is none", "CURSOR_INVALID", ada.token, `{ it: feed(after: "nonsense") { edges { cursor } } }`},
		{"cursor of another log", "CURSOR_INVALID", ada.token, `{ it: feed(after: "` + cursor + `") { edges { cursor } } }`},
		{"node of no kind", "BAD_USER_INPUT", "", `{ it: node(id: "post_1") { id } }`},
		{"node with a malformed id", "BAD_USER_INPUT", "", `{ it: node(id: "user_1") { id } }`},
		{"user with a chirp's id", "BAD_USER_INPUT", "", `{ it: user(id: "` + string(domain.ChirpIDFrom([16]byte{1})) + `") { id } }`},
		{"user by nothing", "BAD_USER_INPUT", "", `{ it: user { id } }`},
		{"user by both", "BAD_USER_INPUT", "", `{ it: user(id: "` + string(ada.id) + `", username: "ada") { id } }`},
		{"user with a name nobody can have", "BAD_USER_INPUT", "", `{ it: user(username: "a b") { id } }`},
		{"chirp with a user's id", "BAD_USER_INPUT", "", `{ it: chirp(id: "` + string(ada.id) + `") { id } }`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.ask(c.token, c.operation, nil)
			if got.code() != c.code || len(got.Errors) != 1 {
				t.Fatalf("got %s, want one error with code %s", got.body, c.code)
			}
			e := got.Errors[0]
			status, want := http.StatusOK, []any{"it"}
			if !strings.Contains(got.body, `"data"`) { // refused before it was executed
				status, want = http.StatusUnprocessableEntity, nil
			}
			if !reflect.DeepEqual(e.Path, want) || len(e.Locations) != 1 || e.Message == "" || got.status != status {
				t.Errorf("got status %d, %s, want path %v, a location and a message", got.status, got.body, want)
			}
		})
	}
}

// otherLogsCursor gives a cursor of a world of its own, altered so that it
// belongs to no log.
func otherLogsCursor(t *testing.T) string {
	w := newWorld(t)
	ada := w.person("ada")
	w.post(ada, "hello")
	cursor := w.must("", `{ user(username: "ada") { chirps { edges { cursor } } } }`, nil).at("user.chirps.edges.0.cursor").(string)
	last := map[bool]string{true: "B", false: "A"}[cursor[10] == 'A']
	return cursor[:10] + last + cursor[11:]
}

func TestOperationsThatAreNotExecutedHaveTheirCode(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Guard.Limits.Tokens, c.Guard.Limits.Cost = 500, 3000 })
	for _, c := range []struct {
		name, code, operation string
		variables             map[string]any
	}{
		{"syntax", "GRAPHQL_PARSE_FAILED", `{`, nil},
		{"unknown field", "GRAPHQL_VALIDATION_FAILED", `{ nope }`, nil},
		{"wrong type of a literal", "GRAPHQL_VALIDATION_FAILED", `{ feed(first: "ten") { edges { cursor } } }`, nil},
		{"wrong type of a variable", "BAD_USER_INPUT", `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": map[string]any{}}},
		{"null for what must not be", "BAD_USER_INPUT", `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": nil}},
		{"@defer", "GRAPHQL_VALIDATION_FAILED", `{ ... @defer { viewer { id } } }`, nil},
		{"too many words", "COMPLEXITY_LIMIT_EXCEEDED", `{` + strings.Repeat(" viewer { id }", 200) + `}`, nil},
		{"too deep", "COMPLEXITY_LIMIT_EXCEEDED", `{ viewer ` + strings.Repeat(`{ following(first: 1) { edges { node `, 5) + `{ id }` + strings.Repeat(`} } }`, 5) + ` }`, nil},
		{"too dear", "COMPLEXITY_LIMIT_EXCEEDED", `{ viewer { followers(first: 100) { edges { node { followers(first: 100) { edges { cursor } } } } } } }`, nil},
		{"too dear by a variable", "COMPLEXITY_LIMIT_EXCEEDED", `query($n: Int) { viewer { followers(first: $n) { edges { node { followers(first: $n) { edges { cursor } } } } } } }`, map[string]any{"n": 100}},
		{"many log-ins", "COMPLEXITY_LIMIT_EXCEEDED", `mutation { ` + manyLogIns(7) + ` }`, nil},
		{"fragments that double", "COMPLEXITY_LIMIT_EXCEEDED", doubling(25, "Query", "{ ...f0 }", "viewer { id }"), nil},
		{"fragments that double in introspection", "COMPLEXITY_LIMIT_EXCEEDED", doubling(25, "__Type", `{ __type(name: "User") { ...f0 } }`, "name"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.ask("", c.operation, c.variables)
			if got.code() != c.code {
				t.Fatalf("got code %q, want %s: %.300s", got.code(), c.code, got.body)
			}
			if strings.Contains(got.body, `"data"`) {
				t.Errorf("got %.300s, want no data", got.body)
			}
		})
	}
}

func manyLogIns(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `l%d: logIn(input: {username: "a", password: "a password"}) { token } `, i)
	}
	return b.String()
}

// doubling has fragments each of which spreads the next one twice.
func doubling(n int, typ, operation, last string) string {
	var b strings.Builder
	b.WriteString(operation)
	for i := range n {
		fmt.Fprintf(&b, " fragment f%d on %s { ...f%d ...f%d }", i, typ, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on %s { %s }", n, typ, last)
	return b.String()
}

func TestAOneHundredRowPageIsNotTooDear(t *testing.T) {
	w := newWorld(t)
	got := w.ask(w.person("ada").token, `{ feed(first: 100) { edges { cursor node { id content postedAt author { id username followerCount viewerFollows isCelebrity } } } pageInfo { endCursor hasNextPage } } }`, nil)
	if len(got.Errors) > 0 {
		t.Errorf("got %s, want an empty page", got.body)
	}
}

func TestAFaultIsMaskedAndLoggedUnderItsID(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"fails", "panics"} {
		t.Run(name, func(t *testing.T) {
			got := w.ask("", `{ it: user(username: "`+name+`") { id } other: viewer { id } }`, nil)
			if got.code() != "INTERNAL" || len(got.Errors) != 1 || !reflect.DeepEqual(got.Errors[0].Path, []any{"it"}) {
				t.Fatalf("got %s, want one INTERNAL error at it", got.body)
			}
			id, ok := strings.CutPrefix(got.Errors[0].Message, "internal error, id ")
			if !ok || strings.Contains(got.body, "10.0.0.1") {
				t.Errorf("got message %q, want nothing but an id", got.Errors[0].Message)
			}
			if logged := w.logged.String(); !strings.Contains(logged, id) || !strings.Contains(logged, "10.0.0.1") {
				t.Errorf("the log has not both the id %s and the error: %s", id, logged)
			}
		})
	}
}

func TestAnOutageIsUnavailable(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	w.views.fail(domain.Errorf(domain.Unavailable, "the store does not answer"))
	if got := w.ask("", `{ user(username: "ada") { id } }`, nil); got.code() != "UNAVAILABLE" {
		t.Errorf("a query got code %q, want UNAVAILABLE", got.code())
	}
	w.log.outage = domain.Errorf(domain.Unavailable, "the store does not answer")
	if got := w.send(ada.token, `mutation { postChirp(input: {content: "x"}) { position } }`, nil, nil); got.code() != "UNAVAILABLE" {
		t.Errorf("a mutation got code %q, want UNAVAILABLE", got.code())
	}
}

func TestAPositionThatIsNotVisible(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	w.must("", `{ user(username: "ada") { id } }`, nil)
	const user = `{ user(username: "ada") { id } }`
	header := func(v string) http.Header { return http.Header{"Chirp-Read-After": {v}} }
	if got := w.send("", user, nil, header("999")); got.code() != "NOT_YET_VISIBLE" {
		t.Errorf("beyond the log: got code %q, want NOT_YET_VISIBLE", got.code())
	}
	for _, bad := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		if got := w.send("", user, nil, header(bad)); got.code() != "BAD_USER_INPUT" {
			t.Errorf("Chirp-Read-After %q: got code %q, want BAD_USER_INPUT", bad, got.code())
		}
	}
	w.stop()
	eve := w.person("eve")
	if got := w.send(eve.token, `{ viewer { id } }`, nil, nil); got.code() != "NOT_YET_VISIBLE" {
		t.Errorf("a viewer who is not visible: got %s, want NOT_YET_VISIBLE", got.body)
	}
	position := w.post(ada, "never seen").Position
	if got := w.send("", user, nil, header(position.String())); got.code() != "NOT_YET_VISIBLE" {
		t.Errorf("not projected: got code %q, want NOT_YET_VISIBLE", got.code())
	}
}

func TestATokenThatIsNotGoodIsNeverAnAnonymousCaller(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	foreign, err := auth.NewTokens([]byte("another secret of at least 32 bytes"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := foreign.Issue(ada.id)
	if err != nil {
		t.Fatal(err)
	}
	expired := ada.token
	w.skew.Store(int64(auth.TokenLifetime + time.Hour))
	for name, token := range map[string]string{"malformed": "nonsense", "foreign": other, "expired": expired} {
		for _, accept := range []string{"", "*/*", "application/json", "application/graphql-response+json", "text/event-stream, application/json",
			"text/event-stream", `multipart/mixed;subscriptionSpec="1.0", application/json`, "text/html"} {
			got := w.send(token, `{ viewer { id } }`, nil, http.Header{"Accept": {accept}})
			if got.code() != "UNAUTHENTICATED" || got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` || got.Data != nil {
				t.Errorf("%s: Accept: %s: got %d %s, want 401 UNAUTHENTICATED", name, accept, got.status, got.body)
			}
		}
	}
	if got := w.send("", `{ viewer { id } }`, nil, http.Header{"Authorization": {"Basic YTpi"}}); got.code() != "UNAUTHENTICATED" {
		t.Errorf("Basic: got code %q, want UNAUTHENTICATED", got.code())
	}
}

func TestAClientThatGoesAwayIsNoErrorInTheLog(t *testing.T) {
	w := newWorld(t)
	w.person("ada")
	w.must("", `{ user(username: "ada") { id } }`, nil)
	w.stop()
	position, err := w.commands.RegisterUser(context.Background(), command.RegisterUser{Username: "bob", Password: "no matter"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+`?query={user(username:"ada"){id}}`, nil)
	r.Header.Set("Chirp-Read-After", position.Position.String())
	if response, err := w.server.Client().Do(r); err == nil {
		response.Body.Close()
		t.Fatal("the request was answered, want it to wait")
	}
	w.server.Config.SetKeepAlivesEnabled(false)
	w.server.Close() // waits for the handler
	if logged := w.logged.String(); logged != "" {
		t.Errorf("the log has %s, want nothing", logged)
	}
}
