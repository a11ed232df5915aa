package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

func TestNetworksAreRememberedWhenAUserLogsIn(t *testing.T) {
	a, m := newAuthenticator(t)
	now := noon
	tokens, err := auth.NewTokens(secret, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	a.Tokens = tokens
	at := func(network string) context.Context {
		return auth.WithNetworks(t.Context(), []string{network, "wider"})
	}
	known := func(user domain.UserID, network string) time.Time {
		since, err := m.KnownNetwork(t.Context(), user, auth.NetworkID(user, network))
		if err != nil {
			t.Fatal(err)
		}
		return since
	}
	logIn := func(network, given string) {
		t.Helper()
		if _, err := a.LogIn(at(network), ann, given); (err == nil) != (given == password) {
			t.Fatalf("LogIn: %v", err)
		}
	}
	if err := a.Save(at("registered"), ann, password); err != nil {
		t.Fatal(err)
	}
	logIn("home", password)
	logIn("elsewhere", password+"!")
	for network, want := range map[string]time.Time{"registered": noon, "home": noon, "elsewhere": {}, "wider": {}} {
		if got := known(ann, network); !got.Equal(want) {
			t.Errorf("%s: remembered at %v, want %v", network, got, want)
		}
	}
	now = noon.Add(23 * time.Hour)
	logIn("home", password)
	if got := known(ann, "home"); !got.Equal(noon) {
		t.Errorf("remembered again at %v, want once a day", got)
	}
	now = noon.Add(25 * time.Hour)
	logIn("home", password)
	if got := known(ann, "home"); !got.Equal(now) {
		t.Errorf("remembered at %v, want %v", got, now)
	}
}

// TestAKnownNetworkIsLetIn has strangers guess until they must wait.
func TestAKnownNetworkIsLetIn(t *testing.T) {
	a, _ := newAuthenticator(t)
	now := noon
	a.Guesses = auth.NewGuesses(func() time.Time { return now })
	at := func(network string) context.Context { return auth.WithNetworks(t.Context(), []string{network}) }
	if err := a.Save(at("home"), ann, password); err != nil {
		t.Fatal(err)
	}
	for _, user := range []domain.UserID{ann, auth.StandIn("nobody")} {
		for i := range 30 {
			a.Guesses.Fail(user, fmt.Sprint("stranger", i))
		}
		_, err := a.LogIn(at("a stranger"), user, "a guess")
		wantKind(t, "LogIn of a stranger", err, domain.Unauthenticated)
		_, err = a.LogIn(at("another stranger"), user, password)
		wantKind(t, "LogIn of the next", err, domain.RateLimited)
	}
	if _, err := a.LogIn(at("home"), ann, password); err != nil {
		t.Errorf("LogIn from a known network: %v", err)
	}
	now = noon.Add(2 * time.Second)
	if _, err := a.LogIn(at("new home"), ann, password); err != nil {
		t.Errorf("LogIn from a new network when the wait is over: %v", err)
	}
	if _, err := a.LogIn(at("new home"), ann, password+"!"); domain.KindOf(err) != domain.Unauthenticated {
		t.Errorf("LogIn with a wrong password from what is known now: got %v, want kind Unauthenticated", err)
	}
	if _, err := a.LogIn(at("another"), ann, password); err != nil {
		t.Errorf("LogIn from another network after it: %v; wrong passwords from known networks must not count for others", err)
	}
}

// TestStrangersDoNotDelayAChangeOfThePassword has strangers guess, and then a caller
// whose token is the user's, from a network that the account does not know.
func TestStrangersDoNotDelayAChangeOfThePassword(t *testing.T) {
	a, _ := newAuthenticator(t)
	a.Guesses = auth.NewGuesses(func() time.Time { return noon })
	ctx := auth.WithNetworks(t.Context(), []string{"new home"})
	must(t, a.Save(t.Context(), ann, password))
	for range 100 {
		a.Guesses.Fail(ann, "new home")
	}
	for i := range 100 {
		a.Guesses.Fail(ann, fmt.Sprint("stranger", i))
	}
	_, err := a.LogIn(ctx, ann, password)
	wantKind(t, "LogIn", err, domain.RateLimited)
	for range 6 {
		_, err := a.ChangePassword(ctx, ann, password+"!", "a new password")
		wantKind(t, "ChangePassword with a wrong one", err, domain.Forbidden)
	}
	_, err = a.ChangePassword(ctx, ann, password, "a new password")
	wantKind(t, "ChangePassword after too many wrong ones", err, domain.RateLimited)
	session, err := a.Sessions.Start(ctx, ann, 0)
	must(t, err)
	ctx, err = auth.Authenticate(ctx, a.Tokens, "Bearer "+session)
	must(t, err)
	if _, err := a.ChangePassword(ctx, ann, password, "a new password"); err != nil {
		t.Errorf("ChangePassword in another session: %v", err)
	}
}

// TestRefusalsReadNothing refuses a name with an account and one without.
func TestRefusalsReadNothing(t *testing.T) {
	a, m := newAuthenticator(t)
	now := noon
	a.Guesses = auth.NewGuesses(func() time.Time { return now })
	if err := a.Save(t.Context(), ann, password); err != nil {
		t.Fatal(err)
	}
	ctx := auth.WithNetworks(t.Context(), []string{"home"})
	for name, user := range map[string]domain.UserID{"ann": ann, "nobody": ""} {
		found := 0
		logIn := func(name, password string) error {
			_, err := a.LogInByName(ctx, name, func(context.Context) (domain.UserID, error) {
				found++
				if user == "" {
					return "", domain.Errorf(domain.NotFound, "there is no user %s", name)
				}
				return user, nil
			}, password)
			return err
		}
		for range 6 {
			wantKind(t, "LogInByName", logIn(name, "a guess"), domain.Unauthenticated)
		}
		wantKind(t, "LogInByName of the next", logIn(name, "a guess"), domain.RateLimited)
		looked, foundFirst := m.lookUps, found
		for range 5 {
			wantKind(t, "LogInByName again", logIn(strings.ToUpper(name), "a guess"), domain.RateLimited)
		}
		if m.lookUps != looked || found != foundFirst {
			t.Errorf("%s: refusals found the user %d times and looked up %d networks, want neither", name, found-foundFirst, m.lookUps-looked)
		}
		now = now.Add(2 * time.Second)
		wantKind(t, "LogInByName when the wait is over", logIn(name, "a guess"), domain.Unauthenticated)
	}
}

func TestStandInsAreNotUsers(t *testing.T) {
	if a, b := auth.StandIn("Nobody"), auth.StandIn("nobody"); a != b || a == auth.StandIn("somebody") {
		t.Errorf("got %q and %q, want one for a name in any case, and another for another", a, b)
	}
	if _, err := domain.ParseUserID(string(auth.StandIn("nobody"))); err == nil {
		t.Error("a stand-in can be the id of a user")
	}
	if a, b := auth.StandIn("no name"), auth.StandIn("nor this"); a != b {
		t.Errorf("names that no user can have: got %q and %q, want one for all", a, b)
	}
}

func TestNetworksThatCannotBeReadAreNotUnknown(t *testing.T) {
	a, m := newAuthenticator(t)
	ctx := auth.WithNetworks(t.Context(), []string{"home"})
	if err := a.Save(ctx, ann, password); err != nil {
		t.Fatal(err)
	}
	m.fail = "KnownNetwork"
	if _, err := a.LogIn(ctx, ann, password); !errors.Is(err, errStore) {
		t.Errorf("LogIn: got error %v, want %v", err, errStore)
	}
	m.fail = "RememberNetwork"
	if _, err := a.LogIn(auth.WithNetworks(t.Context(), []string{"elsewhere"}), ann, password); !errors.Is(err, errStore) {
		t.Errorf("LogIn from another network: got error %v, want %v", err, errStore)
	}
	if _, err := a.LogIn(ctx, ann, password); err != nil {
		t.Errorf("LogIn that has nothing to remember: %v", err)
	}
}
