package cli

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"chirp/internal/archive"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// maxTold is about how many password hashes an import reads before it imports the
// first one, to say how many there are. A file may have too many to keep in memory.
const maxTold = 100_000

// restoreAtOnce is how many password hashes are imported at once.
const restoreAtOnce = 1000

// restoreAccounts says which secrets the file holds, and then imports of the accounts
// what the flags allow.
func (i *importing) restoreAccounts(ctx context.Context) error {
	next, stop := iter.Pull2(i.file.Accounts())
	defer stop()
	var known archive.Accounts
	part, err, more := next()
	for ; more && err == nil; part, err, more = next() {
		known.TokenSecret = append(known.TokenSecret, part.TokenSecret...)
		known.Credentials = append(known.Credentials, part.Credentials...)
		if len(known.Credentials) >= maxTold {
			break
		}
	}
	if err != nil {
		return err
	}
	if i.file.Header.Credentials {
		i.announce(known, more)
	}
	at := time.Now()
	for part, more = known, true; more && err == nil; part, err, more = next() {
		if err = i.restore(ctx, part, at); err != nil {
			return err
		}
	}
	return err
}

// announce says which secrets the file holds and what is done with them. It knows
// those that were read; there may be more password hashes.
func (i *importing) announce(known archive.Accounts, more bool) {
	hashes := 0
	for _, c := range known.Credentials {
		if c.Hash != "" {
			hashes++
		}
	}
	held := fmt.Sprintf("the password hashes of %d users", hashes)
	if more {
		held += " or more"
	}
	const signs = "anyone who has the file, or wrote it, can sign tokens for every user, now and in future"
	secret := len(known.TokenSecret) > 0
	var done string
	switch {
	case i.WithoutCredentials && secret:
		held, done = held+" and a token secret", "none of them is imported"
	case i.WithoutCredentials:
		done = "they are not imported"
	case i.WithTokenSecret && secret:
		held, done = held+" and a token secret", "both are imported: "+signs
	case secret:
		held, done = held+" and a token secret", "the hashes are imported and the token secret is not: tokens from the exporting server are not valid here, and users log in again (--with-token-secret imports it)"
	default:
		done = "they are imported"
	}
	i.bar.println("%s holds %s; %s.", i.File, held, done)
}

// restore imports of a part of the accounts what the flags allow.
func (i *importing) restore(ctx context.Context, part archive.Accounts, at time.Time) error {
	var allowed []auth.Credential
	for _, c := range part.Credentials {
		if err := checkCredential(c); err != nil {
			return domain.Errorf(domain.Invalid, "the credential of %.64q: %v", c.User, err)
		}
		if c = i.allowed(c); c.Hash != "" {
			i.hashes++
		}
		if c.Access.Disabled {
			i.disabled++
		}
		if !c.Empty() {
			allowed = append(allowed, c)
		}
	}
	secret := part.TokenSecret
	if !i.WithTokenSecret {
		secret = nil
	} else if n := len(secret); n > 0 && n < auth.MinSecret {
		return domain.Errorf(domain.Invalid, "the token secret has %d bytes; it must have at least %d", n, auth.MinSecret)
	}
	i.secret = append(i.secret, secret...)
	for some := range slices.Chunk(allowed, restoreAtOnce) {
		if err := i.store.Credentials().Restore(ctx, nil, some, at); err != nil {
			return err
		}
	}
	return nil
}

// restoreSecret replaces the store's token secret by the file's, if that is to be
// imported. It comes last, so that an import that fails or is killed leaves the store
// with its own.
func (i *importing) restoreSecret(ctx context.Context) error {
	if len(i.secret) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return i.store.Credentials().Restore(ctx, i.secret, nil, time.Now())
}

// allowed returns what may be imported of a credential. A session is of no use
// without the secret that signed its token. That a user is disabled, and has ended
// earlier sessions, stays true in each case.
func (i *importing) allowed(c auth.Credential) auth.Credential {
	if i.WithoutCredentials {
		c.Hash = ""
	}
	if !i.WithTokenSecret {
		c.Access.Sessions = nil
	}
	return c
}

func checkCredential(c auth.Credential) error {
	if _, err := domain.ParseUserID(string(c.User)); err != nil || c.Hash == "" {
		return err
	}
	return auth.CheckHash(c.Hash)
}

// reportLockedOut says how many users cannot log in because their password hashes
// were not imported.
func (i *importing) reportLockedOut() {
	if out := i.audit.Passwords() - i.hashes; out > 0 {
		i.bar.println("%d of the %d users who registered with a password cannot log in here, because their password hashes were not imported; "+
			"to change that, import an export made --with-credentials into another new store.", out, i.audit.Passwords())
	}
}

// reportDisabled says how many users are disabled, or that the file does not say it.
func (i *importing) reportDisabled() {
	switch {
	case i.file.Header.AccessLost:
		i.bar.println("%s does not say who was disabled, because the exported store had lost that: everyone is enabled here until chirp user disable.", i.File)
	case i.file.Header.AccessOmitted:
		i.bar.println("%s does not say who was disabled: everyone is enabled here until chirp user disable (an earlier version of Chirp exported it).", i.File)
	case i.disabled > 0:
		i.bar.println("Users who are disabled, as they were where the file was exported: %d.", i.disabled)
	}
}
