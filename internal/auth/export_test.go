package auth

import (
	"context"

	"chirp/internal/domain"
)

// Occupy takes the place of one hash until it is released.
func Occupy(p *Passwords) (release func()) {
	release, err := p.gate.Enter(context.Background())
	if err != nil {
		panic(err)
	}
	return release
}

// Fail counts a wrong password.
func (g *Guesses) Fail(user domain.UserID, network string) {
	settle, err := g.begin(attempt{account: user, networks: []string{network}})
	if err == nil {
		settle(wrong)
	}
}

// StandIn is an id in place of that of a name's user.
var StandIn = standInFor

// NetworkID is what the store remembers of a user's network.
var NetworkID = networkID

// Verify reports whether a hash is that of a password, when it may hash.
func (p *Passwords) Verify(ctx context.Context, stored, password string) (bool, error) {
	return Authenticator{Passwords: p}.verify(ctx, attempt{account: noUser, networks: networksOf(ctx)}, stored, password)
}

// CheckPassword reports whether a password is a user's, as LogIn does.
func (a Authenticator) CheckPassword(ctx context.Context, user domain.UserID, password string) (bool, error) {
	from, err := a.arrive(ctx, user)
	if err != nil {
		return false, err
	}
	_, ok, err := a.check(ctx, from, password)
	return ok, err
}

// Verify returns the user of a token.
func (t *Tokens) Verify(token string) (domain.UserID, error) {
	bearer, err := t.Read(context.Background(), token)
	return bearer.User, err
}

// Remembered returns how many verified tokens are remembered.
func (t *Tokens) Remembered() int { return t.verified.byHash.Len() }

// MaxVerified is how many are at most.
const MaxVerified = maxVerified
