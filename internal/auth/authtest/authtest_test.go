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
	authtest.Memory

	flaw flaw
	authtest.Networks
	every map[string]time.Time // that remembersEverything remembers

	mu     sync.Mutex
	rows   map[domain.UserID]row
	secret []byte
	free   int // numbers that numbersTwice uses again
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
	discardsTheSecret
	discardsNoCredentials
	remembersForAll
	remembersTheFirstTime
	remembersEverything
	remembersTheDeleted
	knowsNoUsers
	keepsSessionsOfOthers
	addsAtAnyEpoch
	keepsAllSessions
	seesOthers
	endsOthers
	keepsTheEpoch
	endsTheKept
	replacesOnly
	replacesNone
	replacesAnyHash
	replacesAtAnyEpoch
	replacesTheDisabled
	replacesTwice
	disablesOnly
	removesAll
	numbersNothing
	losesNumbers
	numbersTwice
	restoresNoAccess
	restoresOnTop
)

func newMemory(f flaw) *memory {
	m := &memory{flaw: f, rows: map[domain.UserID]row{}, every: map[string]time.Time{}}
	m.Rehash = func(user domain.UserID, next func(hash string) string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		r, ok := m.rows[user]
		if !ok && m.flaw == replacesNone {
			r.hash = "hash"
		}
		if r.hash = next(r.hash); ok {
			m.rows[user] = r
		}
	}
	return m
}

// The flaws of an access.

func (m *memory) Access(ctx context.Context, user domain.UserID) (auth.Access, error) {
	a, err := m.Memory.Access(ctx, user)
	if m.flaw == knowsNoUsers {
		a.Epoch++
	}
	return a, err
}

func (m *memory) AddSession(ctx context.Context, user domain.UserID, s auth.Session) error {
	a, err := m.Memory.Access(ctx, user)
	switch {
	case m.flaw == keepsSessionsOfOthers && len(a.Sessions) > 0:
		return nil
	case m.flaw == addsAtAnyEpoch, m.flaw == keepsAllSessions && a.Epoch == s.Epoch && !a.Disabled:
		a.Sessions = append(a.Sessions, s)
		m.Put(user, a)
		return err
	}
	return m.Memory.AddSession(ctx, user, s)
}

func (m *memory) SeeSession(ctx context.Context, user domain.UserID, id auth.SessionID, at time.Time, by auth.Client) error {
	if a, _ := m.Memory.Access(ctx, user); m.flaw == seesOthers && len(a.Sessions) > 0 {
		id = a.Sessions[0].ID
	}
	return m.Memory.SeeSession(ctx, user, id, at, by)
}

func (m *memory) EndSession(ctx context.Context, user domain.UserID, id auth.SessionID) error {
	if m.flaw == endsOthers {
		return m.EndSessions(ctx, user, id)
	}
	return m.Memory.EndSession(ctx, user, id)
}

func (m *memory) EndSessions(ctx context.Context, user domain.UserID, keep auth.SessionID) error {
	switch m.flaw {
	case keepsTheEpoch:
		return m.Memory.EndSession(ctx, user, keep)
	case endsTheKept:
		keep = auth.SessionID{}
	case losesNumbers:
		time.Sleep(time.Millisecond)
		return m.endUnnumbered(ctx, user)
	case numbersTwice: // readers have seen the number
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.free > 0 {
			m.free--
			return m.endUnnumbered(ctx, user)
		}
	}
	return m.Memory.EndSessions(ctx, user, keep)
}

func (m *memory) endUnnumbered(ctx context.Context, user domain.UserID) error {
	a, _ := m.Memory.Access(ctx, user)
	a.Epoch++
	m.Put(user, a)
	return nil
}

func (m *memory) ReplaceCredential(ctx context.Context, was auth.Credential, hash string) error {
	switch m.flaw {
	case replacesOnly:
		m.Rehash(was.User, func(string) string { return hash })
		return nil
	case replacesAnyHash:
		was.Hash, _ = m.Credential(ctx, was.User)
	case replacesTwice: // both look before either replaces
		current, _ := m.Credential(ctx, was.User)
		if current == was.Hash {
			time.Sleep(10 * time.Millisecond)
			m.Rehash(was.User, func(string) string { return hash })
			return m.EndSessions(ctx, was.User, auth.SessionID{})
		}
	case replacesAtAnyEpoch:
		a, _ := m.Memory.Access(ctx, was.User)
		was.Access.Epoch = a.Epoch
	case replacesTheDisabled:
		a, _ := m.Memory.Access(ctx, was.User)
		if enabled := a; a.Disabled {
			enabled.Disabled = false
			m.Put(was.User, enabled)
		}
	}
	return m.Memory.ReplaceCredential(ctx, was, hash)
}

