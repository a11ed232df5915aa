package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/internal/domain"
)

// Authenticator combines credentials, passwords, tokens and sessions. Its clock is
// that of Tokens.
type Authenticator struct {
	Credentials Credentials
	Passwords   *Passwords
	Tokens      *Tokens
	Sessions    *Sessions
	Guesses     *Guesses // nil for no limit
}

// Save hashes a password and durably saves the hash as a user's credential,
// replacing any other. The caller's network is then known to be one of the user's.
func (a Authenticator) Save(ctx context.Context, user domain.UserID, password string) error {
	hash, err := a.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	if err := a.Credentials.SaveCredential(ctx, user, hash, a.Tokens.now()); err != nil {
		return fmt.Errorf("save the credential of %s: %w", user, err)
	}
	return a.remember(ctx, attempt{account: user, networks: networksOf(ctx)})
}

// noUser is looked up in place of a user who does not exist. No id consists of
// zeros, so it has no credential.
const noUser = domain.UserID("user_00000000000000000000000000")

// check reports whether the password of an attempt that need not wait is the user's,
// and returns the user's credential, with the access as it was before the hash was
// read. It returns false for a user without a credential and for the empty id, but does
// the same work as for any other: three look-ups, arrive's included, and a hash. If
// there were too many wrong passwords meanwhile, the error is of kind RateLimited, and
// nothing is hashed.
func (a Authenticator) check(ctx context.Context, from attempt, password string) (c Credential, ok bool, err error) {
	c.User = from.account
	if c.Access, err = a.Credentials.Access(ctx, c.User); err != nil {
		return c, false, fmt.Errorf("read the access of %s: %w", c.User, err)
	}
	if c.Hash, err = a.Credentials.Credential(ctx, c.User); err != nil && !errors.Is(err, ErrNoCredential) {
		return c, false, fmt.Errorf("read the credential of %s: %w", c.User, err)
	}
	ok, err = a.verify(ctx, from, c.Hash, password)
	switch {
	case err != nil:
		return c, false, fmt.Errorf("verify the password of %s: %w", c.User, err)
	case !ok:
		return c, false, nil
	}
	return c, true, a.remember(ctx, from)
}

// verify waits for a turn to hash, and reports whether a hash is that of a password.
func (a Authenticator) verify(ctx context.Context, from attempt, hash, password string) (ok bool, err error) {
	if len(password) > domain.MaxPassword {
		return false, nil
	}
	err = a.Passwords.inTurn(ctx, from, func() error {
		settle, err := a.Guesses.begin(from) // only now, so that a right one that waits is not counted
		if err != nil {
			return err
		}
		ok, err = verify(hash, password)
		switch {
		case err != nil:
			settle(void)
		case ok:
			settle(right)
		default:
			settle(wrong)
		}
		return err
	})
	return ok, err
}

// LogIn starts a session of a user and returns its token, given the user's password.
// A wrong password, a user without a credential and the empty id cannot be
// distinguished: the error, of kind Unauthenticated, and the time taken are the same.
// A disabled user with the right password gets an error of kind Forbidden.
func (a Authenticator) LogIn(ctx context.Context, user domain.UserID, password string) (token string, err error) {
	from, err := a.arrive(ctx, user)
	if err != nil {
		return "", err
	}
	c, ok, err := a.check(ctx, from, password)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", domain.Errorf(domain.Unauthenticated, "the username or the password is wrong")
	case c.Access.Disabled:
		return "", domain.Errorf(domain.Forbidden, "the account is disabled; ask the operator of this server")
	}
	return a.Sessions.Start(ctx, user, c.Access.Epoch)
}

// ChangePassword replaces a user's password, given the current one, ends all of the
// user's sessions, and returns the token of a new one. A wrong password is Forbidden,
// because the caller is known all the same. Wrong ones count for the caller's session
// alone. If the password is changed, or all sessions are ended, between the check and
// the change, nothing changes and the error is of kind Conflict.
func (a Authenticator) ChangePassword(ctx context.Context, user domain.UserID, current, password string) (token string, err error) {
	if err := domain.CheckPassword(password); err != nil {
		return "", err
	}
	from, err := a.arriveAgain(ctx, user)
	if err != nil {
		return "", err
	}
	was, ok, err := a.check(ctx, from, current)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", domain.Errorf(domain.Forbidden, "the current password is wrong")
	}
	hash, err := a.Passwords.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	if err := a.Sessions.replaceCredential(ctx, was, hash); err != nil {
		return "", err
	}
	return a.Sessions.Start(ctx, user, was.Access.Epoch+1)
}

const sweepBatch = 100

// Sweep goes through the credentials that were saved before a time and are not
// confirmed. It confirms those whose user exists, and deletes the others, which
// failed registrations left behind; it returns how many it deleted, also together
// with an error. The time must be long enough ago that no registration can still
// be in progress. exists must look in the log, because a read model may lag.
func Sweep(ctx context.Context, c Credentials, exists func(ctx context.Context, user domain.UserID) (bool, error), before time.Time) (swept int, err error) {
	for {
		users, err := c.Unconfirmed(ctx, before, sweepBatch)
		if err != nil {
			return swept, fmt.Errorf("list unconfirmed credentials: %w", err)
		}
		for _, user := range users {
			deleted, err := confirmOrDelete(ctx, c, exists, user)
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

func confirmOrDelete(ctx context.Context, c Credentials, exists func(ctx context.Context, user domain.UserID) (bool, error), user domain.UserID) (deleted bool, err error) {
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
