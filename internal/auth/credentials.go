// Package auth determines who is calling: it checks passwords and signed tokens,
// and keeps the caller in a request's context.
package auth

import (
	"context"
	"errors"
	"iter"
	"time"

	"chirp/internal/domain"
)

// ErrNoCredential says that a user has no credential.
var ErrNoCredential = errors.New("no credential")

// ErrCredentialsLost is what a store returns while it has lost credentials, and the
// operator has not repaired it.
var ErrCredentialsLost = domain.Errorf(domain.Unavailable, "the passwords of the store cannot be relied on until the operator has repaired it")

// Credentials stores what must never be in the log: password hashes, sessions, and the
// secret that signs tokens. A registration writes the credential before the event, so
// one that fails may leave a credential without an event; Unconfirmed finds those.
type Credentials interface {
	// SaveCredential durably saves a user's hash, replacing any other.
	SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error
	// Credential returns a user's hash, or ErrNoCredential.
	Credential(ctx context.Context, user domain.UserID) (hash string, err error)
	// Unconfirmed returns users whose credential was saved before a time and
	// neither confirmed nor deleted since, at most limit of them.
	Unconfirmed(ctx context.Context, before time.Time, limit int) ([]domain.UserID, error)
	// ConfirmCredential records that the user exists in the log. A user without
	// a credential is not an error.
	ConfirmCredential(ctx context.Context, user domain.UserID) error
	// DeleteCredential removes a credential. A user without one is not an error.
	DeleteCredential(ctx context.Context, user domain.UserID) error

	NetworkStore

	// Secret returns the store's token secret. If there is none yet, it stores
	// the proposed one, so that all processes get the same secret. An empty
	// proposal is never stored; the result may then be empty.
	Secret(ctx context.Context, proposed []byte) ([]byte, error)

	AccessStore

	// All returns an iterator over all users with a credential or an access that is
	// not zero, ordered by user id. It yields each once, except that it may or may
	// not yield one that is saved or deleted meanwhile. It needs little memory.
	All(ctx context.Context) iter.Seq2[Credential, error]
	// Restore durably saves credentials of another store, as if each were saved
	// at a time, and replaces the token secret unless secret is empty. It replaces
	// the users' access.
	Restore(ctx context.Context, secret []byte, credentials []Credential, at time.Time) error
	// Discard removes every credential and every access. The token secret stays.
	Discard(ctx context.Context) error
}

// NetworkStore stores from where users have called.
type NetworkStore interface {
	// KnownNetwork returns when a user's call from a network was last remembered,
	// or the zero time.
	KnownNetwork(ctx context.Context, user domain.UserID, network string) (time.Time, error)
	// RememberNetwork remembers that a user has called from a network, for as
	// long as the user has a credential. Of each user's networks, the store
	// remembers the MaxNetworks that were remembered last. A user without a
	// credential is not an error; whether the network is then remembered is open.
	RememberNetwork(ctx context.Context, user domain.UserID, network string, at time.Time) error
}

// MaxNetworks is how many networks of each user a store remembers.
const MaxNetworks = 32

// Credential is what is stored about a user besides the log. Hash is the password's,
// and empty for a user who has no password.
type Credential struct {
	User   domain.UserID
	Hash   string
	Access Access
}

// Empty reports whether nothing is recorded about the user.
func (c Credential) Empty() bool {
	return c.Hash == "" && c.Access.Epoch == 0 && !c.Access.Disabled && len(c.Access.Sessions) == 0
}
