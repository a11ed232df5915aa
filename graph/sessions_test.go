package graph_test

import (
	"net/http"
	"testing"
	"time"

	"chirp/graph/api"
	"chirp/graph/graphtest"
)

const mySessions = `{ viewer { sessions { id startedAt lastUsedAt expiresAt address userAgent isCurrent } } }`

// registered registers a user from an address, by a program.
func registered(t *testing.T, w *graphtest.World, name string) (token string) {
	t.Helper()
	a := w.Must("", `mutation($name: String!) { registerUser(input: {username: $name, password: "a password"}) { token } }`, map[string]any{"name": name})
	return a.At("registerUser.token").(string)
}

func loggedIn(w *graphtest.World, name, password string, header http.Header) (token string, a graphtest.Answer) {
	a = w.Send("", `mutation($name: String!, $password: String!) { logIn(input: {username: $name, password: $password}) { token } }`, map[string]any{"name": name, "password": password}, header)
	token, _ = a.At("logIn.token").(string)
	return token, a
}

func TestSessionsAreListedForTheirUserAlone(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.ClientIP = func(r *http.Request) string { return r.Header.Get("Test-Address") } })
	first := registered(t, w, "ada")
	phone, _ := loggedIn(w, "ada", "a password", http.Header{"Test-Address": {"2001:db8::1234"}, "User-Agent": {"Phone\t 1.0 \u00ad"}})
	got := w.Must(phone, mySessions, nil)
	all, _ := got.At("viewer.sessions").([]any)
	if len(all) != 2 || got.At("viewer.sessions.0.isCurrent") != true || got.At("viewer.sessions.1.isCurrent") != false {
		t.Fatalf("got %s, want two sessions, the current one first", got.Body)
	}
	if got.At("viewer.sessions.0.address") != "2001:db8::/64" || got.At("viewer.sessions.0.userAgent") != "Phone 1.0" {
		t.Errorf("got %s, want from where and by what", got.Body)
	}
	started, _ := time.Parse(time.RFC3339, got.At("viewer.sessions.0.startedAt").(string))
	expires, _ := time.Parse(time.RFC3339, got.At("viewer.sessions.0.expiresAt").(string))
	if time.Since(started) > time.Minute || expires.Sub(started) != 30*24*time.Hour {
		t.Errorf("got %s, want it to have started just now, for 30 days", got.Body)
	}
	eve := registered(t, w, "eve")
	for name, token := range map[string]string{"another user": eve, "nobody": ""} {
		if got := w.Must(token, `{ user(username: "ada") { sessions { id } } }`, nil); got.At("user.sessions") != nil {
			t.Errorf("to %s: got %s, want null", name, got.Body)
		}
	}
	if got := w.Must(first, `{ user(username: "ADA") { sessions { id } } }`, nil); len(got.At("user.sessions").([]any)) != 2 {
		t.Errorf("by another way to oneself: got %s, want both", got.Body)
	}
}

