package authtest_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
)

// memory is a store in memory: the simplest that passes the suite, or one with a
// flaw, which must fail.
type memory struct {
	flaw flaw
	authtest.Networks
	every map[string]time.Time // that remembersEverything remembers

	mu     sync.Mutex
	rows   map[domain.UserID]row
	secret []byte
}

type row struct {
	hash      string
	at        time.Time
	confirmed bool
}

type flaw int

const (
	none flaw = iota
	savesNothing
	givesEmptyHashes
	keepsTheFirst
	keepsTheFirstTime
	deletesNothing
	refusesToDeleteTwice
	findsAll
	findsThoseAtTheTime
	ignoresTheLimit
	confirmsNothing
	confirmsUnknown
	forgetsTheConfirmed
	takesEverySecret
	keepsTheSecretLate
	keepsNoProposal
	givesSome
	givesInSomeOrder
	restoresTheFirst
	restoresNoSecret
	restoresConfirmed
	discardsNoSecret
	discardsNoCredentials
	remembersForAll
	remembersTheFirstTime
	remembersEverything
	remembersTheDeleted
)

func newMemory(f flaw) *memory {
	return &memory{flaw: f, rows: map[domain.UserID]row{}, every: map[string]time.Time{}}
}

func (m *memory) SaveCredential(_ context.Context, user domain.UserID, hash string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, there := m.rows[user]
	if m.flaw == savesNothing || m.flaw == keepsTheFirst && there {
		return nil
	}
	if m.flaw == keepsTheFirstTime && there {
		at = old.at
	}
	m.rows[user] = row{hash: hash, at: at}
	return nil
}

func (m *memory) Credential(_ context.Context, user domain.UserID) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rows[user]
	if !ok && m.flaw != givesEmptyHashes {
		return "", auth.ErrNoCredential
	}
	return r.hash, nil
}

func (m *memory) Unconfirmed(_ context.Context, before time.Time, limit int) ([]domain.UserID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var users []domain.UserID
	for user, r := range m.rows {
		if len(users) == limit && m.flaw != ignoresTheLimit {
			break
		}
		early := r.at.Before(before) || m.flaw == findsAll || m.flaw == findsThoseAtTheTime && r.at.Equal(before)
		if early && !r.confirmed {
			users = append(users, user)
		}
	}
	return users, nil
}

func (m *memory) ConfirmCredential(_ context.Context, user domain.UserID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rows[user]
	switch {
	case m.flaw == forgetsTheConfirmed:
		delete(m.rows, user)
	case (ok || m.flaw == confirmsUnknown) && m.flaw != confirmsNothing:
		r.confirmed = true
		m.rows[user] = r
	}
	return nil
}

func (m *memory) DeleteCredential(_ context.Context, user domain.UserID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.rows[user]; !ok && m.flaw == refusesToDeleteTwice {
		return auth.ErrNoCredential
	}
	if m.flaw != deletesNothing {
		delete(m.rows, user)
	}
	if m.flaw != remembersTheDeleted {
		m.Forget(user)
	}
	return nil
}

func (m *memory) KnownNetwork(ctx context.Context, user domain.UserID, network string) (time.Time, error) {
	switch m.flaw {
	case remembersForAll:
		user = ""
	case remembersEverything:
		return m.every[string(user)+network], nil
	}
	return m.Networks.KnownNetwork(ctx, user, network)
}

func (m *memory) RememberNetwork(ctx context.Context, user domain.UserID, network string, at time.Time) error {
	switch m.flaw {
	case remembersForAll:
		user = ""
	case remembersTheFirstTime:
		if was, _ := m.Networks.KnownNetwork(ctx, user, network); !was.IsZero() {
			return nil
		}
	case remembersEverything:
		m.every[string(user)+network] = at
	}
	return m.Networks.RememberNetwork(ctx, user, network, at)
}

func (m *memory) Secret(_ context.Context, proposed []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.secret == nil && (len(proposed) > 0 || m.flaw == keepsNoProposal) || m.flaw == takesEverySecret {
		if m.flaw == keepsTheSecretLate {
			m.mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			m.mu.Lock()
			m.secret = proposed
			return proposed, nil
		}
		m.secret = proposed
	}
	return m.secret, nil
}

