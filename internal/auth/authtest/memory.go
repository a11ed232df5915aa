package authtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// Memory is an auth.AccessStore in memory, for stores of tests to embed. The zero
// value is empty.
type Memory struct {
	// Rehash replaces a user's hash, empty for none, by what next returns for it. A
	// nil Rehash has every hash that is to be replaced.
	Rehash func(user domain.UserID, next func(hash string) string)

	mu      sync.Mutex
	access  map[domain.UserID]auth.Access
	changes []domain.UserID // by number, from 1 on; empty for a deleted user
}

// Access implements auth.AccessStore.
func (m *Memory) Access(_ context.Context, user domain.UserID) (auth.Access, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.access[user]
	a.Sessions = slices.Clone(a.Sessions)
	return a, nil
}

// Put sets a user's access.
func (m *Memory) Put(user domain.UserID, a auth.Access) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(user, a)
}

// Users returns the users whose access is not zero.
func (m *Memory) Users() (users []domain.UserID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for user := range m.access {
		users = append(users, user)
	}
	return users
}

// Replace makes it another store, which is empty.
func (m *Memory) Replace() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.access, m.changes = nil, nil
}

// Clear removes every access.
func (m *Memory) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.access = nil
	clear(m.changes)
}

func (m *Memory) put(user domain.UserID, a auth.Access) {
	if m.access == nil {
		m.access = map[domain.UserID]auth.Access{}
	}
	if m.access[user] = a; a.Epoch == 0 && !a.Disabled && len(a.Sessions) == 0 {
		delete(m.access, user)
	}
}

// change changes a user's access as a numbered change.
func (m *Memory) change(user domain.UserID, change func(a *auth.Access)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changeLocked(user, change)
}

func (m *Memory) changeLocked(user domain.UserID, change func(a *auth.Access)) {
	a := m.access[user]
	a.Sessions = slices.Clone(a.Sessions)
	change(&a)
	m.put(user, a)
	m.changes = append(m.changes, user)
}

// AddSession implements auth.AccessStore.
func (m *Memory) AddSession(_ context.Context, user domain.UserID, s auth.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.access[user]
	if a.Disabled || a.Epoch != s.Epoch {
		return auth.ErrEpochMoved
	}
	a.Sessions = append(slices.Clone(a.Sessions), s)
	slices.SortStableFunc(a.Sessions, func(a, b auth.Session) int { return a.Started.Compare(b.Started) })
	if beyond := len(a.Sessions) - auth.MaxSessions; beyond > 0 {
		a.Sessions = a.Sessions[beyond:]
		m.changes = append(m.changes, user)
	}
	m.put(user, a)
	return nil
}

// SeeSession implements auth.AccessStore.
func (m *Memory) SeeSession(_ context.Context, user domain.UserID, id auth.SessionID, at time.Time, by auth.Client) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.access[user]
	a.Sessions = slices.Clone(a.Sessions)
	for i, s := range a.Sessions {
		if s.ID == id {
			a.Sessions[i].Seen, a.Sessions[i].Client = at, by
			m.put(user, a)
		}
	}
	return nil
}

// EndSession implements auth.AccessStore.
func (m *Memory) EndSession(_ context.Context, user domain.UserID, id auth.SessionID) error {
	m.change(user, func(a *auth.Access) {
		a.Sessions = slices.DeleteFunc(a.Sessions, func(s auth.Session) bool { return s.ID == id })
	})
	return nil
}

func endSessions(a *auth.Access, keep auth.SessionID) {
	a.Epoch++
	a.Sessions = slices.DeleteFunc(a.Sessions, func(s auth.Session) bool { return s.ID != keep })
}

// EndSessions implements auth.AccessStore.
func (m *Memory) EndSessions(_ context.Context, user domain.UserID, keep auth.SessionID) error {
	m.change(user, func(a *auth.Access) { endSessions(a, keep) })
	return nil
}

// ReplaceCredential implements auth.AccessStore.
func (m *Memory) ReplaceCredential(_ context.Context, was auth.Credential, hash string) (err error) {
	next := func(current string) string {
		m.mu.Lock() // after the lock that Rehash may hold, as in every other call
		defer m.mu.Unlock()
		a := m.access[was.User]
		switch {
		case current == "":
			err = auth.ErrNoCredential
		case current != was.Hash || a.Disabled || a.Epoch != was.Access.Epoch:
			err = auth.ErrEpochMoved
		default:
			m.changeLocked(was.User, func(a *auth.Access) { endSessions(a, auth.SessionID{}) })
			return hash
		}
		return current
	}
	if m.Rehash == nil {
		next(was.Hash)
	} else {
		m.Rehash(was.User, next)
	}
	return err
}

// SetDisabled implements auth.AccessStore.
func (m *Memory) SetDisabled(_ context.Context, user domain.UserID, disabled bool) error {
	m.change(user, func(a *auth.Access) {
		if a.Disabled = disabled; disabled {
			endSessions(a, auth.SessionID{})
		}
	})
	return nil
}

// RemoveExpired implements auth.AccessStore.
func (m *Memory) RemoveExpired(_ context.Context, before time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for user, a := range m.access {
		a.Sessions = slices.DeleteFunc(slices.Clone(a.Sessions), func(s auth.Session) bool { return s.Expires.Before(before) })
		m.put(user, a)
	}
	return nil
}

// AccessChanges implements auth.AccessStore.
func (m *Memory) AccessChanges(_ context.Context, since int64) (users []domain.UserID, last int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, user := range m.changes {
		n := int64(i + 1)
		if n < since || user == "" || slices.Contains(m.changes[i+1:], user) {
			continue
		}
		if len(users) == maxChanges {
			return users, last, nil
		}
		users, last = append(users, user), n
	}
	if len(users) == 0 {
		last = int64(len(m.changes))
	}
	return users, last, nil
}

// maxChanges is the most changes that are returned at a time.
const maxChanges = 1000