func (m *memory) SetDisabled(ctx context.Context, user domain.UserID, disabled bool) error {
	if m.flaw == disablesOnly {
		a, _ := m.Memory.Access(ctx, user)
		a.Disabled = disabled
		m.Put(user, a)
		return m.Memory.EndSession(ctx, user, auth.SessionID{})
	}
	return m.Memory.SetDisabled(ctx, user, disabled)
}

func (m *memory) RemoveExpired(ctx context.Context, before time.Time) error {
	if m.flaw == removesAll {
		before = before.Add(time.Hour)
	}
	return m.Memory.RemoveExpired(ctx, before)
}

func (m *memory) AccessChanges(ctx context.Context, since int64) ([]domain.UserID, int64, error) {
	users, last, err := m.Memory.AccessChanges(ctx, since)
	if m.flaw == numbersNothing {
		return users, 1, err
	}
	return users, last, err
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
		m.Put(user, auth.Access{})
		m.free++
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

func (m *memory) All(ctx context.Context) iter.Seq2[auth.Credential, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []auth.Credential
	for user, r := range m.rows {
		if r.confirmed && m.flaw == givesSome {
			continue
		}
		a, _ := m.Memory.Access(ctx, user)
		all = append(all, auth.Credential{User: user, Hash: r.hash, Access: a})
	}
	for _, user := range m.Users() {
		if _, there := m.rows[user]; !there {
			a, _ := m.Memory.Access(ctx, user)
			all = append(all, auth.Credential{User: user, Access: a})
		}
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

func (m *memory) Restore(ctx context.Context, secret []byte, credentials []auth.Credential, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range credentials {
		if _, there := m.rows[c.User]; !there || m.flaw != restoresTheFirst {
			if c.Hash != "" {
				m.rows[c.User] = row{hash: c.Hash, at: at, confirmed: m.flaw == restoresConfirmed}
			}
			if m.flaw == restoresOnTop {
				was, _ := m.Memory.Access(ctx, c.User)
				c.Access.Epoch += was.Epoch
			}
			if m.flaw != restoresNoAccess {
				m.Put(c.User, c.Access)
			}
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
		m.Clear()
	}
	if m.flaw == discardsTheSecret {
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
		{"discards the secret too", each(discardsTheSecret), "a discarded store has only its secret"},
		{"discards nothing", each(discardsNoCredentials), "a discarded store has only its secret"},
		{"remembers networks for all users", each(remembersForAll), "networks are remembered by user"},
		{"remembers the first time alone", each(remembersTheFirstTime), "networks are remembered by user"},
		{"remembers every network", each(remembersEverything), "of many networks the last are remembered"},
		{"remembers the deleted", each(remembersTheDeleted), "networks are forgotten with the credential"},
		{"has an access of its own", each(knowsNoUsers), "an access that was never changed is zero"},
		{"keeps the first session alone", each(keepsSessionsOfOthers), "a session that was added is returned"},
		{"adds sessions at any epoch", each(addsAtAnyEpoch), "a session is not added after the epoch has moved"},
		{"keeps all sessions", each(keepsAllSessions), "the oldest of too many sessions ends"},
		{"sees other sessions", each(seesOthers), "a session is seen again"},
		{"ends the other sessions", each(endsOthers), "one session ends"},
		{"keeps the epoch", each(keepsTheEpoch), "all sessions end, or all but one"},
		{"ends the session to keep", each(endsTheKept), "all sessions end, or all but one"},
		{"replaces a credential alone", each(replacesOnly), "a credential that is replaced ends all sessions"},
		{"replaces what is not there", each(replacesNone), "a credential that is replaced ends all sessions"},
		{"replaces any hash", each(replacesAnyHash), "a credential is replaced only if it is as it was"},
		{"replaces at any epoch", each(replacesAtAnyEpoch), "a credential is replaced only if it is as it was"},
		{"replaces the hash of the disabled", each(replacesTheDisabled), "a credential is replaced only if it is as it was"},
		{"replaces for everyone at once", each(replacesTwice), "of credentials that are replaced at once one is kept"},
		{"disables and keeps the sessions", each(disablesOnly), "a disabled user has no sessions until enabled"},
		{"removes all sessions", each(removesAll), "expired sessions are removed"},
		{"numbers nothing", each(numbersNothing), "changes are numbered in their order"},
		{"loses numbers", each(losesNumbers), "changes at once have numbers of their own"},
		{"gives every change one number", each(numbersNothing), "changes of one user at once have numbers of their own"},
		{"uses numbers again", each(numbersTwice), "the number of a change is never used again"},
		{"uses numbers again", each(numbersTwice), "numbers are not used again while others delete"},
		{"adds to the epoch", each(restoresOnTop), "restored access is that of the other store"},
		{"restores no access", each(restoresNoAccess), "restored access is that of the other store"},
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
