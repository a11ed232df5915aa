package auth_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
)

// memory stores credentials in memory. fail, if set, is the method that fails, and
// meanwhile is called once, when a hash has just been read.
type memory struct {
	authtest.Memory

	mu        sync.Mutex
	rows      map[domain.UserID]row
	secret    []byte
	fail      string
	meanwhile func()
	authtest.Networks

	lookUps int
}

type row struct {
	hash      string
	at        time.Time
	confirmed bool
}

func newMemory() *memory {
	m := &memory{}
	m.Rehash = m.rehash
	return m
}

var errStore = errors.New("the store is away")

// enter locks the memory for a method, or returns the method's error.
func (m *memory) enter(method string) (leave func(), err error) {
	m.mu.Lock()
	if m.rows == nil {
		m.rows = make(map[domain.UserID]row)
	}
	if m.fail == method {
		err = errStore
	}
	return m.mu.Unlock, err
}

func (m *memory) SaveCredential(_ context.Context, user domain.UserID, hash string, at time.Time) error {
	leave, err := m.enter("SaveCredential")
	defer leave()
	if err == nil {
		m.rows[user] = row{hash: hash, at: at}
	}
	return err
}

func (m *memory) Credential(_ context.Context, user domain.UserID) (string, error) {
	defer m.afterRead()
	leave, err := m.enter("Credential")
	m.lookUps++
	defer leave()
	if _, ok := m.rows[user]; err == nil && !ok {
		err = auth.ErrNoCredential
	}
	return m.rows[user].hash, err
}

func (m *memory) afterRead() {
	m.mu.Lock()
	meanwhile := m.meanwhile
	m.meanwhile = nil
	m.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
}

func (m *memory) KnownNetwork(ctx context.Context, user domain.UserID, network string) (time.Time, error) {
	leave, err := m.enter("KnownNetwork")
	m.lookUps++
	leave()
	if err != nil {
		return time.Time{}, err
	}
	return m.Networks.KnownNetwork(ctx, user, network)
}

func (m *memory) RememberNetwork(ctx context.Context, user domain.UserID, network string, at time.Time) error {
	leave, err := m.enter("RememberNetwork")
	leave()
	if err != nil {
		return err
	}
	return m.Networks.RememberNetwork(ctx, user, network, at)
}

func (m *memory) Unconfirmed(_ context.Context, before time.Time, limit int) (users []domain.UserID, err error) {
	leave, err := m.enter("Unconfirmed")
	defer leave()
	for user, r := range m.rows {
		if !r.confirmed && r.at.Before(before) && len(users) < limit {
			users = append(users, user)
		}
	}
	return users, err
}

func (m *memory) ConfirmCredential(_ context.Context, user domain.UserID) error {
	leave, err := m.enter("ConfirmCredential")
	defer leave()
	if r, ok := m.rows[user]; ok && err == nil {
		r.confirmed = true
		m.rows[user] = r
	}
	return err
}

func (m *memory) DeleteCredential(_ context.Context, user domain.UserID) error {
	leave, err := m.enter("DeleteCredential")
	defer leave()
	if err == nil {
		delete(m.rows, user)
		m.Forget(user)
		m.Put(user, auth.Access{})
	}
	return err
}

func (m *memory) ReplaceCredential(ctx context.Context, was auth.Credential, hash string) error {
	leave, err := m.enter("ReplaceCredential")
	leave()
	if err != nil {
		return err
	}
	return m.Memory.ReplaceCredential(ctx, was, hash)
}

// rehash is the Rehash of a memory.
func (m *memory) rehash(user domain.UserID, next func(hash string) string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rows[user]
	if r.hash = next(r.hash); ok {
		m.rows[user] = r
	}
}

func (m *memory) All(ctx context.Context) iter.Seq2[auth.Credential, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	users := slices.Compact(slices.Sorted(slices.Values(slices.AppendSeq(m.Users(), maps.Keys(m.rows)))))
	rows := maps.Clone(m.rows)
	return func(yield func(auth.Credential, error) bool) {
		for _, user := range users {
			access, _ := m.Access(ctx, user)
			if !yield(auth.Credential{User: user, Hash: rows[user].hash, Access: access}, nil) {
				return
			}
		}
	}
}

