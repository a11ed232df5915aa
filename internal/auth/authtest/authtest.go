// Package authtest is the test suite for implementations of auth.Credentials. A
// store's test opens the store and calls Run. The package's own tests run the suite
// against stores that are broken on purpose, and check that it fails.
package authtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// Open opens a new, empty store for a test, and arranges with t.Cleanup that
// it is closed.
type Open func(t testing.TB) auth.Credentials

// Case is one test of the suite.
type Case struct {
	// Name says what a store that passes does.
	Name string
	Run  func(t testing.TB, open Open)
}

// Run runs every case against stores that open returns.
func Run(t *testing.T, open func(t testing.TB) auth.Credentials) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, open) })
	}
}

// Cases returns the cases of Run, so that a test can check that a broken store
// fails the case about its flaw.
func Cases() []Case {
	return []Case{
		{"a saved credential is returned", savesAndReturns},
		{"a second credential replaces the first", replaces},
		{"a deleted credential is gone", deletes},
		{"unconfirmed finds those saved before a time", findsUnconfirmed},
		{"unconfirmed returns at most limit users", limitsUnconfirmed},
		{"confirmed and deleted credentials are not unconfirmed", confirmsOrDeletes},
		{"the secret is the one that was proposed first", keepsSecret},
		{"of secrets proposed at once one is kept", racesForSecret},
		{"without a proposal no secret is stored", asksForSecret},
		{"all yields every credential once", returnsAll},
		{"restored credentials are those of the other store", restores},
		{"a discarded store has only its secret", discards},
		{"networks are remembered by user", remembersNetworks},
		{"of many networks the last are remembered", forgetsOldNetworks},
		{"networks are forgotten with the credential", forgetsNetworksOfTheDeleted},
		{"stores are independent", apart},
		{"an access that was never changed is zero", accessIsZero},
		{"a session that was added is returned", addsSessions},
		{"a session is not added after the epoch has moved", refusesOldEpochs},
		{"the oldest of too many sessions ends", boundsSessions},
		{"a session is seen again", seesSessions},
		{"one session ends", endsSession},
		{"all sessions end, or all but one", endsSessions},
		{"a credential that is replaced ends all sessions", replacesCredential},
		{"a credential is replaced only if it is as it was", replacesOnlyWhatWas},
		{"of credentials that are replaced at once one is kept", racesToReplace},
		{"a disabled user has no sessions until enabled", disables},
		{"expired sessions are removed", removesExpired},
		{"changes are numbered in their order", numbersChanges},
		{"changes at once have numbers of their own", racesForNumbers},
		{"changes of one user at once have numbers of their own", numbersRacingChanges},
		{"the number of a change is never used again", numbersOnlyOnce},
		{"numbers are not used again while others delete", racesToDelete},
		{"restored access is that of the other store", restoresAccess},
	}
}

// savedAt returns a time to count from, in whole seconds.
func savedAt() time.Time { return time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC) }

func user(n int) domain.UserID { return domain.UserIDFrom([16]byte{15: byte(n)}) }

func save(t testing.TB, c auth.Credentials, user domain.UserID, hash string, at time.Time) {
	t.Helper()
	if err := c.SaveCredential(t.Context(), user, hash, at); err != nil {
		t.Fatalf("SaveCredential: %v", err)
	}
}

func wantHash(t testing.TB, c auth.Credentials, user domain.UserID, want string) {
	t.Helper()
	got, err := c.Credential(t.Context(), user)
	if want == "" {
		if got != "" || !errors.Is(err, auth.ErrNoCredential) {
			t.Errorf("Credential: got %q, error %v; want ErrNoCredential", got, err)
		}
		return
	}
	if got != want || err != nil {
		t.Errorf("Credential: got %q, error %v; want %q", got, err, want)
	}
}

func wantUnconfirmed(t testing.TB, c auth.Credentials, before time.Time, want ...domain.UserID) {
	t.Helper()
	got, err := c.Unconfirmed(t.Context(), before, 100)
	if err != nil {
		t.Fatalf("Unconfirmed: %v", err)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Unconfirmed before %v: got %q, want %q", before, got, want)
	}
}

func savesAndReturns(t testing.TB, open Open) {
	c := open(t)
	wantHash(t, c, user(1), "")
	hashes := []string{"$argon2id$v=19$m=65536,t=1,p=2$c2FsdA$aGFzaA", "with ☃ and 'quotes'"}
	for i, hash := range hashes {
		save(t, c, user(i), hash, savedAt())
	}
	for i, hash := range hashes {
		wantHash(t, c, user(i), hash)
	}
	wantHash(t, c, user(2), "")
}