func (m *memory) All(context.Context) iter.Seq2[auth.Credential, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []auth.Credential
	for user, r := range m.rows {
		if r.confirmed && m.flaw == givesSome {
			continue
		}
		all = append(all, auth.Credential{User: user, Hash: r.hash})
	}
	slices.SortFunc(all, func(a, b auth.Credential) int { return cmp.Compare(a.User, b.User) })
	if m.flaw == givesInSomeOrder {
		slices.Reverse(all)
	}
	return func(yield func(auth.Credential, error) bool) {
		for _, c := range all {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (m *memory) Restore(_ context.Context, secret []byte, credentials []auth.Credential, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range credentials {
		if _, there := m.rows[c.User]; !there || m.flaw != restoresTheFirst {
			m.rows[c.User] = row{hash: c.Hash, at: at, confirmed: m.flaw == restoresConfirmed}
		}
	}
	if len(secret) > 0 && m.flaw != restoresNoSecret {
		m.secret = secret
	}
	return nil
}

func (m *memory) Discard(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flaw != discardsNoCredentials {
		clear(m.rows)
		m.Forget("")
	}
	if m.flaw != discardsNoSecret {
		m.secret = nil
	}
	return nil
}

func TestStoreThatWorksPasses(t *testing.T) {
	authtest.Run(t, func(testing.TB) auth.Credentials { return newMemory(none) })
}

// TestBrokenStoreFails runs each case against stores with a flaw that it must
// detect.
func TestBrokenStoreFails(t *testing.T) {
	each := func(f flaw) authtest.Open {
		return func(testing.TB) auth.Credentials { return newMemory(f) }
	}
	one := newMemory(none)
	tried := map[string]bool{}
	for _, b := range []struct {
		flaw string
		open authtest.Open
		part string // the case that must fail
	}{
		{"saves nothing", each(savesNothing), "a saved credential is returned"},
		{"returns empty hashes", each(givesEmptyHashes), "a saved credential is returned"},
		{"keeps the first", each(keepsTheFirst), "a second credential replaces the first"},
		{"keeps the first time", each(keepsTheFirstTime), "a second credential replaces the first"},
		{"deletes nothing", each(deletesNothing), "a deleted credential is gone"},
		{"refuses to delete twice", each(refusesToDeleteTwice), "a deleted credential is gone"},
		{"finds all", each(findsAll), "unconfirmed finds those saved before a time"},
		{"finds those at the time", each(findsThoseAtTheTime), "unconfirmed finds those saved before a time"},
		{"ignores the limit", each(ignoresTheLimit), "unconfirmed returns at most limit users"},
		{"confirms nothing", each(confirmsNothing), "confirmed and deleted credentials are not unconfirmed"},
		{"confirms unknown users", each(confirmsUnknown), "confirmed and deleted credentials are not unconfirmed"},
		{"forgets the confirmed", each(forgetsTheConfirmed), "confirmed and deleted credentials are not unconfirmed"},
		{"takes every secret", each(takesEverySecret), "the secret is the one that was proposed first"},
		{"keeps the secret late", each(keepsTheSecretLate), "of secrets proposed at once one is kept"},
		{"keeps an empty proposal", each(keepsNoProposal), "without a proposal no secret is stored"},
		{"yields the unconfirmed alone", each(givesSome), "all yields every credential once"},
		{"yields all in another order", each(givesInSomeOrder), "all yields every credential once"},
		{"restores only what is missing", each(restoresTheFirst), "restored credentials are those of the other store"},
		{"restores no secret", each(restoresNoSecret), "restored credentials are those of the other store"},
		{"restores as confirmed", each(restoresConfirmed), "restored credentials are those of the other store"},
		{"discards all but the secret", each(discardsNoSecret), "a discarded store is empty"},
		{"discards the secret alone", each(discardsNoCredentials), "a discarded store is empty"},
		{"remembers networks for all users", each(remembersForAll), "networks are remembered by user"},
		{"remembers the first time alone", each(remembersTheFirstTime), "networks are remembered by user"},
		{"remembers every network", each(remembersEverything), "of many networks the last are remembered"},
		{"remembers the deleted", each(remembersTheDeleted), "networks are forgotten with the credential"},
		{"is one for all", func(testing.TB) auth.Credentials { return one }, "stores are independent"},
	} {
		tried[b.part] = true
		t.Run(b.flaw, func(t *testing.T) {
			got := failure(t, b.part, b.open)
			if got == "" {
				t.Fatalf("a store that %s passed %q", b.flaw, b.part)
			}
			t.Log(got)
		})
	}
	for _, c := range authtest.Cases() {
		if !tried[c.Name] {
			t.Errorf("no broken store was tried on %q", c.Name)
		}
	}
}

// failure runs a case with a recorder and returns the first failure, or "" if it
// passed.
func failure(t *testing.T, part string, open authtest.Open) string {
	t.Helper()
	for _, c := range authtest.Cases() {
		if c.Name != part {
			continue
		}
		r, ended := &recorder{TB: t}, make(chan struct{})
		go func() { // so that Fatalf can end it
			defer close(ended)
			c.Run(r, open)
		}()
		<-ended
		return r.first
	}
	t.Fatalf("the suite has no case %q", part)
	return ""
}

// recorder replaces a test that should fail: it records the first failure.
type recorder struct {
	testing.TB
	first string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	if r.first == "" {
		r.first = fmt.Sprintf(format, args...)
	}
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
