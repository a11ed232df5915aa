package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// refusal is a request that must be refused.
type refusal struct {
	name     string
	as       api
	document string
	vars     vars
	code     string
	says     string // part of the message
}

const unknownUser, unknownChirp = "user_01h455vb4pex5vsknk084sn02q", "chirp_01h455vb4pex5vsknk084sn02q"

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	onBothStores(t, func(t *testing.T, p place) {
		s := start(t, p)
		log := p.eventLog(t)
		users := registerAll(t, s.url, "Ann", "Bob")
		ann := users[0].at(s.url)
		must(ann.follow(t.Context(), users[1].ID, ""))(t)
		chirp := must(users[1].at(s.url).post(t.Context(), "the one chirp", ""))(t)
		ann.readAfter = chirp.Position
		before := head(t, log)
		for _, c := range concat(badTexts(ann), badAccounts(s.url), badTargets(ann, users, chirp.ID), badPages(t, ann), badTokens(t, p, users[0], s.url)) {
			t.Run(c.name, func(t *testing.T) {
				err := c.as.do(t.Context(), c.document, c.vars, nil)
				var r *refused
				if !errors.As(err, &r) || r.Code != c.code || !strings.Contains(r.Message, c.says) || strings.Contains(r.Message, "\n") {
					t.Errorf("got %v, want %s with %q on one line", err, c.code, c.says)
				}
				if got := head(t, log); got != before {
					t.Errorf("the log's head moved from %d to %d", before, got)
				}
				if feed, err := ann.feed(t.Context(), 10); err != nil || len(feed) != 1 || feed[0].Node.ID != chirp.ID {
					t.Errorf("feed afterwards: got %q, error %v; want the one chirp", contents(feed), err)
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

func badTexts(ann api) []refusal {
	text := func(s string) vars { return vars{"content": s} }
	return []refusal{
		{"empty content", ann, postDocument, text(""), "BAD_USER_INPUT", "content is empty"},
		{"content of white space", ann, postDocument, text(" \r\n\t "), "BAD_USER_INPUT", "content is empty"},
		{"content of 281 code points", ann, postDocument, text(strings.Repeat("é", 281)), "BAD_USER_INPUT", "has 281 code points, at most 280"},
		{"content with a control character", ann, postDocument, text("a\x00b"), "BAD_USER_INPUT", "control character U+0000"},
		{"content with an escape", ann, postDocument, text("a\x1b[31mb"), "BAD_USER_INPUT", "control character U+001B"},
		{"content that is no text", ann, postDocument, vars{"content": true}, "BAD_USER_INPUT", "$content: a String is text, not a boolean"},
		{"content that is a number", ann, postDocument, vars{"content": 7}, "BAD_USER_INPUT", "not a number"},
		{"a condition of null", ann, `mutation($content: String!, $b: Boolean = true) { postChirp(input: {content: $content}) { position @include(if: $b) } }`,
			vars{"content": "a", "b": nil}, "BAD_USER_INPUT", "$b: it is null"},
		{"a second content that is null", ann, `mutation($content: String = "a") { postChirp(input: {content: "a"}) { position } it: postChirp(input: {content: $content}) { position } }`,
			vars{"content": nil}, "BAD_USER_INPUT", "$content: it is null"},
		{"a second content that is no text", ann, `mutation($content: String!) { postChirp(input: {content: "a"}) { position } it: postChirp(input: {content: $content}) { position } }`,
			vars{"content": 7}, "BAD_USER_INPUT", "$content: a String is text"},
		{"no content", ann, postDocument, nil, "BAD_USER_INPUT", "$content: must be given"},
		{"an empty command id", ann, postDocument, vars{"content": "a", "commandId": ""}, "BAD_USER_INPUT", "commandId is empty"},
		{"a command id of 65 characters", ann, postDocument, vars{"content": "a", "commandId": strings.Repeat("x", 65)}, "BAD_USER_INPUT", "1 to 64"},
		{"a command id with a newline", ann, postDocument, vars{"content": "a", "commandId": "a\nb"}, "BAD_USER_INPUT", "printable"},
	}
}

func badAccounts(url string) []refusal {
	nobody := api{url: url}
	account := func(name, pw string) vars { return vars{"username": name, "password": pw} }
	const logIn = `mutation($username: String!, $password: String!) { logIn(input: {username: $username, password: $password}) { token } }`
	return []refusal{
		{"a name that is taken", nobody, registerDocument, account("Ann", password), "USERNAME_TAKEN", "Ann"},
		{"a name that is taken in another case", nobody, registerDocument, account("aNN", password), "USERNAME_TAKEN", "aNN"},
		{"an empty name", nobody, registerDocument, account("", password), "BAD_USER_INPUT", "username"},
		{"a name of 16 characters", nobody, registerDocument, account("abcdefghijklmnop", password), "BAD_USER_INPUT", "1 to 15"},
		{"a name with an accent", nobody, registerDocument, account("Zoé", password), "BAD_USER_INPUT", "A-Z"},
		{"a short password", nobody, registerDocument, account("Cid", "short"), "BAD_USER_INPUT", "8 to 1024"},
		{"a long password", nobody, registerDocument, account("Cid", strings.Repeat("x", 1025)), "BAD_USER_INPUT", "8 to 1024"},
		{"a wrong password", nobody, logIn, account("Ann", "wrong horse"), "UNAUTHENTICATED", ""},
		{"a log-in under a name that nobody has", nobody, logIn, account("Nobody", password), "UNAUTHENTICATED", ""},
	}
}

func badTargets(ann api, users []user, chirp string) []refusal {
	id := func(s string) vars { return vars{"userId": s} }
	const node, chirpByID = `query($id: ID!) { node(id: $id) { id } }`, `query($id: ID!) { chirp(id: $id) { id } }`
	return []refusal{
		{"a follow of oneself", ann, followDocument, id(users[0].ID), "BAD_USER_INPUT", "yourself"},
		{"a second follow", ann, followDocument, id(users[1].ID), "ALREADY_FOLLOWING", ""},
		{"a follow of nobody", ann, followDocument, id(unknownUser), "NOT_FOUND", unknownUser},
		{"a follow of a chirp", ann, followDocument, id(chirp), "BAD_USER_INPUT", "not a user id"},
		{"a follow of a name", ann, followDocument, id("Bob"), "BAD_USER_INPUT", "not a user id"},
		{"an unfollow of nobody", ann, unfollowDocument, id(unknownUser), "NOT_FOUND", unknownUser},
		{"an unfollow of somebody not followed", users[1].at(ann.url), unfollowDocument, id(users[0].ID), "NOT_FOLLOWING", ""},
		{"a node of an unknown kind", ann, node, vars{"id": "thing_01h455vb4pex5vsknk084sn02q"}, "BAD_USER_INPUT", "is not an id"},
		{"a user as a chirp", ann, chirpByID, vars{"id": users[0].ID}, "BAD_USER_INPUT", "not a chirp id"},
		{"a user by id and name", ann, `query($id: ID!) { user(id: $id, username: "Ann") { id } }`, vars{"id": users[0].ID}, "BAD_USER_INPUT", ""},
		{"a chirp posted by nobody", api{url: ann.url}, postDocument, vars{"content": "a"}, "UNAUTHENTICATED", "token"},
		{"the feed of nobody", api{url: ann.url}, feedDocument, nil, "UNAUTHENTICATED", "token"},
	}
}

func badPages(t testing.TB, ann api) []refusal {
	t.Helper()
	cursor := must(ann.page(t.Context(), 1, ""))(t).Edges[0].Cursor
	altered := []byte(cursor)
	altered[len(altered)/2] ^= 1
	after := func(c string) vars { return vars{"first": 1, "after": c} }
	return []refusal{
		{"first 0", ann, feedDocument, vars{"first": 0}, "BAD_USER_INPUT", "100"},
		{"first -1", ann, feedDocument, vars{"first": -1}, "BAD_USER_INPUT", "100"},
		{"first 101", ann, feedDocument, vars{"first": 101}, "BAD_USER_INPUT", "100"},
		{"first 1000", ann, feedDocument, vars{"first": 1000}, "BAD_USER_INPUT", "100"},
		{"first beyond 32 bits", ann, feedDocument, vars{"first": 3_000_000_000}, "BAD_USER_INPUT", "32 bits"},
		{"first that is text", ann, feedDocument, vars{"first": "20"}, "BAD_USER_INPUT", "not a string"},
		{"a first of one and a half", ann, feedDocument, vars{"first": 1.5}, "BAD_USER_INPUT", "$first"},
		{"a cursor that is none", ann, feedDocument, after("not a cursor"), "CURSOR_INVALID", "start again"},
		{"an altered cursor", ann, feedDocument, after(string(altered)), "CURSOR_INVALID", "start again"},
		{"a cursor that is cut off", ann, feedDocument, after(cursor[:len(cursor)-2]), "CURSOR_INVALID", "start again"},
		{"a cursor of another store", ann, feedDocument, after(foreignCursor(t)), "CURSOR_INVALID", "start again"},
	}
}

// foreignCursor gives a cursor of a server on another store.
func foreignCursor(t testing.TB) string {
	t.Helper()
	s := start(t, embedded(t.TempDir()))
	users := registerAll(t, s.url, "Ann", "Bob")
	ann := users[0].at(s.url)
	must(ann.follow(t.Context(), users[1].ID, ""))(t)
	ann.readAfter = must(users[1].at(s.url).post(t.Context(), "elsewhere", ""))(t).Position
	return must(ann.page(t.Context(), 1, ""))(t).Edges[0].Cursor
}

func badTokens(t testing.TB, p place, ann user, url string) []refusal {
	t.Helper()
	store := must(p.open(t.Context()))(t)
	defer store.Close()
	secret := must(tokenSecret(t.Context(), config{}, store.Credentials()))(t)
	old := must(auth.NewTokens(secret, func() time.Time { return time.Now().AddDate(-1, 0, 0) }))(t)
	foreign := must(auth.NewTokens(bytes.Repeat([]byte("x"), 32), time.Now))(t)
	good := must(auth.NewTokens(secret, time.Now))(t)
	token := func(tokens *auth.Tokens, id string) api {
		return api{url: url, token: must(tokens.Issue(domain.UserID(id)))(t)}
	}
	post := vars{"content": "a"}
	return []refusal{
		{"an expired token", token(old, ann.ID), postDocument, post, "UNAUTHENTICATED", "expired"},
		{"a token of another server", token(foreign, ann.ID), postDocument, post, "UNAUTHENTICATED", ""},
		{"a token that is none", api{url: url, token: "x.y.z"}, postDocument, post, "UNAUTHENTICATED", ""},
		{"a token of nobody", token(good, unknownUser), postDocument, post, "UNAUTHENTICATED", unknownUser},
	}
}

// refuseInvalidUTF8 sends what no encoder would write: it must not be kept in
// another form than it was sent.
func refuseInvalidUTF8(t *testing.T, as api) {
	request := must(json.Marshal(vars{"query": postDocument, "variables": vars{"content": "caf#"}}))(t)
	message := must(json.Marshal(frame{ID: "1", Type: "subscribe", Payload: request}))(t)
	for _, c := range []struct{ name, text string }{
		{"a byte of Latin-1", "\xe9"}, {"half a character", "\xf0\x9f"},
		{"half a pair", `\ud83d`}, {"the other half", `\ude80`}, {"two first halves", `\ud83d\ud83d`}, {"a pair cut off", `\ud83d\u`},
	} {
		if err := as.send(t.Context(), bytes.Replace(request, []byte("#"), []byte(c.text), 1), nil); code(err) != "BAD_USER_INPUT" {
			t.Errorf("%s: got %v, want BAD_USER_INPUT", c.name, err)
		}
		s := must(as.connect(t.Context()))(t)
		if err := s.ws.WriteMessage(websocket.TextMessage, bytes.Replace(message, []byte("#"), []byte(c.text), 1)); err != nil {
			t.Fatal(err)
		}
		if f, err := s.read(); !websocket.IsCloseError(err, 4400) {
			t.Errorf("%s on a socket: got message %q, error %v; want close code 4400", c.name, f.Type, err)
		}
		s.close()
	}
}

func TestEscapedTextIsKeptAsItWasSent(t *testing.T) {
	s := start(t, embedded(t.TempDir()))
	ann := registerAll(t, s.url, "Ann")[0].at(s.url)
	request := must(json.Marshal(vars{"query": postDocument, "variables": vars{"content": "#"}}))(t)
	for text, want := range map[string]string{
		`\ud83d\ude80`: "🚀", `caf\u00e9`: "café", `\\ud83d`: `\ud83d`, `a\nb`: "a\nb", `\\\ud83d\ude80\\`: `\🚀\`, "\ufffd": "\ufffd",
	} {
		var got struct {
			PostChirp struct{ Chirp struct{ Content string } }
		}
		if err := ann.send(t.Context(), bytes.Replace(request, []byte("#"), []byte(text), 1), &got); err != nil || got.PostChirp.Chirp.Content != want {
			t.Errorf("%s: got %q, error %v; want %q", text, got.PostChirp.Chirp.Content, err, want)
		}
	}
}