func replaces(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "first", savedAt())
	save(t, c, user(2), "other", savedAt())
	save(t, c, user(1), "second", savedAt().Add(time.Hour))
	wantHash(t, c, user(1), "second")
	wantHash(t, c, user(2), "other")
	wantUnconfirmed(t, c, savedAt().Add(time.Minute), user(2))
	if err := c.ConfirmCredential(t.Context(), user(2)); err != nil {
		t.Fatalf("ConfirmCredential: %v", err)
	}
	save(t, c, user(2), "third", savedAt())
	wantUnconfirmed(t, c, savedAt().Add(time.Minute), user(2))
}

func deletes(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "one", savedAt())
	save(t, c, user(2), "two", savedAt())
	for range 2 { // the second time it no longer exists
		if err := c.DeleteCredential(t.Context(), user(1)); err != nil {
			t.Fatalf("DeleteCredential: %v", err)
		}
	}
	wantHash(t, c, user(1), "")
	wantHash(t, c, user(2), "two")
	save(t, c, user(1), "again", savedAt())
	wantHash(t, c, user(1), "again")
}

func findsUnconfirmed(t testing.TB, open Open) {
	c := open(t)
	wantUnconfirmed(t, c, savedAt().Add(time.Hour))
	for n := 1; n <= 3; n++ {
		at := savedAt().Add(time.Duration(n) * time.Minute).In(time.FixedZone("UTC-7", -7*3600))
		save(t, c, user(n), "hash", at)
	}
	for n, want := range [][]domain.UserID{nil, nil, {user(1)}, {user(1), user(2)}, {user(1), user(2), user(3)}} {
		wantUnconfirmed(t, c, savedAt().Add(time.Duration(n)*time.Minute), want...)
	}
}

func limitsUnconfirmed(t testing.TB, open Open) {
	c := open(t)
	for n := range 5 {
		save(t, c, user(n), "hash", savedAt())
	}
	for limit, want := range map[int]int{1: 1, 4: 4, 5: 5, 6: 5} {
		got, err := c.Unconfirmed(t.Context(), savedAt().Add(time.Hour), limit)
		if err != nil || len(got) != want {
			t.Errorf("Unconfirmed, at most %d: got %d, error %v; want %d", limit, len(got), err, want)
		}
	}
}

func confirmsOrDeletes(t testing.TB, open Open) {
	c := open(t)
	for n := 1; n <= 3; n++ {
		save(t, c, user(n), fmt.Sprint("hash ", n), savedAt())
	}
	for range 2 {
		if err := c.ConfirmCredential(t.Context(), user(1)); err != nil {
			t.Fatalf("ConfirmCredential: %v", err)
		}
	}
	if err := c.DeleteCredential(t.Context(), user(2)); err != nil {
		t.Fatalf("DeleteCredential: %v", err)
	}
	wantUnconfirmed(t, c, savedAt().Add(time.Hour), user(3))
	wantHash(t, c, user(1), "hash 1")
	if err := c.ConfirmCredential(t.Context(), user(9)); err != nil {
		t.Errorf("ConfirmCredential of an unknown user: %v", err)
	}
	wantHash(t, c, user(9), "")
}

func keepsSecret(t testing.TB, open Open) {
	c := open(t)
	first := []byte{0, 1, 254, 255, '\'', 0}
	for _, proposed := range [][]byte{slices.Clone(first), []byte("second"), nil} {
		got, err := c.Secret(t.Context(), proposed)
		if err != nil || !slices.Equal(got, first) {
			t.Fatalf("Secret proposing %q: got %q, error %v; want %q", proposed, got, err, first)
		}
	}
}

