package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"
	"chirp/internal/storage/mongodb/mongotest"
)

const (
	endAllDocument = `mutation($keep: Boolean!) { endAllSessions(input: {keepCurrent: $keep}) { user { id } } }`
	changeDocument = `mutation($current: String!, $new: String!) { changePassword(input: {currentPassword: $current, newPassword: $new}) { token } }`
)

// withinBound is how soon a server must know what another one, or a command, has
// ended: 2 s, and more on a busy machine.
const withinBound = 10 * time.Second

// wantEnded waits until a server refuses a token.
func wantEnded(t *testing.T, what string, a apitest.API) {
	t.Helper()
	began := time.Now()
	apitest.Eventually(t, what+" is refused", func() bool { _, err := viewerID(t, a); return apitest.Code(err) == "UNAUTHENTICATED" })
	took := time.Since(began)
	t.Logf("%s is refused after %s", what, took.Round(10*time.Millisecond))
	if took > withinBound {
		t.Errorf("%s is refused after %s, want 2 s", what, took)
	}
}

func wantGood(t *testing.T, what string, a apitest.API) {
	t.Helper()
	if id, err := viewerID(t, a); err != nil || id == "" {
		t.Errorf("%s: got viewer %q, error %v; want it served", what, id, err)
	}
}

func changePassword(t *testing.T, a apitest.API, current, next string) (token string) {
	t.Helper()
	var got struct{ ChangePassword struct{ Token string } }
	if err := a.Do(t.Context(), changeDocument, apitest.Vars{"current": current, "new": next}, &got); err != nil {
		t.Fatal(err)
	}
	return got.ChangePassword.Token
}

// TestSessionsEndOnAnotherServer ends sessions on one of two servers on a MongoDB.
func TestSessionsEndOnAnotherServer(t *testing.T) {
	t.Parallel()
	p := apitest.OnMongoDB(mongotest.URI(t), mongotest.Database(t))
	here, there := apitest.Start(t, p), apitest.Start(t, p)
	ann := apitest.RegisterAll(t, here.URL, "ann", "bob")[0]
	ann.Token = apitest.Must(ann.At(here.URL).LogIn(t.Context(), "ann", apitest.Password))(t)
	phone := apitest.Must(ann.At(there.URL).LogIn(t.Context(), "ann", apitest.Password))(t)
	stolen, mine := apitest.API{URL: there.URL, Token: phone, ReadAfter: ann.Position}, ann.At(there.URL)
	wantGood(t, "a session that started on the other server", mine)
	wantGood(t, "another session", stolen)
	socket, kept := apitest.Must(stolen.Connect(t.Context()))(t), apitest.Must(mine.Connect(t.Context()))(t)
	defer socket.Close()
	defer kept.Close()
	if err := ann.At(here.URL).Do(t.Context(), endAllDocument, apitest.Vars{"keep": true}, nil); err != nil {
		t.Fatal(err)
	}
	wantEnded(t, "a session that another server has ended", stolen)
	if code, reason := apitest.ClosedWith(socket); code != 4403 {
		t.Errorf("its socket: closed with %d %q, want 4403", code, reason)
	}
	wantGood(t, "the session that was kept", mine)
	if err := kept.Subscribe("1", `{ viewer { username } }`, nil); err != nil {
		t.Fatal(err)
	}
	if err := kept.Next("1", nil); err != nil {
		t.Errorf("the socket of the session that was kept: %v", err)
	}
	changed := changePassword(t, ann.At(here.URL), apitest.Password, "another password")
	wantEnded(t, "the session from before a new password", mine)
	wantGood(t, "the new session", apitest.API{URL: there.URL, Token: changed})
	if _, err := mine.LogIn(t.Context(), "ann", apitest.Password); apitest.Code(err) != "UNAUTHENTICATED" {
		t.Errorf("the old password: got %v, want UNAUTHENTICATED", err)
	}
	if status := apitest.Execute(t, append([]string{"user", "disable", "ANN"}, p.Args...)...); status.Code != 0 {
		t.Fatalf("user disable: exit code %d, %s", status.Code, status.Log)
	}
	wantEnded(t, "a disabled user's session", apitest.API{URL: here.URL, Token: changed})
	wantEnded(t, "a disabled user's session", apitest.API{URL: there.URL, Token: changed})
}

