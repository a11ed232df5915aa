package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"time"

	"golang.org/x/crypto/argon2"

	"chirp/internal/domain"
	"chirp/internal/gate"
)

// Parameters of new hashes. A stored hash has its own parameters, so these can be
// increased at any time.
const (
	memoryKiB = 19 * 1024
	passes    = 2
	lanes     = 1
	saltBytes = 16
	keyBytes  = 32
	// passwordWait is how long a call waits before it may hash.
	passwordWait = 5 * time.Second
	// waitingPerPlace is how many calls wait for each that hashes: what it gets done
	// within passwordWait.
	waitingPerPlace = 250
)

// Passwords hashes and verifies passwords with argon2id. Each hash takes 19 MiB and
// some tens of milliseconds of CPU time, so the number of concurrent hashes is
// limited, and those that wait take turns by the networks of their callers. A call
// that has waited for five seconds fails with an error of kind Unavailable.
type Passwords struct {
	// Aside, unless it is nil, calls hash, which waits for its turn and hashes. It
	// lets others have what the caller does not need meanwhile. It must be set
	// before the first hash.
	Aside func(ctx context.Context, hash func())

	gate *gate.Gate
}

// NewPasswords returns Passwords with a limit of concurrent hashes, at least one.
func NewPasswords(concurrent int) *Passwords {
	concurrent = max(1, concurrent)
	return &Passwords{gate: gate.NewLimited("passwords", gate.Limits{Places: concurrent, Patience: passwordWait, Waiting: waitingPerPlace * concurrent})}
}

// Stats returns how many hashes run, how many calls wait, and how many have waited
// in vain.
func (p *Passwords) Stats() gate.Stats { return p.gate.Stats() }

// Hash returns a password's hash with a new salt, in the PHC string format. A
// password that is too short or too long is Invalid.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if err := domain.CheckPassword(password); err != nil {
		return "", err
	}
	h := newHash()
	if _, err := rand.Read(h.salt); err != nil {
		return "", fmt.Errorf("generate a salt: %w", err)
	}
	err := p.inTurn(ctx, attempt{networks: networksOf(ctx)}, func() error {
		h.key = h.derive(password)
		return nil
	})
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// inTurn calls a function that hashes when it is the turn of an attempt.
func (p *Passwords) inTurn(ctx context.Context, from attempt, hash func() error) (err error) {
	wait := func() {
		var leave func()
		if leave, err = p.enter(ctx, from); err == nil {
			defer leave()
			err = hash()
		}
	}
	if p.Aside == nil {
		wait()
	} else {
		p.Aside(ctx, wait)
	}
	return err
}

// newHash returns a hash with the current parameters, and zeros for salt and key.
func newHash() hash {
	return hash{
		params: params{memory: memoryKiB, passes: passes, lanes: lanes},
		salt:   make([]byte, saltBytes),
		key:    make([]byte, keyBytes),
	}
}

// verify reports whether a hash is that of a password. An empty hash stands for a
// user who does not exist: verify then returns false after the same work as for any
// other, so that the time taken does not reveal who has an account.
func verify(stored, password string) (bool, error) {
	h := newHash()
	if stored != "" {
		var err error
		if h, err = parseHash(stored); err != nil {
			return false, err
		}
	}
	return subtle.ConstantTimeCompare(h.derive(password), h.key) == 1 && stored != "", nil
}

// enter waits until the caller may hash.
func (p *Passwords) enter(ctx context.Context, a attempt) (leave func(), err error) {
	leave, err = p.gate.Enter(ctx, a.turn()...)
	switch {
	case domain.KindOf(err) == domain.Unavailable:
		return nil, &domain.Error{Kind: domain.Unavailable, Msg: "too many passwords are being checked; try again in a few seconds", RetryAfter: passwordWait}
	case err != nil:
		return nil, fmt.Errorf("wait to hash a password: %w", err)
	}
	return leave, nil
}

// derive computes the key of a password with the parameters, the salt and the key
// length of h. It cannot be interrupted.
func (h hash) derive(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key)))
}