func racesForSecret(t testing.TB, open Open) {
	c := open(t)
	got := make([]string, 8)
	g, ctx := errgroup.WithContext(t.Context())
	for i := range got {
		g.Go(func() error {
			secret, err := c.Secret(ctx, fmt.Append(nil, "secret ", i))
			got[i] = string(secret)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("Secret: %v", err)
	}
	if distinct := slices.Compact(slices.Clone(got)); len(distinct) != 1 || distinct[0] == "" {
		t.Errorf("Secret: got %q, want one for all", got)
	}
}

func apart(t testing.TB, open Open) {
	one, two := open(t), open(t)
	save(t, one, user(1), "one", savedAt())
	wantHash(t, two, user(1), "")
	for c, want := range map[auth.Credentials]string{one: "secret one", two: "secret two"} {
		if got, err := c.Secret(t.Context(), []byte(want)); err != nil || string(got) != want {
			t.Errorf("Secret: got %q, error %v; want %q", got, err, want)
		}
	}
}

func asksForSecret(t testing.TB, open Open) {
	c := open(t)
	for _, nothing := range [][]byte{nil, {}} {
		if got, err := c.Secret(t.Context(), nothing); err != nil || len(got) != 0 {
			t.Fatalf("Secret proposing nothing on a new store: got %q, error %v; want nothing", got, err)
		}
	}
	for _, proposed := range []string{"first", "", "second"} {
		if got, err := c.Secret(t.Context(), []byte(proposed)); err != nil || string(got) != "first" {
			t.Fatalf("Secret proposing %q: got %q, error %v; want %q", proposed, got, err, "first")
		}
	}
}

// wantAll checks which credentials exist, by All and one by one.
func wantAll(t testing.TB, c auth.Credentials, want []auth.Credential) {
	t.Helper()
	var got []auth.Credential
	for credential, err := range c.All(t.Context()) {
		if err != nil {
			t.Fatalf("All: %v", err)
		}
		got = append(got, credential)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("All: got %d credentials, want %d; the difference (-want +got): %.1000s", len(got), len(want), diff)
	}
	for _, credential := range want[:min(len(want), 3)] {
		wantHash(t, c, credential.User, credential.Hash)
	}
}

// many returns n credentials, ordered by user.
func many(n int) []auth.Credential {
	credentials := make([]auth.Credential, n)
	for i := range credentials {
		credentials[i] = auth.Credential{User: domain.UserIDFrom([16]byte{14: byte(i >> 8), 15: byte(i)}), Hash: fmt.Sprint("hash ☃ ", i)}
	}
	return credentials
}

func returnsAll(t testing.TB, open Open) {
	c := open(t)
	wantAll(t, c, nil)
	for _, n := range []int{3, 1, 2} { // not in order
		save(t, c, user(n), fmt.Sprint("hash ", n), savedAt())
	}
	if err := c.ConfirmCredential(t.Context(), user(2)); err != nil {
		t.Fatalf("ConfirmCredential: %v", err)
	}
	wantAll(t, c, []auth.Credential{{User: user(1), Hash: "hash 1"}, {User: user(2), Hash: "hash 2"}, {User: user(3), Hash: "hash 3"}})
	for credential, err := range c.All(t.Context()) {
		if err != nil || credential.User == user(2) {
			break // before the end
		}
	}
}

func restores(t testing.TB, open Open) {
	c := open(t)
	if _, err := c.Secret(t.Context(), []byte("of this store")); err != nil {
		t.Fatalf("Secret: %v", err)
	}
	save(t, c, user(1), "of this store", savedAt())
	if err := c.ConfirmCredential(t.Context(), user(1)); err != nil {
		t.Fatalf("ConfirmCredential: %v", err)
	}
	want := many(2500)
	for _, part := range []struct {
		secret      string
		credentials []auth.Credential
	}{{"restored", want[:1500]}, {"", want[1500:]}, {"", nil}} {
		if err := c.Restore(t.Context(), []byte(part.secret), part.credentials, savedAt()); err != nil {
			t.Fatalf("Restore: %v", err)
		}
	}
	wantAll(t, c, want)
	if got, err := c.Secret(t.Context(), []byte("another")); err != nil || string(got) != "restored" {
		t.Errorf("Secret: got %q, error %v; want %q", got, err, "restored")
	}
	wantUnconfirmed(t, c, savedAt())
	got, err := c.Unconfirmed(t.Context(), savedAt().Add(time.Second), 5000)
	if err != nil || len(got) != len(want) {
		t.Errorf("Unconfirmed: got %d, error %v; want all %d that were restored", len(got), err, len(want))
	}
}

func discards(t testing.TB, open Open) {
	c := open(t)
	if _, err := c.Secret(t.Context(), []byte("secret")); err != nil {
		t.Fatalf("Secret: %v", err)
	}
	for range 2 { // the second time only what was restored since exists
		if err := c.Restore(t.Context(), nil, many(3), savedAt()); err != nil {
			t.Fatalf("Restore: %v", err)
		}
		if err := c.Discard(t.Context()); err != nil {
			t.Fatalf("Discard: %v", err)
		}
		wantAll(t, c, nil)
		wantUnconfirmed(t, c, savedAt().Add(time.Hour))
		if got, err := c.Secret(t.Context(), []byte("new")); err != nil || string(got) != "secret" {
			t.Errorf("Secret: got %q, error %v; want %q", got, err, "secret")
		}
	}
}
