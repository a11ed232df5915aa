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

// What new hashes are made with. A stored hash carries its own parameters, so
// these can be raised at any time.
const (
	memoryKiB = 19 * 1024
	passes    = 2
	lanes     = 1
	saltBytes = 16
	keyBytes  = 32
	// passwordWait is how long a call waits for its turn.
	passwordWait = 5 * time.Second
)

// Passwords hashes and verifies passwords with argon2id. Each hash takes 19 MiB
// and some tens of milliseconds of a core, so only so many run at once; a call
// that does not get its turn within five seconds gives an error of kind
// Unavailable.
type Passwords struct {
	turns *gate.Gate
}

// NewPasswords lets at most so many hashes, and at least one, run at once.
func NewPasswords(concurrent int) *Passwords {
	return &Passwords{turns: gate.NewPatient("passwords", concurrent, 0, passwordWait)}
}

// Stats returns how many hashes run, how many calls wait for their turn, and
// how many have waited in vain.
func (p *Passwords) Stats() gate.Stats { return p.turns.Stats() }

// Hash gives a password's hash in the PHC string format, with a salt of its
// own. A password of a length that is not allowed is Invalid.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if err := domain.CheckPassword(password); err != nil {
		return "", err
	}
	h := newHash()
	if _, err := rand.Read(h.salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	key, err := p.derive(ctx, h, password)
	if err != nil {
		return "", err
	}
	h.key = key
	return h.String(), nil
}

// newHash is a hash with today's parameters; its salt and key are zeros yet.
func newHash() hash {
	return hash{
		params: params{memory: memoryKiB, passes: passes, lanes: lanes},
		salt:   make([]byte, saltBytes),
		key:    make([]byte, keyBytes),
	}
}

// Verify says whether a password is the one that a hash was made of. An empty
// hash stands for a user that does not exist: the answer is no, at the same
// cost as any other, so that the time taken does not tell who has an account.
func (p *Passwords) Verify(ctx context.Context, stored, password string) (bool, error) {
	if len(password) > domain.MaxPassword {
		return false, nil
	}
	h := newHash()
	if stored != "" {
		var err error
		if h, err = parseHash(stored); err != nil {
			return false, err
		}
	}
	key, err := p.derive(ctx, h, password)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, h.key) == 1 && stored != "", nil
}

// derive waits for a turn and computes a key of the length that h has, which
// cannot be interrupted.
func (p *Passwords) derive(ctx context.Context, h hash, password string) ([]byte, error) {
	leave, err := p.turns.Enter(ctx)
	switch {
	case domain.KindOf(err) == domain.Unavailable:
		return nil, &domain.Error{Kind: domain.Unavailable, Msg: "too many passwords are being checked; try again in a few seconds", RetryAfter: passwordWait}
	case err != nil:
		return nil, fmt.Errorf("wait to hash a password: %w", err)
	}
	defer leave()
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key))), nil
}