func TestUsersAreDisabledBesideAServer(t *testing.T) {
	apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
		o := newOutsiders(t)
		server := apitest.Start(t, p, o.flags()...)
		users := apitest.RegisterAll(t, server.URL, "Ann", "Bob")
		eve := o.at(server.URL, "eve")
		apitest.Must(registerOutside(t, eve, "Eve"))(t)
		ann, bob := users[0].At(server.URL), users[1].At(server.URL)
		events := len(p.Events(t))
		socket := apitest.Must(ann.Connect(t.Context()))(t)
		defer socket.Close()
		run := func(says string, code int, args ...string) {
			t.Helper()
			got := p.Command(t, args...)
			if got.Code != code || !strings.Contains(got.Out+got.Log, says) || strings.Count(got.Out+got.Log, "\n") != 1 {
				t.Errorf("%s: exit code %d, %q and %q; want %d and one line that says %q", args, got.Code, got.Out, got.Log, code, says)
			}
		}
		run("Ann ("+users[0].ID+") is disabled; sessions ended: 1.", 0, "user", "disable", "ann")
		wantEnded(t, "a disabled user's session", ann)
		if code, _ := apitest.ClosedWith(socket); code != 4403 {
			t.Errorf("its socket: closed with %d, want 4403", code)
		}
		run("sessions ended: 0.", 0, "user", "disable", "Ann")
		run("Eve", 0, "user", "disable", "EVE")
		wantEnded(t, "the issuer's token of a disabled user", o.at(server.URL, "eve"))
		wantGood(t, "another user", bob)
		run("there is no user named", 1, "user", "disable", "nobody")
		run("Bob ("+users[1].ID+") was not disabled", 0, "user", "enable", "bob")
		wantGood(t, "another user", bob)

		anonymous := apitest.API{URL: server.URL}
		if _, err := anonymous.LogIn(t.Context(), "ann", apitest.Password); apitest.Code(err) != "FORBIDDEN" {
			t.Errorf("log-in of a disabled user: got %v, want FORBIDDEN", err)
		}
		if _, err := anonymous.LogIn(t.Context(), "ann", "a wrong password"); apitest.Code(err) != "UNAUTHENTICATED" {
			t.Errorf("log-in of a disabled user with a wrong password: got %v, want UNAUTHENTICATED", err)
		}
		run("Ann ("+users[0].ID+") is enabled", 0, "user", "enable", "ann")
		run("Eve", 0, "user", "enable", "eve")
		apitest.Eventually(t, "the issuer's token of an enabled user is good", func() bool { _, err := viewerID(t, o.at(server.URL, "eve")); return err == nil })
		ann.Token = apitest.Must(anonymous.LogIn(t.Context(), "ann", apitest.Password))(t)
		wantGood(t, "a user who was enabled again", ann)
		if _, err := viewerID(t, users[0].At(server.URL)); apitest.Code(err) != "UNAUTHENTICATED" {
			t.Errorf("the session from before: got %v, want UNAUTHENTICATED", err)
		}
		if n := len(p.Events(t)); n != events {
			t.Errorf("the log has %d events, want the %d from before", n, events)
		}
		server.Terminate(t)
		run("Ann", 0, "user", "disable", "ann") // without a server
		server = apitest.Start(t, p, o.flags()...)
		ann.URL = server.URL
		wantEnded(t, "a user who was disabled without a server", ann)
	})
}

// TestAccessMovesToAnotherStore exports users in every state, and imports them.
func TestAccessMovesToAnotherStore(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to apitest.Place) {
		old := apitest.Launch(t, from)
		apitest.Ready(t, old.URL)
		users := apitest.RegisterAll(t, old.URL, "ann", "bob", "cid")
		ann, bob := users[0].At(old.URL), users[1].At(old.URL)
		changed := changePassword(t, ann, apitest.Password, "another password")
		if err := bob.Do(t.Context(), endAllDocument, apitest.Vars{"keep": false}, nil); err != nil {
			t.Fatal(err)
		}
		if e := from.Command(t, "user", "disable", "cid"); e.Code != 0 {
			t.Fatalf("user disable: %s", e.Log)
		}
		file := from.Export(t, "--with-credentials")
		old.Terminate(t)
		to.Import(t, file, "--with-token-secret")
		if again := to.Export(t, "--with-credentials"); content(t, again) != content(t, file) {
			t.Errorf("exported again: got\n%.2000s, want\n%.2000s", content(t, again), content(t, file))
		}
		moved := apitest.Start(t, to)
		anonymous := apitest.API{URL: moved.URL}
		for name, c := range map[string]struct{ token, code string }{
			"a session that ended before": {ann.Token, "UNAUTHENTICATED"}, "a session of an epoch that has moved": {bob.Token, "UNAUTHENTICATED"},
			"a session": {changed, "OK"}, "a disabled user's session": {users[2].Token, "UNAUTHENTICATED"},
		} {
			if _, err := viewerID(t, apitest.API{URL: moved.URL, Token: c.token, ReadAfter: users[2].Position}); apitest.Code(err) != c.code {
				t.Errorf("%s: got %v, want %s", name, err, c.code)
			}
		}
		for name, c := range map[string]struct{ user, password, code string }{
			"the new password": {"ann", "another password", "OK"}, "the old password": {"ann", apitest.Password, "UNAUTHENTICATED"},
			"another user": {"bob", apitest.Password, "OK"}, "a disabled user": {"cid", apitest.Password, "FORBIDDEN"},
		} {
			if _, err := anonymous.LogIn(t.Context(), c.user, c.password); apitest.Code(err) != c.code {
				t.Errorf("%s: got %v, want %s", name, err, c.code)
			}
		}
	})
}

