package auth

import (
	"context"
	"errors"
	"time"

	"chirp/internal/domain"
)

// standIn is the prefix of ids that no user has.
const standIn = "nobody "

// standInFor returns an id in place of that of a name's user, if there is none.
// Attempts to log in with it are counted as those of a user are.
func standInFor(username string) domain.UserID {
	name, err := domain.ParseUsername(username)
	if err != nil {
		return noUser
	}
	return domain.UserID(standIn + name.Folded())
}

// LogInByName is LogIn for the user with a name, whom find finds. A name that no user
// has cannot be distinguished from a wrong password.
func (a Authenticator) LogInByName(ctx context.Context, username string, find func(ctx context.Context) (domain.UserID, error), password string) (token string, err error) {
	tried := attempt{account: standInFor(username), networks: networksOf(ctx)}
	if err := a.Guesses.refused(tried); err != nil {
		return "", err
	}
	user, err := find(ctx)
	switch kind := domain.KindOf(err); {
	case err == nil:
	case kind == domain.NotFound || kind == domain.Invalid:
		user = tried.account
	default:
		return "", err
	}
	token, err = a.LogIn(ctx, user, password)
	a.Guesses.keepRefusal(tried, err)
	return token, err
}

// refusal is what an attempt was told.
type refusal struct {
	at    time.Time
	until time.Time // when it may try again
}

// refusedFor is how long a refusal is repeated without a look at what has changed:
// whether the user has logged in from the network, on another server for example.
const refusedFor = 10 * time.Second

// refused returns the error of check if an attempt with the same name, from the same
// network, was refused a short while ago.
func (g *Guesses) refused(tried attempt) error {
	if g == nil || len(tried.networks) == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.refusals.Get(tried.pair(tried.networks[0]))
	now := g.now()
	if !ok || now.Sub(r.at) >= refusedFor || !now.Before(r.until) {
		return nil
	}
	return tooSoon(r.until.Sub(now))
}

// keepRefusal keeps an error for refused if it is one of check.
func (g *Guesses) keepRefusal(tried attempt, err error) {
	var limited *domain.Error
	if g == nil || len(tried.networks) == 0 || !errors.As(err, &limited) || limited.Kind != domain.RateLimited {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.refusals.Add(tried.pair(tried.networks[0]), refusal{at: now, until: now.Add(limited.RetryAfter)})
}

func tooSoon(wait time.Duration) error { return domain.TooSoon("too many wrong passwords", wait) }
