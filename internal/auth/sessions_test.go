package auth_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
)

// shared is the store of several servers. It can be made to fail.
type shared struct {
	authtest.Memory
	authtest.Networks

	fails atomic.Bool
	reads atomic.Int64
	held  atomic.Pointer[chan struct{}] // a read returns what it has read once this is closed
}

func (s *shared) Access(ctx context.Context, user domain.UserID) (auth.Access, error) {
	s.reads.Add(1)
	if s.fails.Load() {
		return auth.Access{}, errStore
	}
	a, err := s.Memory.Access(ctx, user)
	if held := s.held.Load(); held != nil {
		<-*held
	}
	return a, err
}

func (s *shared) AccessChanges(ctx context.Context, since int64) ([]domain.UserID, int64, error) {
	if s.fails.Load() {
		return nil, 0, errStore
	}
	return s.Memory.AccessChanges(ctx, since)
}

// server has sessions of its own on a shared store.
type server struct {
	t *testing.T
	*auth.Sessions
	tokens *auth.Tokens
}

// serve runs a server until the test ends. The test is in a bubble.
func (s *shared) serve(t *testing.T) server {
	t.Helper()
	tokens, err := auth.NewTokens(secret, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	one := server{t, auth.NewSessions(s, tokens, nil), tokens}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = one.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	synctest.Wait()
	return one
}

func (s server) start(user domain.UserID, epoch int64) string {
	s.t.Helper()
	token, err := s.Start(s.t.Context(), user, epoch)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// session returns the session of a token.
func (s server) session(token string) auth.SessionID {
	s.t.Helper()
	bearer, err := s.tokens.Read(s.t.Context(), token)
	if err != nil {
		s.t.Fatal(err)
	}
	return bearer.Session
}

func (s server) check(token string) error {
	_, err := auth.Authenticate(s.t.Context(), s.tokens, "Bearer "+token)
	return err
}

// want checks whether a token is good, 0, or of which kind the error is.
func (s server) want(what, token string, kind domain.Kind) {
	s.t.Helper()
	err := s.check(token)
	if (err != nil) != (kind != 0) || err != nil && domain.KindOf(err) != kind {
		s.t.Errorf("%s: got error %v, want kind %d", what, err, kind)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const ended = domain.Unauthenticated

func TestTokensOfEndedSessionsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here, there := store.serve(t), store.serve(t)
		phone, laptop, old := here.start(ann, 0), here.start(ann, 0), issue(t, here.tokens, ann)
		other := here.start(bob, 0)
		for _, s := range []server{here, there} { // each remembers the users
			for _, token := range []string{phone, laptop, old, other} {
				s.want("before", token, 0)
			}
		}
		must(t, here.End(t.Context(), ann, here.session(phone)))
		here.want("an ended session, at once where it was ended", phone, ended)
		time.Sleep(2 * time.Second)
		for _, s := range []server{here, there} {
			s.want("an ended session", phone, ended)
			s.want("another session", laptop, 0)
			s.want("a token without a session", old, 0)
		}
		must(t, there.EndAll(t.Context(), ann, there.session(laptop)))
		time.Sleep(2 * time.Second)
		for _, s := range []server{here, there} {
			s.want("a session that was kept", laptop, 0)
			s.want("a token without a session, after all were ended", old, ended)
			s.want("another user's session", other, 0)
		}
		must(t, store.SetDisabled(t.Context(), ann, true)) // as a command does
		time.Sleep(2 * time.Second)
		for _, s := range []server{here, there} {
			s.want("a disabled user's session", laptop, ended)
		}
		must(t, store.SetDisabled(t.Context(), ann, false))
		time.Sleep(2 * time.Second)
		here.want("a session that ended when its user was disabled", laptop, ended)
		here.want("a new session", there.start(ann, 2), 0)
	})
}

func TestANewSessionIsGoodEverywhereAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here, there := store.serve(t), store.serve(t)
		there.want("the first session", here.start(ann, 0), 0) // there remembers ann
		for range 3 {
			there.want("a session that has just started elsewhere", here.start(ann, 0), 0)
		}
	})
}