func TestSessionsAreEnded(t *testing.T) {
	w := graphtest.New(t)
	first := registered(t, w, "ada")
	phone, _ := loggedIn(w, "ada", "a password", nil)
	eve := registered(t, w, "eve")
	id := func(token string) string {
		return w.Must(token, `{ viewer { sessions { id isCurrent } } }`, nil).At("viewer.sessions.0.id").(string)
	}
	const end = `mutation($id: ID!) { endSession(input: {sessionId: $id}) { sessionId user { username sessions { id } } } }`
	for name, c := range map[string]struct{ token, id, code string }{
		"without a token":       {"", id(phone), "UNAUTHENTICATED"},
		"of another user":       {eve, id(phone), "NOT_FOUND"},
		"that does not exist":   {phone, "session_aeaaaaaaaaaaaaaaaaaaaaaaaa", "NOT_FOUND"},
		"whose id is malformed": {phone, "session_", "BAD_USER_INPUT"},
	} {
		if got := w.Ask(c.token, end, map[string]any{"id": c.id}); got.Code() != c.code {
			t.Errorf("a session %s: got %s, want %s", name, got.Body, c.code)
		}
	}
	ended := id(phone) // the newest
	if got := w.Must(first, end, map[string]any{"id": ended}); got.At("endSession.sessionId") != ended || len(got.At("endSession.user.sessions").([]any)) != 1 {
		t.Errorf("got %s, want the other session alone", got.Body)
	}
	if got := w.Ask(phone, `{ viewer { id } }`, nil); got.Code() != "UNAUTHENTICATED" || got.Status != http.StatusUnauthorized {
		t.Errorf("the ended session: got %d %s, want UNAUTHENTICATED", got.Status, got.Body)
	}
	old := w.Token(w.Person("old").ID)
	if got := w.Ask(old, `mutation { endAllSessions(input: {keepCurrent: true}) { user { id } } }`, nil); got.Code() != "BAD_USER_INPUT" {
		t.Errorf("keeping what is no session: got %s, want BAD_USER_INPUT", got.Body)
	}
	phone, _ = loggedIn(w, "ada", "a password", nil)
	w.Must(phone, `mutation { endAllSessions(input: {keepCurrent: true}) { user { sessions { id } } } }`, nil)
	for token, code := range map[string]string{first: "UNAUTHENTICATED", phone: "", eve: ""} {
		if got := w.Ask(token, `{ viewer { id } }`, nil); got.Code() != code {
			t.Errorf("after all others were ended: got %s, want %q", got.Body, code)
		}
	}
	w.Must(phone, `mutation { endAllSessions(input: {}) { user { sessions { id } } } }`, nil)
	w.Must(old, `mutation { endAllSessions(input: {}) { user { id } } }`, nil)
	for _, token := range []string{phone, old} {
		if got := w.Ask(token, `{ viewer { id } }`, nil); got.Code() != "UNAUTHENTICATED" {
			t.Errorf("after all were ended: got %s, want UNAUTHENTICATED", got.Body)
		}
	}
}

func TestPasswordsAreChanged(t *testing.T) {
	w := graphtest.New(t)
	first := registered(t, w, "ada")
	const change = `mutation($current: String!, $new: String!) { changePassword(input: {currentPassword: $current, newPassword: $new}) { token } }`
	for name, c := range map[string]struct{ token, current, next, code string }{
		"anonymously":             {"", "a password", "another password", "UNAUTHENTICATED"},
		"with a wrong password":   {first, "b password", "another password", "FORBIDDEN"},
		"to one that is too weak": {first, "a password", "short", "BAD_USER_INPUT"},
	} {
		if got := w.Ask(c.token, change, map[string]any{"current": c.current, "new": c.next}); got.Code() != c.code {
			t.Errorf("%s: got %s, want %s", name, got.Body, c.code)
		}
	}
	before := w.Log.Last().Position
	token := w.Must(first, change, map[string]any{"current": "a password", "new": "another password"}).At("changePassword.token").(string)
	if after := w.Log.Last().Position; after != before {
		t.Errorf("the log grew from %d to %d, want no event", before, after)
	}
	if got := w.Ask(first, `{ viewer { id } }`, nil); got.Code() != "UNAUTHENTICATED" {
		t.Errorf("the token from before: got %s, want UNAUTHENTICATED", got.Body)
	}
	if got := w.Must(token, mySessions, nil); len(got.At("viewer.sessions").([]any)) != 1 || got.At("viewer.sessions.0.isCurrent") != true {
		t.Errorf("the new token: got %s, want its session alone", got.Body)
	}
	if _, got := loggedIn(w, "ada", "a password", nil); got.Code() != "UNAUTHENTICATED" {
		t.Errorf("the old password: got %s, want UNAUTHENTICATED", got.Body)
	}
	if _, got := loggedIn(w, "ada", "another password", nil); got.Code() != "" {
		t.Errorf("the new password: got %s, want a token", got.Body)
	}
	off := graphtest.New(t, func(c *api.Config) { c.PasswordsOff = true })
	if got := off.Ask(off.Person("ada").Token, change, map[string]any{"current": "a password", "new": "another password"}); got.Code() != "FORBIDDEN" {
		t.Errorf("where passwords are off: got %s, want FORBIDDEN", got.Body)
	}
}

