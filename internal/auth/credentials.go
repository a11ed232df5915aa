// Package auth settles who is calling: passwords and their hashes, signed
// tokens, and the caller that a request's context carries.
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

// Credentials keeps what must never be in the log: password hashes and the
// secret that signs tokens. Registration writes the credential first and the
// event second, so a credential without an event is left behind when a
// registration fails; Unconfirmed finds those to be swept.
type Credentials interface {
	// SaveCredential writes a hash, durably before it returns. A second one
	// for the same user replaces the first.
	SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error
	// Credential gives a user's hash, or ErrNoCredential.
	Credential(ctx context.Context, user domain.UserID) (hash string, err error)
	// Unconfirmed gives users whose credential was saved before a time and
	// neither confirmed nor deleted since, at most limit of them.
	Unconfirmed(ctx context.Context, before time.Time, limit int) ([]domain.UserID, error)
	// ConfirmCredential records that the user's event exists. An unknown user
	// is no error.
	ConfirmCredential(ctx context.Context, user domain.UserID) error
	// DeleteCredential removes a credential. An unknown user is no error.
	DeleteCredential(ctx context.Context, user domain.UserID) error
	// Secret gives the store's token secret. The first call on a new store
	// keeps the one proposed; every other gives what was kept, in every
	// process alike. An empty proposal is never kept: it asks what there is,
	// which may be nothing.
	Secret(ctx context.Context, proposed []byte) ([]byte, error)

	// All gives every credential, in the order of the users' ids. One that is
	// saved or deleted meanwhile may be given or not; all others are given
	// once. It keeps little in memory.
	All(ctx context.Context) iter.Seq2[Credential, error]
	// Restore writes credentials of another store, durably before it returns,
	// as if each were saved at a time, and replaces the token secret unless
	// the one given is empty.
	Restore(ctx context.Context, secret []byte, credentials []Credential, at time.Time) error
	// Discard removes every credential and the token secret.
	Discard(ctx context.Context) error
}

// Credential is a user's password hash.
type Credential struct {
	User domain.UserID
	Hash string
}