// TestADisabledUserStaysDisabledWithoutCredentials moves a log without credentials. Eve
// logs in elsewhere, and needs none.
func TestADisabledUserStaysDisabledWithoutCredentials(t *testing.T) {
	betweenStores(t, func(t *testing.T, from, to apitest.Place) {
		o := newOutsiders(t)
		old := apitest.Launch(t, from, o.flags()...)
		apitest.Ready(t, old.URL)
		ann := apitest.RegisterAll(t, old.URL, "ann", "bob")[0]
		apitest.Must(registerOutside(t, o.at(old.URL, "eve"), "Eve"))(t)
		if err := ann.At(old.URL).Do(t.Context(), endAllDocument, apitest.Vars{"keep": false}, nil); err != nil {
			t.Fatal(err)
		}
		if e := from.Command(t, "user", "disable", "eve"); e.Code != 0 {
			t.Fatalf("user disable: %s", e.Log)
		}
		file := from.Export(t)
		old.Terminate(t)
		if text := content(t, file); strings.Contains(text, "argon2") || strings.Contains(text, "tokenSecret") || strings.Contains(text, "session_") {
			t.Errorf("export without credentials: got %.2000s, want no secret in it", text)
		}
		bad := filepath.Join(t.TempDir(), "log.jsonl")
		if err := os.WriteFile(bad, []byte(strings.Replace(content(t, file), `"username":"ann"`, `"username":"an n"`, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if e := to.Command(t, "import", bad); e.Code != 1 || !strings.Contains(e.Log, "breaks a rule") {
			t.Errorf("import of what breaks a rule: exit code %d, log %q; want 1 and the rule", e.Code, e.Log)
		}
		wantEmpty(t, to)

		e := to.Command(t, "import", file, "--without-credentials")
		if e.Code != 0 || !strings.Contains(e.Log, "Users who are disabled, as they were where the file was exported: 1.") || strings.Contains(e.Log, "does not say") {
			t.Errorf("import: exit code %d, log %q; want 0 and how many are disabled", e.Code, e.Log)
		}
		if again := to.Export(t); content(t, again) != content(t, file) {
			t.Errorf("exported again: got\n%.2000s, want\n%.2000s", content(t, again), content(t, file))
		}
		moved := apitest.Start(t, to, o.flags()...)
		wantEnded(t, "the issuer's token of a disabled user", o.at(moved.URL, "eve"))
		if e := to.Command(t, "user", "enable", "eve"); e.Code != 0 || !strings.Contains(e.Out, "is enabled") {
			t.Errorf("user enable: exit code %d, got %q and %q", e.Code, e.Out, e.Log)
		}
		apitest.Eventually(t, "the user is enabled again", func() bool { _, err := viewerID(t, o.at(moved.URL, "eve")); return err == nil })
	})
}

// TestImportSaysThatAFileDoesNotSayWhoIsDisabled imports a log whose store had lost its
// credentials, one that an earlier version exported, and one of which nobody is disabled.
func TestImportSaysThatAFileDoesNotSayWhoIsDisabled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ access, says string }{
		"lost":   {`,"accessLost":true`, "does not say who was disabled, because the exported store had lost that: everyone is enabled here"},
		"absent": {``, "does not say who was disabled: everyone is enabled here until chirp user disable (an earlier version of Chirp exported it)"},
		"none":   {`,"access":false`, ""},
	} {
		file := filepath.Join(t.TempDir(), "log.jsonl")
		if err := os.WriteFile(file, []byte(strings.Replace(manyEvents(1), `,"access":false`, c.access, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apitest.OnBothStores(t, func(t *testing.T, p apitest.Place) {
				if e := p.Command(t, "import", file); e.Code != 0 || !strings.Contains(e.Log, c.says) || strings.Contains(e.Log, "disabled") != (c.says != "") {
					t.Errorf("import: exit code %d, log %q; want 0 and of who is disabled %q", e.Code, e.Log, c.says)
				}
			})
		})
	}
}
