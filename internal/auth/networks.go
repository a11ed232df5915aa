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

// rememberEvery is how exactly the store knows when a user last logged in, or used a
// session, from a network.
const rememberEvery = 24 * time.Hour

// arrive returns an attempt to log in as a user, or an error of kind RateLimited if
// it must wait.
func (a Authenticator) arrive(ctx context.Context, user domain.UserID) (attempt, error) {
	from := attempt{account: user, networks: networksOf(ctx)}
	if user == "" {
		from.account = noUser
	}
	return a.admit(ctx, from)
}

// arriveAgain is arrive for a caller whose token is the user's. Strangers who guess
// the user's password cannot make such a caller wait.
func (a Authenticator) arriveAgain(ctx context.Context, user domain.UserID) (attempt, error) {
	session, _ := CallerSession(ctx)
	return a.admit(ctx, attempt{account: user, networks: networksOf(ctx), session: "token " + session.String()})
}

func (a Authenticator) admit(ctx context.Context, from attempt) (attempt, error) {
	since, err := a.known(ctx, from)
	if err != nil {
		return from, fmt.Errorf("read the networks of %s: %w", from.account, err)
	}
	from.known, from.since = !since.IsZero(), since
	return from, a.Guesses.check(from)
}

// known returns when it was last remembered that the user has logged in from the
// network of an attempt, or the zero time.
func (a Authenticator) known(ctx context.Context, from attempt) (time.Time, error) {
	if len(from.networks) == 0 {
		return time.Time{}, nil
	}
	return a.Credentials.KnownNetwork(ctx, from.account, networkID(from.account, from.networks[0]))
}

// remember remembers that the user has logged in from the network of an attempt,
// unless it was remembered a short while ago.
func (a Authenticator) remember(ctx context.Context, from attempt) error {
	now := a.Tokens.now()
	if len(from.networks) == 0 || now.Sub(from.since) < rememberEvery {
		return nil
	}
	if err := a.Credentials.RememberNetwork(ctx, from.account, networkID(from.account, from.networks[0]), now); err != nil {
		return fmt.Errorf("remember a network of %s: %w", from.account, err)
	}
	return nil
}
