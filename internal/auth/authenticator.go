package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/internal/domain"
)

// Authenticator puts credentials, passwords and tokens together. The time of a
// saved credential is that of the Tokens' clock.
type Authenticator struct {
	Credentials Credentials
	Passwords   *Passwords
	Tokens      *Tokens
}

// Save hashes a password and writes it durably as a user's credential, in
// place of any other.
func (a Authenticator) Save(ctx context.Context, user domain.UserID, password string) error {
	hash, err := a.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	if err := a.Credentials.SaveCredential(ctx, user, hash, a.Tokens.now()); err != nil {
		return fmt.Errorf("save the credential of %s: %w", user, err)
	}
	return nil
}

// nobody is looked up in place of a user who does not exist. No id is made of
// zeros, so there is no credential.
const nobody = domain.UserID("user_00000000000000000000000000")

// CheckPassword says whether a password is a user's. For a user without a
// credential, and for the empty id, which stands for nobody, the answer is no
// at the cost of a yes: a look-up and a hash.
func (a Authenticator) CheckPassword(ctx context.Context, user domain.UserID, password string) (bool, error) {
	if user == "" {
		user = nobody
	}
	hash, err := a.Credentials.Credential(ctx, user)
	if err != nil && !errors.Is(err, ErrNoCredential) {
		return false, fmt.Errorf("read the credential of %s: %w", user, err)
	}
	ok, err := a.Passwords.Verify(ctx, hash, password)
	if err != nil {
		return false, fmt.Errorf("verify the password of %s: %w", user, err)
	}
	return ok, nil
}

// LogIn gives a token to whoever knows a user's password. A wrong password, a
// user without a credential and nobody ("") are told apart neither by the
// error, of kind Unauthenticated, nor by the time it takes.
func (a Authenticator) LogIn(ctx context.Context, user domain.UserID, password string) (token string, err error) {
	ok, err := a.CheckPassword(ctx, user, password)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", domain.Errorf(domain.Unauthenticated, "the username or the password is wrong")
	}
	return a.Tokens.Issue(user)
}

const sweepBatch = 100

// Sweep settles the credentials that were saved before a time and not
// confirmed: those whose user's event exists are confirmed, the others, left
// behind by registrations that failed, are deleted and counted. The time must
// be long enough ago that no registration can still be under way. exists must
// ask the log, for a read model may lag. What was swept before an error stays
// swept.
func Sweep(ctx context.Context, c Credentials, exists func(ctx context.Context, user domain.UserID) (bool, error), before time.Time) (swept int, err error) {
	for {
		users, err := c.Unconfirmed(ctx, before, sweepBatch)
		if err != nil {
			return swept, fmt.Errorf("list unconfirmed credentials: %w", err)
		}
		for _, user := range users {
			deleted, err := settle(ctx, c, exists, user)
			if err != nil {
				return swept, err
			}
			if deleted {
				swept++
			}
		}
		if len(users) < sweepBatch {
			return swept, nil
		}
	}
}

func settle(ctx context.Context, c Credentials, exists func(ctx context.Context, user domain.UserID) (bool, error), user domain.UserID) (deleted bool, err error) {
	ok, err := exists(ctx, user)
	if err != nil {
		return false, fmt.Errorf("look whether %s exists: %w", user, err)
	}
	if ok {
		if err := c.ConfirmCredential(ctx, user); err != nil {
			return false, fmt.Errorf("confirm the credential of %s: %w", user, err)
		}
		return false, nil
	}
	if err := c.DeleteCredential(ctx, user); err != nil {
		return false, fmt.Errorf("delete the credential of %s: %w", user, err)
	}
	return true, nil
}