// TestConnectionsEndWithTheirSession ends a session that has a socket of each protocol
// and a stream of each kind, beside a socket of another session.
func TestConnectionsEndWithTheirSession(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		phone := registered(t, w, "ada")
		laptop, _ := loggedIn(w, "ada", "a password", nil)
		w.Must(laptop, `mutation($id: ID!) { followUser(input: {userId: $id}) { position } }`, map[string]any{"id": w.Person("bob").ID})
		socket, kept := w.Socket(t, phone), w.Socket(t, laptop)
		socket.Subscribe("1", graphtest.FeedAdded)
		legacy := w.LegacySocket(t, phone)
		events := w.Events(t, phone, graphtest.FeedAdded)
		parts := w.Parts(t, phone, graphtest.FeedAdded)
		w.WaitForFeeds(3)
		w.Must(laptop, `mutation { endAllSessions(input: {keepCurrent: true}) { user { id } } }`, nil)
		began := time.Now()
		if code, reason := socket.WaitClosed(); code != 4403 || reason != "the session has ended; log in again" {
			t.Errorf("the socket: closed with %d %q, want 4403", code, reason)
		}
		if code, _ := legacy.WaitClosed(); code != 4403 {
			t.Errorf("the socket of graphql-ws: closed with %d, want 4403", code)
		}
		if _, data := events.Next(); data.Code() != "UNAUTHENTICATED" {
			t.Errorf("the events: got %s, want UNAUTHENTICATED", data.Body)
		}
		if part := parts.Next(); len(part.Errors) != 1 || part.Errors[0].Extensions["code"] != "UNAUTHENTICATED" {
			t.Errorf("the parts: got %s, want UNAUTHENTICATED", part.Raw)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("they end after %s, want 2 s", took)
		}
		kept.Subscribe("1", `{ viewer { username } }`)
		if got := kept.Next("1"); got.At("viewer.username") != "ada" {
			t.Errorf("the session that was kept: got %s, want it to live on", got.Body)
		}
	})
}

// TestAnOpenSocketKeepsWhereItsSessionIsUsed has a session used by a socket alone, for
// longer than the store waits to be told again.
func TestAnOpenSocketKeepsWhereItsSessionIsUsed(t *testing.T) {
	graphtest.InBubble(t, func(t *testing.T, w *graphtest.World) {
		registered(t, w, "ada")
		phone := http.Header{"Test-Address": {"192.0.2.7"}, "User-Agent": {"Phone 1.0"}}
		token, _ := loggedIn(w, "ada", "a password", phone)
		c := w.Dial(t, phone)
		c.Initiate(token)
		_ = c.Conn.SetReadDeadline(time.Time{})
		go func() { _, _, _ = c.Conn.ReadMessage() }() // reading answers pings
		time.Sleep(11 * time.Minute)
		laptop, _ := loggedIn(w, "ada", "a password", nil)
		got := w.Must(laptop, mySessions, nil)
		if got.At("viewer.sessions.1.address") != "192.0.2.7" || got.At("viewer.sessions.1.userAgent") != "Phone 1.0" {
			t.Errorf("got %s, want from where and by what the socket is open", got.Body)
		}
		if got.At("viewer.sessions.1.lastUsedAt") == got.At("viewer.sessions.1.startedAt") {
			t.Errorf("got %s, want the session used while its socket is open", got.Body)
		}
	}, func(c *api.Config) { c.ClientIP = func(r *http.Request) string { return r.Header.Get("Test-Address") } })
}
