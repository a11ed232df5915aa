package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"

	"github.com/gorilla/websocket"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// refusal is a request that must be refused.
type refusal struct {
	name     string
	as       apitest.API
	document string
	vars     apitest.Vars
	code     string
	says     string // part of the message
}

const unknownUser, unknownChirp = "user_01h455vb4pex5vsknk084sn02q", "chirp_01h455vb4pex5vsknk084sn02q"

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		s := apitest.Start(t, p)
		log := p.EventLog(t)
		users := apitest.RegisterAll(t, s.URL, "Ann", "Bob")
		ann := users[0].At(s.URL)
		apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
		chirp := apitest.Must(users[1].At(s.URL).Post(t.Context(), "the one chirp", ""))(t)
		ann.ReadAfter = chirp.Position
		before := head(t, log)
		for _, c := range concat(badTexts(ann), badAccounts(s.URL), badTargets(ann, users, chirp.ID), badPages(t, ann), badTokens(t, p, users[0], s.URL)) {
			t.Run(c.name, func(t *testing.T) {
				err := c.as.Do(t.Context(), c.document, c.vars, nil)
				var r *apitest.RefusedError
				if !errors.As(err, &r) || r.Code != c.code || !strings.Contains(r.Message, c.says) || strings.Contains(r.Message, "\n") {
					t.Errorf("got %v, want %s with %q on one line", err, c.code, c.says)
				}
				if got := head(t, log); got != before {
					t.Errorf("the log's head moved from %d to %d", before, got)
				}
				if feed, err := ann.Feed(t.Context(), 10); err != nil || len(feed) != 1 || feed[0].Node.ID != chirp.ID {
					t.Errorf("feed afterwards: got %q, error %v; want the one chirp", apitest.Contents(feed), err)
				}
			})
		}
		t.Run("bytes that are not UTF-8", func(t *testing.T) { refuseInvalidUTF8(t, ann) })
		if got := head(t, log); got != before {
			t.Errorf("the log's head moved from %d to %d", before, got)
		}
	})
}

