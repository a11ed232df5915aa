package graph_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"chirp/graph/graphtest"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
)

func TestEveryErrorHasItsCodeAndPath(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	w.Must(ada.Token, `mutation { postChirp(input: {content: "hello", commandId: "used"}) { position } }`, nil)
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
		{"command id too long", "BAD_USER_INPUT", ada.Token, `mutation { it: postChirp(input: {content: "x", commandId: "` + strings.Repeat("x", 65) + `"}) { position } }`},
		{"command id used for another command", "CONFLICT", ada.Token, `mutation { it: postChirp(input: {content: "other", commandId: "used"}) { position } }`},
		{"content empty", "BAD_USER_INPUT", ada.Token, `mutation { it: postChirp(input: {content: " "}) { position } }`},
		{"content too long", "BAD_USER_INPUT", ada.Token, `mutation { it: postChirp(input: {content: "` + strings.Repeat("é", 281) + `"}) { position } }`},
		{"following oneself", "BAD_USER_INPUT", ada.Token, follow("followUser", ada.ID)},
		{"following twice", "ALREADY_FOLLOWING", ada.Token, follow("followUser", bob.ID)},
		{"following nobody", "NOT_FOUND", ada.Token, follow("followUser", nobody)},
		{"following a chirp", "BAD_USER_INPUT", ada.Token, follow("followUser", domain.ChirpIDFrom([16]byte{1}))},
		{"unfollowing whom one does not follow", "NOT_FOLLOWING", bob.Token, follow("unfollowUser", ada.ID)},
		{"following without a token", "UNAUTHENTICATED", "", follow("followUser", bob.ID)},
		{"unfollowing without a token", "UNAUTHENTICATED", "", follow("unfollowUser", bob.ID)},
		{"posting without a token", "UNAUTHENTICATED", "", `mutation { it: postChirp(input: {content: "x"}) { position } }`},
		{"posting as a user of another log", "UNAUTHENTICATED", w.Token(nobody), `mutation { it: postChirp(input: {content: "x"}) { position } }`},
		{"feed without a token", "UNAUTHENTICATED", "", `{ it: feed { edges { cursor } } }`},
		{"viewer of another log", "UNAUTHENTICATED", w.Token(nobody), `{ it: viewer { id } }`},
		{"first 0", "BAD_USER_INPUT", ada.Token, `{ it: feed(first: 0) { edges { cursor } } }`},
		{"first -1", "BAD_USER_INPUT", ada.Token, `{ it: feed(first: -1) { edges { cursor } } }`},
		{"first 101", "BAD_USER_INPUT", ada.Token, `{ it: feed(first: 101) { edges { cursor } } }`},
		{"first 1000", "BAD_USER_INPUT", ada.Token, `{ it: feed(first: 1000) { edges { cursor } } }`},
		{"cursor that is none", "CURSOR_INVALID", ada.Token, `{ it: feed(after: "nonsense") { edges { cursor } } }`},
		{"cursor of another log", "CURSOR_INVALID", ada.Token, `{ it: feed(after: "` + cursor + `") { edges { cursor } } }`},
		{"node of no kind", "BAD_USER_INPUT", "", `{ it: node(id: "post_1") { id } }`},
		{"node with a malformed id", "BAD_USER_INPUT", "", `{ it: node(id: "user_1") { id } }`},
		{"user with a chirp's id", "BAD_USER_INPUT", "", `{ it: user(id: "` + string(domain.ChirpIDFrom([16]byte{1})) + `") { id } }`},
		{"user by nothing", "BAD_USER_INPUT", "", `{ it: user { id } }`},
		{"user by both", "BAD_USER_INPUT", "", `{ it: user(id: "` + string(ada.ID) + `", username: "ada") { id } }`},
		{"user with a name nobody can have", "BAD_USER_INPUT", "", `{ it: user(username: "a b") { id } }`},
		{"chirp with a user's id", "BAD_USER_INPUT", "", `{ it: chirp(id: "` + string(ada.ID) + `") { id } }`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.Ask(c.token, c.operation, nil)
			if got.Code() != c.code || len(got.Errors) != 1 {
				t.Fatalf("got %s, want one error with code %s", got.Body, c.code)
			}
			e := got.Errors[0]
			status, want := http.StatusOK, []any{"it"}
			if !strings.Contains(got.Body, `"data"`) { // refused before it was executed
				status, want = http.StatusUnprocessableEntity, nil
			}
			if !reflect.DeepEqual(e.Path, want) || len(e.Locations) != 1 || e.Message == "" || got.Status != status {
				t.Errorf("got status %d, %s, want path %v, a location and a message", got.Status, got.Body, want)
			}
		})
	}
}

// otherLogsCursor returns a cursor from another world, altered so that it belongs to
// no log.
func otherLogsCursor(t *testing.T) string {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Post(ada, "hello")
	cursor := w.Must("", `{ user(username: "ada") { chirps { edges { cursor } } } }`, nil).At("user.chirps.edges.0.cursor").(string)
	last := map[bool]string{true: "B", false: "A"}[cursor[10] == 'A']
	return cursor[:10] + last + cursor[11:]
}

func TestAPageOf100RowsIsWithinTheCostLimit(t *testing.T) {
	w := graphtest.New(t)
	got := w.Ask(w.Person("ada").Token, `{ feed(first: 100) { edges { cursor node { id content postedAt author { id username followerCount viewerFollows isCelebrity } } } pageInfo { endCursor hasNextPage } } }`, nil)
	if len(got.Errors) > 0 {
		t.Errorf("got %s, want an empty page", got.Body)
	}
}