func TestTokensOfExternalIdentitiesAreRefusedOnceDisabled(t *testing.T) {
	key := authtest.RSA(t, "r1")
	i := authtest.StartIssuer(t, key)
	store := &shared{}
	tokens := tokensAt(t, secret, noon)
	issuer, _ := trusting(i)
	tokens.Trust(issuer, accounts{"ann@issuer": ann}.find)
	sessions := auth.NewSessions(store, tokens, nil)
	header := "Bearer " + key.Sign(t, i.Claims("ann@issuer", audience, noon))
	if _, err := auth.Authenticate(t.Context(), tokens, header); err != nil {
		t.Fatal(err)
	}
	must(t, sessions.EndAll(t.Context(), ann, auth.SessionID{}))
	if _, err := auth.Authenticate(t.Context(), tokens, header); err != nil {
		t.Errorf("after all sessions were ended: got error %v, want none, because the issuer's tokens have none", err)
	}
	must(t, store.SetDisabled(t.Context(), ann, true))
	must(t, sessions.EndAll(t.Context(), ann, auth.SessionID{})) // so that the sessions forget what they know
	if _, err := auth.Authenticate(t.Context(), tokens, header); domain.KindOf(err) != domain.Unauthenticated {
		t.Errorf("disabled: got error %v, want kind Unauthenticated", err)
	}
	if _, err := auth.Authenticate(t.Context(), tokens, "Bearer "+key.Sign(t, i.Claims("nobody@issuer", audience, noon))); err != nil {
		t.Errorf("an identity without an account: got error %v, want none", err)
	}
}

func TestWhatIsNotKnownIsNotTakenForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here, there := store.serve(t), store.serve(t)
		known, ending, unknown := here.start(ann, 0), here.start(bob, 0), there.start(carol, 0)
		for _, token := range []string{known, ending} {
			here.want("before", token, 0)
		}
		store.fails.Store(true)
		time.Sleep(time.Minute)
		here.want("a session that was good when the store was last read", known, 0)
		here.want("a session of a user who is not known", unknown, domain.Unavailable)
		here.want("a token without a session of such a user", issue(t, here.tokens, carol), domain.Unavailable)
		here.want("a session that may have started since", here.issueFor(ann), domain.Unavailable)
		store.fails.Store(false)
		must(t, there.End(t.Context(), bob, there.session(ending)))
		time.Sleep(2 * time.Second)
		here.want("ended meanwhile", ending, ended)
		must(t, here.EndAll(t.Context(), ann, auth.SessionID{}))
		store.fails.Store(true)
		here.want("ended just before the store failed", known, domain.Unavailable)
		store.fails.Store(false)
		here.want("ended just before the store failed, and now it can be read", known, ended)
	})
}

// issueFor returns a token of a session that was never stored.
func (s server) issueFor(user domain.UserID) string {
	s.t.Helper()
	token, err := s.tokens.Issue(auth.Bearer{User: user, Session: auth.NewSessionID()})
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// TestAReadThatAChangeOvertakesIsNotRemembered ends a session after a request has read
// that it is good, and before that request goes on.
func TestAReadThatAChangeOvertakesIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here, there := store.serve(t), store.serve(t)
		token := there.start(ann, 0)
		held := make(chan struct{})
		store.held.Store(&held)
		answered := make(chan struct{})
		go func() { defer close(answered); _ = here.check(token) }()
		synctest.Wait()
		store.held.Store(nil)
		must(t, here.EndAll(t.Context(), ann, auth.SessionID{}))
		here.want("a request meanwhile, which does not wait for that read", token, ended)
		close(held)
		<-answered
		here.want("the next request", token, ended)
	})
}

func TestAStoreThatWasReplacedIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here := store.serve(t)
		token := here.start(ann, 0)
		here.want("before", token, 0)
		must(t, here.EndAll(t.Context(), bob, auth.SessionID{})) // so that there is a change
		time.Sleep(2 * time.Second)
		store.Replace()
		time.Sleep(2 * time.Second)
		here.want("a session that the other store does not have", token, ended)
	})
}