func concat(lists ...[]refusal) []refusal {
	var all []refusal
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func badTexts(ann apitest.API) []refusal {
	text := func(s string) apitest.Vars { return apitest.Vars{"content": s} }
	return []refusal{
		{"empty content", ann, apitest.PostDocument, text(""), "BAD_USER_INPUT", "content is empty"},
		{"content of white space", ann, apitest.PostDocument, text(" \r\n\t "), "BAD_USER_INPUT", "content is empty"},
		{"content of 281 code points", ann, apitest.PostDocument, text(strings.Repeat("é", 281)), "BAD_USER_INPUT", "has 281 code points; at most 280"},
		{"content with a control character", ann, apitest.PostDocument, text("a\x00b"), "BAD_USER_INPUT", "control character U+0000"},
		{"content with an escape", ann, apitest.PostDocument, text("a\x1b[31mb"), "BAD_USER_INPUT", "control character U+001B"},
		{"content that is no text", ann, apitest.PostDocument, apitest.Vars{"content": true}, "BAD_USER_INPUT", "$content: a String is text, not a boolean"},
		{"content that is a number", ann, apitest.PostDocument, apitest.Vars{"content": 7}, "BAD_USER_INPUT", "not a number"},
		{"a condition of null", ann, `mutation($content: String!, $b: Boolean = true) { postChirp(input: {content: $content}) { position @include(if: $b) } }`,
			apitest.Vars{"content": "a", "b": nil}, "BAD_USER_INPUT", "$b: it is null"},
		{"a second content that is null", ann, `mutation($content: String = "a") { postChirp(input: {content: "a"}) { position } it: postChirp(input: {content: $content}) { position } }`,
			apitest.Vars{"content": nil}, "BAD_USER_INPUT", "$content: it is null"},
		{"a second content that is no text", ann, `mutation($content: String!) { postChirp(input: {content: "a"}) { position } it: postChirp(input: {content: $content}) { position } }`,
			apitest.Vars{"content": 7}, "BAD_USER_INPUT", "$content: a String is text"},
		{"no content", ann, apitest.PostDocument, nil, "BAD_USER_INPUT", "$content: must be given"},
		{"an empty command id", ann, apitest.PostDocument, apitest.Vars{"content": "a", "commandId": ""}, "BAD_USER_INPUT", "commandId is empty"},
		{"a command id of 65 characters", ann, apitest.PostDocument, apitest.Vars{"content": "a", "commandId": strings.Repeat("x", 65)}, "BAD_USER_INPUT", "1 to 64"},
		{"a command id with a newline", ann, apitest.PostDocument, apitest.Vars{"content": "a", "commandId": "a\nb"}, "BAD_USER_INPUT", "printable"},
	}
}

func badAccounts(url string) []refusal {
	anonymous := apitest.API{URL: url}
	account := func(name, pw string) apitest.Vars { return apitest.Vars{"username": name, "password": pw} }
	const logIn = `mutation($username: String!, $password: String!) { logIn(input: {username: $username, password: $password}) { token } }`
	return []refusal{
		{"a name that is taken", anonymous, apitest.RegisterDocument, account("Ann", apitest.Password), "USERNAME_TAKEN", "Ann"},
		{"a name that is taken in another case", anonymous, apitest.RegisterDocument, account("aNN", apitest.Password), "USERNAME_TAKEN", "aNN"},
		{"an empty name", anonymous, apitest.RegisterDocument, account("", apitest.Password), "BAD_USER_INPUT", "username"},
		{"a name of 16 characters", anonymous, apitest.RegisterDocument, account("abcdefghijklmnop", apitest.Password), "BAD_USER_INPUT", "1 to 15"},
		{"a name with an accent", anonymous, apitest.RegisterDocument, account("Zoé", apitest.Password), "BAD_USER_INPUT", "A-Z"},
		{"a short password", anonymous, apitest.RegisterDocument, account("Cid", "short"), "BAD_USER_INPUT", "8 to 1024"},
		{"a long password", anonymous, apitest.RegisterDocument, account("Cid", strings.Repeat("x", 1025)), "BAD_USER_INPUT", "8 to 1024"},
		{"a wrong password", anonymous, logIn, account("Ann", "wrong horse"), "UNAUTHENTICATED", ""},
		{"a log-in with an unknown name", anonymous, logIn, account("Nobody", apitest.Password), "UNAUTHENTICATED", ""},
	}
}

func badTargets(ann apitest.API, users []apitest.User, chirp string) []refusal {
	id := func(s string) apitest.Vars { return apitest.Vars{"userId": s} }
	const node, chirpByID = `query($id: ID!) { node(id: $id) { id } }`, `query($id: ID!) { chirp(id: $id) { id } }`
	return []refusal{
		{"a follow of oneself", ann, apitest.FollowDocument, id(users[0].ID), "BAD_USER_INPUT", "yourself"},
		{"a second follow", ann, apitest.FollowDocument, id(users[1].ID), "ALREADY_FOLLOWING", ""},
		{"a follow of no user", ann, apitest.FollowDocument, id(unknownUser), "NOT_FOUND", unknownUser},
		{"a follow of a chirp", ann, apitest.FollowDocument, id(chirp), "BAD_USER_INPUT", "not a user id"},
		{"a follow of a name", ann, apitest.FollowDocument, id("Bob"), "BAD_USER_INPUT", "not a user id"},
		{"an unfollow of no user", ann, apitest.UnfollowDocument, id(unknownUser), "NOT_FOUND", unknownUser},
		{"an unfollow of a user who is not followed", users[1].At(ann.URL), apitest.UnfollowDocument, id(users[0].ID), "NOT_FOLLOWING", ""},
		{"a node of an unknown kind", ann, node, apitest.Vars{"id": "thing_01h455vb4pex5vsknk084sn02q"}, "BAD_USER_INPUT", "is not an id"},
		{"a user as a chirp", ann, chirpByID, apitest.Vars{"id": users[0].ID}, "BAD_USER_INPUT", "not a chirp id"},
		{"a user by id and name", ann, `query($id: ID!) { user(id: $id, username: "Ann") { id } }`, apitest.Vars{"id": users[0].ID}, "BAD_USER_INPUT", ""},
		{"a chirp without a token", apitest.API{URL: ann.URL}, apitest.PostDocument, apitest.Vars{"content": "a"}, "UNAUTHENTICATED", "token"},
		{"the feed without a token", apitest.API{URL: ann.URL}, apitest.FeedDocument, nil, "UNAUTHENTICATED", "token"},
	}
}

func badPages(t testing.TB, ann apitest.API) []refusal {
	t.Helper()
	cursor := apitest.Must(ann.Page(t.Context(), 1, ""))(t).Edges[0].Cursor
	altered := []byte(cursor)
	altered[len(altered)/2] ^= 1
	after := func(c string) apitest.Vars { return apitest.Vars{"first": 1, "after": c} }
	return []refusal{
		{"first 0", ann, apitest.FeedDocument, apitest.Vars{"first": 0}, "BAD_USER_INPUT", "100"},
		{"first -1", ann, apitest.FeedDocument, apitest.Vars{"first": -1}, "BAD_USER_INPUT", "100"},
		{"first 101", ann, apitest.FeedDocument, apitest.Vars{"first": 101}, "BAD_USER_INPUT", "100"},
		{"first 1000", ann, apitest.FeedDocument, apitest.Vars{"first": 1000}, "BAD_USER_INPUT", "100"},
		{"first beyond 32 bits", ann, apitest.FeedDocument, apitest.Vars{"first": 3_000_000_000}, "BAD_USER_INPUT", "32 bits"},
		{"first that is text", ann, apitest.FeedDocument, apitest.Vars{"first": "20"}, "BAD_USER_INPUT", "not a string"},
		{"a first of one and a half", ann, apitest.FeedDocument, apitest.Vars{"first": 1.5}, "BAD_USER_INPUT", "$first"},
		{"a cursor that is none", ann, apitest.FeedDocument, after("not a cursor"), "CURSOR_INVALID", "start again"},
		{"an altered cursor", ann, apitest.FeedDocument, after(string(altered)), "CURSOR_INVALID", "start again"},
		{"a cursor that is cut off", ann, apitest.FeedDocument, after(cursor[:len(cursor)-2]), "CURSOR_INVALID", "start again"},
		{"a cursor of another store", ann, apitest.FeedDocument, after(foreignCursor(t)), "CURSOR_INVALID", "start again"},
	}
}

// foreignCursor returns a cursor of a server on another store.
func foreignCursor(t testing.TB) string {
	t.Helper()
	s := apitest.Start(t, apitest.Embedded(t.TempDir()))
	users := apitest.RegisterAll(t, s.URL, "Ann", "Bob")
	ann := users[0].At(s.URL)
	apitest.Must(ann.Follow(t.Context(), users[1].ID, ""))(t)
	ann.ReadAfter = apitest.Must(users[1].At(s.URL).Post(t.Context(), "elsewhere", ""))(t).Position
	return apitest.Must(ann.Page(t.Context(), 1, ""))(t).Edges[0].Cursor
}

func badTokens(t testing.TB, p apitest.Place, ann apitest.User, url string) []refusal {
	t.Helper()
	store := apitest.Must(p.Open(t.Context()))(t)
	defer store.Close()
	secret := apitest.Must(store.Credentials().Secret(t.Context(), nil))(t)
	old := apitest.Must(auth.NewTokens(secret, func() time.Time { return time.Now().AddDate(-1, 0, 0) }))(t)
	foreign := apitest.Must(auth.NewTokens(bytes.Repeat([]byte("x"), 32), time.Now))(t)
	good := apitest.Must(auth.NewTokens(secret, time.Now))(t)
	token := func(tokens *auth.Tokens, id string) apitest.API {
		return apitest.API{URL: url, Token: apitest.Must(tokens.Issue(auth.Bearer{User: domain.UserID(id)}))(t)}
	}
	post := apitest.Vars{"content": "a"}
	return []refusal{
		{"an expired token", token(old, ann.ID), apitest.PostDocument, post, "UNAUTHENTICATED", "expired"},
		{"a token of another server", token(foreign, ann.ID), apitest.PostDocument, post, "UNAUTHENTICATED", ""},
		{"a token that is none", apitest.API{URL: url, Token: "x.y.z"}, apitest.PostDocument, post, "UNAUTHENTICATED", ""},
		{"a token of no user", token(good, unknownUser), apitest.PostDocument, post, "UNAUTHENTICATED", unknownUser},
	}
}

// refuseInvalidUTF8 sends bytes that no encoder would write. The server must not
// store them in another form.
func refuseInvalidUTF8(t *testing.T, as apitest.API) {
	request := apitest.Must(json.Marshal(apitest.Vars{"query": apitest.PostDocument, "variables": apitest.Vars{"content": "caf#"}}))(t)
	message := apitest.Must(json.Marshal(apitest.Frame{ID: "1", Type: "subscribe", Payload: request}))(t)
	for _, c := range []struct{ name, text string }{
		{"a byte of Latin-1", "\xe9"}, {"half a character", "\xf0\x9f"},
		{"half a pair", `\ud83d`}, {"the other half", `\ude80`}, {"two first halves", `\ud83d\ud83d`}, {"a pair cut off", `\ud83d\u`},
	} {
		if err := as.Send(t.Context(), bytes.Replace(request, []byte("#"), []byte(c.text), 1), nil); apitest.Code(err) != "BAD_USER_INPUT" {
			t.Errorf("%s: got %v, want BAD_USER_INPUT", c.name, err)
		}
		s := apitest.Must(as.Connect(t.Context()))(t)
		if err := s.WS.WriteMessage(websocket.TextMessage, bytes.Replace(message, []byte("#"), []byte(c.text), 1)); err != nil {
			t.Fatal(err)
		}
		if f, err := s.Read(); !websocket.IsCloseError(err, 4400) {
			t.Errorf("%s on a socket: got message %q, error %v; want close code 4400", c.name, f.Type, err)
		}
		s.Close()
	}
}

func TestEscapedTextIsKeptAsItWasSent(t *testing.T) {
	s := apitest.Start(t, apitest.Embedded(t.TempDir()))
	ann := apitest.RegisterAll(t, s.URL, "Ann")[0].At(s.URL)
	request := apitest.Must(json.Marshal(apitest.Vars{"query": apitest.PostDocument, "variables": apitest.Vars{"content": "#"}}))(t)
	for text, want := range map[string]string{
		`\ud83d\ude80`: "🚀", `caf\u00e9`: "café", `\\ud83d`: `\ud83d`, `a\nb`: "a\nb", `\\\ud83d\ude80\\`: `\🚀\`, "\ufffd": "\ufffd",
	} {
		var got struct {
			PostChirp struct{ Chirp struct{ Content string } }
		}
		if err := ann.Send(t.Context(), bytes.Replace(request, []byte("#"), []byte(text), 1), &got); err != nil || got.PostChirp.Chirp.Content != want {
			t.Errorf("%s: got %q, error %v; want %q", text, got.PostChirp.Chirp.Content, err, want)
		}
	}
}