func TestAnInternalErrorIsMaskedAndLoggedUnderItsID(t *testing.T) {
	w := graphtest.New(t)
	for _, name := range []string{"fails", "panics"} {
		t.Run(name, func(t *testing.T) {
			got := w.Ask("", `{ it: user(username: "`+name+`") { id } other: viewer { id } }`, nil)
			if got.Code() != "INTERNAL" || len(got.Errors) != 1 || !reflect.DeepEqual(got.Errors[0].Path, []any{"it"}) {
				t.Fatalf("got %s, want one INTERNAL error at it", got.Body)
			}
			id, ok := strings.CutPrefix(got.Errors[0].Message, "internal error, id ")
			if !ok || strings.Contains(got.Body, "10.0.0.1") {
				t.Errorf("got message %q, want nothing but an id", got.Errors[0].Message)
			}
			if logged := w.Logged.String(); !strings.Contains(logged, id) || !strings.Contains(logged, "10.0.0.1") {
				t.Errorf("the log has not both the id %s and the error: %s", id, logged)
			}
		})
	}
}

func TestAnOutageIsUnavailable(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Views.Fail(domain.Errorf(domain.Unavailable, "the store does not answer"))
	if got := w.Ask("", `{ user(username: "ada") { id } }`, nil); got.Code() != "UNAVAILABLE" {
		t.Errorf("a query got code %q, want UNAVAILABLE", got.Code())
	}
	w.Log.Outage = domain.Errorf(domain.Unavailable, "the store does not answer")
	if got := w.Send(ada.Token, `mutation { postChirp(input: {content: "x"}) { position } }`, nil, nil); got.Code() != "UNAVAILABLE" {
		t.Errorf("a mutation got code %q, want UNAVAILABLE", got.Code())
	}
}

func TestAPositionThatIsNotVisible(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	const user = `{ user(username: "ada") { id } }`
	header := func(v string) http.Header { return http.Header{"Chirp-Read-After": {v}} }
	if got := w.Send("", user, nil, header("999")); got.Code() != "NOT_YET_VISIBLE" {
		t.Errorf("beyond the log: got code %q, want NOT_YET_VISIBLE", got.Code())
	}
	for _, bad := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		if got := w.Send("", user, nil, header(bad)); got.Code() != "BAD_USER_INPUT" {
			t.Errorf("Chirp-Read-After %q: got code %q, want BAD_USER_INPUT", bad, got.Code())
		}
	}
	w.Stop()
	eve := w.Person("eve")
	if got := w.Send(eve.Token, `{ viewer { id } }`, nil, nil); got.Code() != "NOT_YET_VISIBLE" {
		t.Errorf("a viewer who is not visible: got %s, want NOT_YET_VISIBLE", got.Body)
	}
	position := w.Post(ada, "never seen").Position
	if got := w.Send("", user, nil, header(position.String())); got.Code() != "NOT_YET_VISIBLE" {
		t.Errorf("not projected: got code %q, want NOT_YET_VISIBLE", got.Code())
	}
}

func TestACallerWithAnInvalidTokenIsNotAnonymous(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	foreign, err := auth.NewTokens([]byte("another secret of at least 32 bytes"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := foreign.Issue(auth.Bearer{User: ada.ID})
	if err != nil {
		t.Fatal(err)
	}
	expired := ada.Token
	w.ClockSkew.Store(int64(auth.TokenLifetime + time.Hour))
	for name, token := range map[string]string{"malformed": "nonsense", "foreign": other, "expired": expired} {
		for _, accept := range []string{"", "*/*", "application/json", "application/graphql-response+json", "text/event-stream, application/json",
			"text/event-stream", `multipart/mixed;subscriptionSpec="1.0", application/json`, "text/html"} {
			got := w.Send(token, `{ viewer { id } }`, nil, http.Header{"Accept": {accept}})
			if got.Code() != "UNAUTHENTICATED" || got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` || got.Data != nil {
				t.Errorf("%s: Accept: %s: got %d %s, want 401 UNAUTHENTICATED", name, accept, got.Status, got.Body)
			}
		}
	}
	if got := w.Send("", `{ viewer { id } }`, nil, http.Header{"Authorization": {"Basic YTpi"}}); got.Code() != "UNAUTHENTICATED" {
		t.Errorf("Basic: got code %q, want UNAUTHENTICATED", got.Code())
	}
}

func TestAClientThatLeavesIsNotLoggedAsAnError(t *testing.T) {
	w := graphtest.New(t)
	w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	w.Stop()
	position, err := w.Commands.RegisterUser(context.Background(), command.RegisterUser{Username: "bob", Password: "no matter"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.Server.URL+`?query={user(username:"ada"){id}}`, nil)
	r.Header.Set("Chirp-Read-After", position.Position.String())
	if response, err := w.Server.Client().Do(r); err == nil {
		response.Body.Close()
		t.Fatal("the request was answered, want it to wait")
	}
	w.Server.Config.SetKeepAlivesEnabled(false)
	w.Server.Close() // waits for the handler
	if logged := w.Logged.String(); logged != "" {
		t.Errorf("the log has %s, want nothing", logged)
	}
}
