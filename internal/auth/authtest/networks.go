package authtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// Networks is the part of an auth.Credentials in memory that remembers networks.
// The zero value is empty. It does not know who has a credential.
type Networks struct {
	mu     sync.Mutex
	byUser map[domain.UserID][]known
}

type known struct {
	network string
	at      time.Time
}

// KnownNetwork implements auth.Credentials.
func (n *Networks) KnownNetwork(_ context.Context, user domain.UserID, network string) (time.Time, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range n.byUser[user] {
		if k.network == network {
			return k.at, nil
		}
	}
	return time.Time{}, nil
}

// RememberNetwork implements auth.Credentials.
func (n *Networks) RememberNetwork(_ context.Context, user domain.UserID, network string, at time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byUser == nil {
		n.byUser = map[domain.UserID][]known{}
	}
	others := slices.DeleteFunc(n.byUser[user], func(k known) bool { return k.network == network })
	all := append(others, known{network, at})
	n.byUser[user] = all[max(0, len(all)-auth.MaxNetworks):]
	return nil
}

// Forget forgets the networks of a user, or of all users if it is empty.
func (n *Networks) Forget(user domain.UserID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if user == "" {
		clear(n.byUser)
	}
	delete(n.byUser, user)
}

func remember(t testing.TB, c auth.Credentials, user domain.UserID, network string, at time.Time) {
	t.Helper()
	if err := c.RememberNetwork(t.Context(), user, network, at); err != nil {
		t.Fatalf("RememberNetwork: %v", err)
	}
}

// wantNetwork checks when a network was remembered; the zero time stands for never.
func wantNetwork(t testing.TB, c auth.Credentials, user domain.UserID, network string, want time.Time) {
	t.Helper()
	if got, err := c.KnownNetwork(t.Context(), user, network); err != nil || !got.Equal(want) {
		t.Errorf("KnownNetwork of %s from %q: got %v, error %v; want %v", user, network, got, err, want)
	}
}

func remembersNetworks(t testing.TB, open Open) {
	c := open(t)
	wantNetwork(t, c, user(1), "home", time.Time{})
	save(t, c, user(1), "hash", savedAt())
	save(t, c, user(2), "hash", savedAt())
	remember(t, c, user(1), "home", savedAt())
	remember(t, c, user(1), "office", savedAt().Add(time.Minute))
	remember(t, c, user(1), "home", savedAt().Add(time.Hour))
	save(t, c, user(1), "another hash", savedAt()) // changes nothing about it
	wantNetwork(t, c, user(1), "home", savedAt().Add(time.Hour))
	wantNetwork(t, c, user(1), "office", savedAt().Add(time.Minute))
	wantNetwork(t, c, user(1), "hom", time.Time{})
	wantNetwork(t, c, user(2), "home", time.Time{})
	wantHash(t, c, user(1), "another hash")
}

func forgetsOldNetworks(t testing.TB, open Open) {
	c := open(t)
	save(t, c, user(1), "hash", savedAt())
	for i := range auth.MaxNetworks + 1 {
		remember(t, c, user(1), fmt.Sprint("network ", i), savedAt().Add(time.Duration(i)*time.Minute))
		remember(t, c, user(1), "home", savedAt().Add(time.Duration(i)*time.Minute+time.Second))
	}
	wantNetwork(t, c, user(1), "network 0", time.Time{})
	wantNetwork(t, c, user(1), "network 1", time.Time{})
	wantNetwork(t, c, user(1), "network 2", savedAt().Add(2*time.Minute))
	wantNetwork(t, c, user(1), "home", savedAt().Add(auth.MaxNetworks*time.Minute+time.Second))
}

func forgetsNetworksOfTheDeleted(t testing.TB, open Open) {
	c := open(t)
	for n := 1; n <= 2; n++ {
		save(t, c, user(n), "hash", savedAt())
		remember(t, c, user(n), "home", savedAt())
	}
	if err := c.DeleteCredential(t.Context(), user(1)); err != nil {
		t.Fatalf("DeleteCredential: %v", err)
	}
	save(t, c, user(1), "again", savedAt())
	wantNetwork(t, c, user(1), "home", time.Time{})
	wantNetwork(t, c, user(2), "home", savedAt())
	if err := c.Discard(t.Context()); err != nil {
		t.Fatalf("Discard: %v", err)
	}
	save(t, c, user(2), "again", savedAt())
	wantNetwork(t, c, user(2), "home", time.Time{})
}