func (m *memory) Restore(_ context.Context, secret []byte, credentials []auth.Credential, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil {
		m.rows = make(map[domain.UserID]row)
	}
	for _, c := range credentials {
		if c.Hash != "" {
			m.rows[c.User] = row{hash: c.Hash, at: at}
		}
		m.Put(c.User, c.Access)
	}
	if len(secret) > 0 {
		m.secret = secret
	}
	return nil
}

func (m *memory) Discard(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.rows)
	m.Forget("")
	m.Clear()
	return nil
}

func (m *memory) Secret(_ context.Context, proposed []byte) ([]byte, error) {
	leave, err := m.enter("Secret")
	defer leave()
	if m.secret == nil && len(proposed) > 0 {
		m.secret = slices.Clone(proposed)
	}
	return slices.Clone(m.secret), err
}

func TestMemoryPassesTheSuite(t *testing.T) {
	authtest.Run(t, func(testing.TB) auth.Credentials { return newMemory() })
}

func newAuthenticator(t *testing.T) (auth.Authenticator, *memory) {
	t.Helper()
	m := newMemory()
	tokens := tokensAt(t, secret, noon)
	return auth.Authenticator{Credentials: m, Passwords: auth.NewPasswords(2), Tokens: tokens, Sessions: auth.NewSessions(m, tokens, nil)}, m
}

func TestAuthenticatorChecksWhatItSaved(t *testing.T) {
	a, m := newAuthenticator(t)
	ctx := t.Context()
	if err := a.Save(ctx, ann, password); err != nil {
		t.Fatal(err)
	}
	if r := m.rows[ann]; !strings.HasPrefix(r.hash, "$argon2id$") || !r.at.Equal(noon) || r.confirmed {
		t.Errorf("saved: got %+v, want a hash, at noon", r)
	}
	for _, c := range []struct {
		name, password string
		user           domain.UserID
		want           bool
	}{
		{"the user's password", password, ann, true},
		{"another password", password + "!", ann, false},
		{"no password", "", ann, false},
		{"a user without a credential", password, bob, false},
		{"unknown", password, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := a.CheckPassword(ctx, c.user, c.password); err != nil || got != c.want {
				t.Errorf("CheckPassword: got %t, error %v; want %t", got, err, c.want)
			}
			token, err := a.LogIn(ctx, c.user, c.password)
			if c.want {
				if user, err := a.Tokens.Verify(token); err != nil || user != c.user {
					t.Errorf("LogIn: got a token of %q, error %v; want one of %q", user, err, c.user)
				}
				return
			}
			wantKind(t, "LogIn", err, domain.Unauthenticated)
			if err != nil && err.Error() != "the username or the password is wrong" {
				t.Errorf("LogIn: got message %q, which reveals why it was refused", err)
			}
		})
	}
	if err := a.Save(ctx, ann, "a new password"); err != nil {
		t.Fatal(err)
	}
	if ok, err := a.CheckPassword(ctx, ann, password); err != nil || ok {
		t.Errorf("CheckPassword of the former password: got %t, error %v; want false", ok, err)
	}
}

func TestAuthenticatorReportsTheStore(t *testing.T) {
	a, m := newAuthenticator(t)
	ctx := t.Context()
	wantKind(t, "Save of a short password", a.Save(ctx, ann, "1234567"), domain.Invalid)
	if len(m.rows) != 0 {
		t.Errorf("got %d credentials, want none", len(m.rows))
	}
	m.fail = "SaveCredential"
	if err := a.Save(ctx, ann, password); !errors.Is(err, errStore) {
		t.Errorf("Save: got error %v, want %v", err, errStore)
	}
	m.fail = "Credential"
	if ok, err := a.CheckPassword(ctx, ann, password); ok || !errors.Is(err, errStore) {
		t.Errorf("CheckPassword: got %t, error %v; want %v", ok, err, errStore)
	}
	if token, err := a.LogIn(ctx, ann, password); token != "" || !errors.Is(err, errStore) {
		t.Errorf("LogIn: got %q, error %v; want %v", token, err, errStore)
	}
	m.fail = ""
	m.rows[ann] = row{hash: "damaged"}
	if ok, err := a.CheckPassword(ctx, ann, password); ok || domain.KindOf(err) != domain.Internal || err == nil {
		t.Errorf("CheckPassword against a damaged hash: got %t, error %v; want a fault of ours", ok, err)
	}
}

