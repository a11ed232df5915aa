package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"chirp/internal/domain"
)

type networksKey struct{}

// WithNetworks returns a context with the networks that the caller's address is in,
// the narrowest first.
func WithNetworks(ctx context.Context, networks []string) context.Context {
	return context.WithValue(ctx, networksKey{}, networks)
}

func networksOf(ctx context.Context) []string {
	networks, _ := ctx.Value(networksKey{}).([]string)
	return networks
}

// networkID returns what the store remembers of a network: a hash, so that the store
// does not list where users are.
func networkID(user domain.UserID, network string) string {
	sum := sha256.Sum256([]byte(string(user) + " " + network))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// rememberEvery is how exactly the store knows when a user last logged in from a
// network.
const rememberEvery = 24 * time.Hour

// known returns when it was last remembered that a user logged in from a network, or
// the zero time.
func (a Authenticator) known(ctx context.Context, user domain.UserID, networks []string) (time.Time, error) {
	if len(networks) == 0 {
		return time.Time{}, nil
	}
	at, err := a.Credentials.KnownNetwork(ctx, user, networkID(user, networks[0]))
	if err != nil {
		return time.Time{}, fmt.Errorf("read the networks of %s: %w", user, err)
	}
	return at, nil
}

// remember remembers that a user has logged in from a network, unless it was
// remembered a short while ago.
func (a Authenticator) remember(ctx context.Context, user domain.UserID, networks []string, last time.Time) error {
	now := a.Tokens.now()
	if len(networks) == 0 || now.Sub(last) < rememberEvery {
		return nil
	}
	if err := a.Credentials.RememberNetwork(ctx, user, networkID(user, networks[0]), now); err != nil {
		return fmt.Errorf("remember a network of %s: %w", user, err)
	}
	return nil
}