// watched returns a channel that receives why a connection with a token ends.
func (s server) watched(token string) <-chan error {
	s.t.Helper()
	ctx, err := auth.Authenticate(s.t.Context(), s.tokens, "Bearer "+token)
	must(s.t, err)
	ctx, stop := context.WithCancel(ctx)
	s.t.Cleanup(stop)
	reasons := make(chan error, 10)
	auth.WatchSession(ctx, s.tokens, func(err error) { reasons <- err; stop() })
	return reasons
}

func wantEnd(t *testing.T, what string, reasons <-chan error, want bool) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-reasons:
		if !want || domain.KindOf(err) != domain.Unauthenticated {
			t.Errorf("%s: ended with %v, want it to end: %t", what, err, want)
		}
	default:
		if want {
			t.Errorf("%s: still open, want it ended", what)
		}
	}
}

func TestConnectionsEndWithTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here, there := store.serve(t), store.serve(t)
		phone, laptop, old := here.start(ann, 0), here.start(ann, 0), issue(t, here.tokens, ann)
		open := map[string]<-chan error{"here": here.watched(phone), "there": there.watched(phone)}
		kept := map[string]<-chan error{"of another session": there.watched(laptop), "of a token without a session": there.watched(old), "of another user": there.watched(here.start(bob, 0))}
		must(t, here.End(t.Context(), ann, here.session(phone)))
		wantEnd(t, "at once, where it was ended", open["here"], true)
		time.Sleep(2 * time.Second)
		wantEnd(t, "on another server", open["there"], true)
		for what, reasons := range kept {
			wantEnd(t, what, reasons, false)
		}
		store.fails.Store(true)
		time.Sleep(time.Minute)
		for what, reasons := range kept {
			wantEnd(t, what+" while the store is away", reasons, false)
		}
		store.fails.Store(false)
		must(t, store.SetDisabled(t.Context(), ann, true))
		time.Sleep(3 * time.Second)
		wantEnd(t, "of a disabled user", kept["of another session"], true)
		wantEnd(t, "of a disabled user, without a session", kept["of a token without a session"], true)
		wantEnd(t, "of another user", kept["of another user"], false)
	})
}

func TestSessionsAreSeenNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here := store.serve(t)
		started := time.Now()
		token := here.start(ann, 0)
		use := func(agent string) {
			ctx := auth.WithClient(t.Context(), auth.Client{Address: "192.0.2.1", Agent: agent})
			_, err := auth.Authenticate(ctx, here.tokens, "Bearer "+token)
			must(t, err)
			synctest.Wait()
		}
		seen := func() auth.Session {
			sessions, err := here.List(t.Context(), ann)
			must(t, err)
			return sessions[0]
		}
		time.Sleep(9 * time.Minute)
		use("early")
		if got := seen(); !got.Seen.Equal(started) {
			t.Errorf("used after nine minutes: seen at %v, want %v, because that is not written every time", got.Seen, started)
		}
		time.Sleep(time.Minute)
		use("A\x00 program\t of \u202eevil \xff people " + string(slices.Repeat([]byte("x"), 500)))
		got := seen()
		if !got.Seen.Equal(started.Add(10*time.Minute)) || got.Client.Address != "192.0.2.1" {
			t.Errorf("used after ten minutes: got %+v, want it seen then, from there", got)
		}
		if want := "A program of evil people x"; len(got.Client.Agent) != 160 || got.Client.Agent[:len(want)] != want {
			t.Errorf("got agent %q, want it cleaned and clipped to 160 bytes", got.Client.Agent)
		}
		use("late")
		if got := seen(); got.Client.Agent == "late" {
			t.Errorf("used again at once: got %+v, want it as before", got)
		}
	})
}

// TestNetworksAreRememberedWhereTokensAreUsed uses tokens with and without a session.
func TestNetworksAreRememberedWhereTokensAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here := store.serve(t)
		use := func(token, network string) {
			_, err := auth.Authenticate(auth.WithNetworks(t.Context(), []string{network, "wider"}), here.tokens, "Bearer "+token)
			must(t, err)
			synctest.Wait()
		}
		session, old := here.start(ann, 0), issue(t, here.tokens, bob)
		use(session, "at once")
		use(old, "home")
		use(old, "elsewhere, at once")
		time.Sleep(10 * time.Minute)
		use(session, "home")
		for _, c := range []struct {
			user    domain.UserID
			network string
			known   bool
		}{{ann, "at once", false}, {ann, "home", true}, {ann, "wider", false}, {bob, "home", true}, {bob, "elsewhere, at once", false}} {
			at, err := store.KnownNetwork(t.Context(), c.user, auth.NetworkID(c.user, c.network))
			if err != nil || at.IsZero() == c.known {
				t.Errorf("%s at %s: remembered at %v, error %v; want known %t", c.user, c.network, at, err, c.known)
			}
		}
	})
}

func TestSessionsExpireWithTheirTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := (&shared{}).serve(t)
		first := here.start(ann, 0)
		time.Sleep(auth.TokenLifetime - time.Hour)
		second := here.start(ann, 0)
		here.want("before it expires", first, 0)
		time.Sleep(2 * time.Hour)
		here.want("after it has expired", first, ended)
		sessions, err := here.List(t.Context(), ann)
		if err != nil || len(sessions) != 1 || sessions[0].ID != here.session(second) {
			t.Errorf("List: got %+v, error %v; want the session that has not expired", sessions, err)
		}
		if err := here.End(t.Context(), ann, here.session(second)); err != nil {
			t.Fatal(err)
		}
		for what, id := range map[string]auth.SessionID{"an ended session": here.session(second), "no session": {}, "another user's": here.session(here.start(bob, 0))} {
			if err := here.End(t.Context(), ann, id); domain.KindOf(err) != domain.NotFound {
				t.Errorf("End of %s: got error %v, want kind NotFound", what, err)
			}
		}
	})
}

// TestSessionsRememberSoManyUsers lets more users call than are remembered, and then
// each user's requests many times over.
func TestSessionsRememberSoManyUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shared{}
		here := store.serve(t)
		tokens := make([]string, 10_100)
		for i := range tokens {
			user := domain.UserIDFrom([16]byte{13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
			tokens[i] = issue(t, here.tokens, user)
			here.want("a user", tokens[i], 0)
		}
		read := store.reads.Load()
		for range 100 {
			here.want("a user who called last", tokens[len(tokens)-1], 0)
		}
		if n := store.reads.Load() - read; n != 0 {
			t.Errorf("100 more requests of one user: %d reads of the store, want none", n)
		}
		here.want("a user who called first", tokens[0], 0)
		if n := store.reads.Load() - read; n != 1 {
			t.Errorf("a user who is no longer remembered: %d reads of the store, want 1", n)
		}
	})
}

func TestSessionIDsHaveOneForm(t *testing.T) {
	id := auth.NewSessionID()
	if got, err := auth.ParseSessionID(id.String()); err != nil || got != id || id == auth.NewSessionID() {
		t.Errorf("ParseSessionID of %s: got %s, error %v", id, got, err)
	}
	text := (auth.SessionID{1}).String()
	for _, bad := range []string{"", "session_", text[1:], text + "a", text[:len(text)-1] + "b", text[:len(text)-1] + "\n", "SESSION_" + text[8:], "session_A" + text[9:], "user_01h455vb4pex5vsknk084sn02q"} {
		if got, err := auth.ParseSessionID(bad); domain.KindOf(err) != domain.Invalid || got != (auth.SessionID{}) {
			t.Errorf("ParseSessionID of %q: got %s, error %v; want kind Invalid", bad, got, err)
		}
	}
}

// TestALogInThatLosesToANewPasswordStartsNoSession replaces a password between the
// check of the old one and the start of a session.
func TestALogInThatLosesToANewPasswordStartsNoSession(t *testing.T) {
	a, m := newAuthenticator(t)
	must(t, a.Save(t.Context(), ann, password))
	access, err := m.Access(t.Context(), ann) // as a log-in reads it, before it checks the password
	must(t, err)
	token, err := a.ChangePassword(t.Context(), ann, password, "a new password")
	must(t, err)
	if got, err := a.Sessions.Start(t.Context(), ann, access.Epoch); got != "" || domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Start after the password was changed: got %q, error %v; want kind Unavailable", got, err)
	}
	if sessions, err := a.Sessions.List(t.Context(), ann); err != nil || len(sessions) != 1 {
		t.Errorf("List: got %+v, error %v; want the session of the new password alone", sessions, err)
	}
	if _, err := auth.Authenticate(t.Context(), a.Tokens, "Bearer "+token); err != nil {
		t.Errorf("the new token: got error %v", err)
	}
}