// crowd saves the credentials of n users at noon and returns the users.
func crowd(t *testing.T, m *memory, n int) (users []domain.UserID) {
	t.Helper()
	for i := range n {
		user := domain.UserIDFrom([16]byte{14: byte(i >> 8), 15: byte(i)})
		if err := m.SaveCredential(t.Context(), user, fmt.Sprint(i), noon); err != nil {
			t.Fatal(err)
		}
		users = append(users, user)
	}
	return users
}

func TestSweepDeletesCredentialsWithoutAnEvent(t *testing.T) {
	m := &memory{}
	users := crowd(t, m, 350) // several batches
	young := ann
	if err := m.SaveCredential(t.Context(), young, "x", noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	asked := make(map[domain.UserID]int)
	exists := func(_ context.Context, user domain.UserID) (bool, error) {
		asked[user]++
		return slices.Index(users, user)%3 == 0, nil
	}
	swept, err := auth.Sweep(t.Context(), m, exists, noon.Add(time.Second))
	if err != nil || swept != 233 {
		t.Errorf("Sweep: got %d, error %v; want 233", swept, err)
	}
	for i, user := range users {
		r, kept := m.rows[user]
		if want := i%3 == 0; kept != want || r.confirmed != want || asked[user] != 1 {
			t.Fatalf("user %d: got kept %t, confirmed %t, asked for %d times; want %t, once", i, kept, r.confirmed, asked[user], want)
		}
	}
	if r, kept := m.rows[young]; !kept || r.confirmed || asked[young] != 0 {
		t.Errorf("the young credential: got %+v, kept %t; want it untouched", r, kept)
	}
	if swept, err := auth.Sweep(t.Context(), m, exists, noon.Add(time.Second)); err != nil || swept != 0 || len(asked) != 350 {
		t.Errorf("Sweep again: got %d, error %v; want nothing left to do", swept, err)
	}
}

func TestSweepStopsAtAnError(t *testing.T) {
	for _, fail := range []string{"Unconfirmed", "ConfirmCredential", "DeleteCredential", "exists"} {
		t.Run(fail, func(t *testing.T) {
			m := &memory{}
			users := crowd(t, m, 10)
			m.fail = fail
			swept, err := auth.Sweep(t.Context(), m, func(_ context.Context, user domain.UserID) (bool, error) {
				if fail == "exists" {
					return false, errStore
				}
				return user == users[3], nil
			}, noon.Add(time.Second))
			if !errors.Is(err, errStore) {
				t.Errorf("got error %v, want %v", err, errStore)
			}
			if len(m.rows) != 10-swept {
				t.Errorf("got %d credentials after %d were swept, want %d", len(m.rows), swept, 10-swept)
			}
		})
	}
}

// A hash allocates 19 MiB, which shows whether one was computed.
func TestEveryRefusalCostsALookUpAndAHash(t *testing.T) {
	a, m := newAuthenticator(t)
	if err := a.Save(t.Context(), ann, password); err != nil {
		t.Fatal(err)
	}
	for name, user := range map[string]domain.UserID{"a wrong password": ann, "a user without a credential": bob, "no user": "", "a name without a user": auth.StandIn("nobody")} {
		t.Run(name, func(t *testing.T) {
			looked := m.lookUps
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := a.LogIn(auth.WithNetworks(t.Context(), []string{"home"}), user, password+"!")
			runtime.ReadMemStats(&after)
			wantKind(t, "LogIn", err, domain.Unauthenticated)
			if took := after.TotalAlloc - before.TotalAlloc; took < 19<<20 || m.lookUps != looked+2 {
				t.Errorf("got %d bytes used and %d look-ups, want at least 19 MiB and two", took, m.lookUps-looked)
			}
		})
	}
}