// TestAnOldPasswordDoesNotWin changes what a user has while the password is checked
// that was right before.
func TestAnOldPasswordDoesNotWin(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(a auth.Authenticator, m *memory) error
		password  string // that is right afterwards, empty for a closed account
	}{
		"the password is changed": {func(a auth.Authenticator, _ *memory) error {
			_, err := a.ChangePassword(t.Context(), ann, password, "the password that came first")
			return err
		}, "the password that came first"},
		"all sessions are ended": {func(a auth.Authenticator, _ *memory) error {
			return a.Sessions.EndAll(t.Context(), ann, auth.SessionID{})
		}, password},
		"the account is disabled": {func(_ auth.Authenticator, m *memory) error { return m.SetDisabled(t.Context(), ann, true) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, m := newAuthenticator(t)
			must(t, a.Save(t.Context(), ann, password))
			m.meanwhile = func() { must(t, c.meanwhile(a, m)) }
			_, err := a.LogIn(t.Context(), ann, password)
			wantKind(t, "LogIn", err, domain.Unavailable)

			a, m = newAuthenticator(t)
			must(t, a.Save(t.Context(), ann, password))
			m.meanwhile = func() { must(t, c.meanwhile(a, m)) }
			_, err = a.ChangePassword(t.Context(), ann, password, "the password that came last")
			wantKind(t, "ChangePassword", err, domain.Conflict)
			if _, err := a.LogIn(t.Context(), ann, c.password); c.password != "" && err != nil {
				t.Errorf("LogIn with the right password: got error %v", err)
			}
			if _, err := a.LogIn(t.Context(), ann, "the password that came last"); err == nil {
				t.Error("LogIn with the password of the change that failed: got no error")
			}
		})
	}
}

func TestChangePassword(t *testing.T) {
	a, _ := newAuthenticator(t)
	must(t, a.Save(t.Context(), ann, password))
	before, err := a.LogIn(t.Context(), ann, password)
	must(t, err)
	for name, c := range map[string]struct {
		user          domain.UserID
		current, next string
		kind          domain.Kind
	}{
		"a wrong password":              {ann, password + "!", "a new password", domain.Forbidden},
		"a new one that is too short":   {ann, password, "short", domain.Invalid},
		"a user who has no password":    {bob, password, "a new password", domain.Forbidden},
		"a new one that is empty":       {ann, password, "", domain.Invalid},
		"a current one that is missing": {ann, "", "a new password", domain.Forbidden},
	} {
		_, err := a.ChangePassword(t.Context(), c.user, c.current, c.next)
		wantKind(t, name, err, c.kind)
	}
	if _, err := auth.Authenticate(t.Context(), a.Tokens, "Bearer "+before); err != nil {
		t.Errorf("after refused changes: got error %v, want the session as before", err)
	}
	_, err = a.ChangePassword(t.Context(), ann, password, "a new password")
	must(t, err)
	_, err = auth.Authenticate(t.Context(), a.Tokens, "Bearer "+before)
	wantKind(t, "the token from before", err, domain.Unauthenticated)
	_, err = a.LogIn(t.Context(), ann, password)
	wantKind(t, "the old password", err, domain.Unauthenticated)
	if _, err = a.LogIn(t.Context(), ann, "a new password"); err != nil {
		t.Errorf("the new password: got error %v", err)
	}
}

func TestADisabledUserCannotLogIn(t *testing.T) {
	a, m := newAuthenticator(t)
	must(t, a.Save(t.Context(), ann, password))
	must(t, m.SetDisabled(t.Context(), ann, true))
	_, err := a.LogIn(t.Context(), ann, password)
	wantKind(t, "the right password", err, domain.Forbidden)
	_, err = a.LogIn(t.Context(), ann, password+"!")
	wantKind(t, "a wrong password, which learns nothing", err, domain.Unauthenticated)
	must(t, m.SetDisabled(t.Context(), ann, false))
	if _, err := a.LogIn(t.Context(), ann, password); err != nil {
		t.Errorf("enabled again: got error %v", err)
	}
}
