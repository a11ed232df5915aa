package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// credentials implements auth.Credentials in the log's file, through the log's
// writer.
type credentials struct{ log *Log }

const (
	credentialQuery = "SELECT hash FROM credentials WHERE user_id = ?"
	staleQuery      = "SELECT user_id FROM credentials WHERE confirmed = 0 AND saved_at < ? ORDER BY saved_at LIMIT ?"
	secretQuery     = "SELECT secret FROM meta"
	saveQuery       = `INSERT INTO credentials (user_id, hash, saved_at, confirmed) VALUES (?, ?, ?, 0)
		ON CONFLICT DO UPDATE SET hash = excluded.hash, saved_at = excluded.saved_at, confirmed = 0`
	allQuery = "SELECT user_id, hash FROM credentials WHERE user_id > ? ORDER BY user_id LIMIT ?"
)

// exec runs one statement as a job of the writer.
func (c credentials) exec(ctx context.Context, op, query string, args ...any) error {
	return c.log.write(ctx, op, 0, func(g *group) error { return g.exec(query, args...) })
}

func (c credentials) SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error {
	return c.exec(ctx, "save credential", saveQuery, user, hash, at.UnixMilli())
}

func (c credentials) Credential(ctx context.Context, user domain.UserID) (string, error) {
	leave, err := c.log.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	var hash string
	err = c.log.stmts.credential.QueryRowContext(ctx, user).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return "", auth.ErrNoCredential
	}
	return hash, c.log.translate(ctx, "read credential", err)
}

func (c credentials) Unconfirmed(ctx context.Context, before time.Time, limit int) ([]domain.UserID, error) {
	leave, err := c.log.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	users, err := scanUsers(c.log.stmts.stale.QueryContext(ctx, before.UnixMilli(), limit))
	return users, c.log.translate(ctx, "find unconfirmed credentials", err)
}

func scanUsers(rows *sql.Rows, err error) ([]domain.UserID, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var users []domain.UserID
	for rows.Next() {
		var user domain.UserID
		if err := rows.Scan(&user); err != nil {
			return nil, err
		}
		users = append(users, user)
	}
	return users, rows.Err()
}

func (c credentials) ConfirmCredential(ctx context.Context, user domain.UserID) error {
	return c.exec(ctx, "confirm credential", "UPDATE credentials SET confirmed = 1 WHERE user_id = ?", user)
}

func (c credentials) DeleteCredential(ctx context.Context, user domain.UserID) error {
	return c.exec(ctx, "delete credential", "DELETE FROM credentials WHERE user_id = ?", user)
}

func (c credentials) Secret(ctx context.Context, proposed []byte) ([]byte, error) {
	if err := c.log.open(); err != nil {
		return nil, err
	}
	var secret []byte
	err := c.log.stmts.secret.QueryRowContext(ctx).Scan(&secret)
	if err == nil && secret == nil && len(proposed) > 0 {
		if err := c.exec(ctx, "keep the token secret", "UPDATE meta SET secret = ? WHERE secret IS NULL", proposed); err != nil {
			return nil, err
		}
		err = c.log.stmts.secret.QueryRowContext(ctx).Scan(&secret)
	}
	return secret, c.log.translate(ctx, "read the token secret", err)
}

const allBatch = 1000 // credentials read at a time

// All reads in batches, each from where the one before ended, so that it holds
// no transaction open.
func (c credentials) All(ctx context.Context) iter.Seq2[auth.Credential, error] {
	return func(yield func(auth.Credential, error) bool) {
		for after := domain.UserID(""); ; {
			batch, err := c.after(ctx, after)
			if err != nil {
				yield(auth.Credential{}, c.log.translate(ctx, "read all credentials", err))
				return
			}
			for _, credential := range batch {
				if !yield(credential, nil) {
					return
				}
				after = credential.User
			}
			if len(batch) < allBatch {
				return
			}
		}
	}
}

func (c credentials) after(ctx context.Context, user domain.UserID) ([]auth.Credential, error) {
	leave, err := c.log.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	rows, err := c.log.read.QueryContext(ctx, allQuery, user, allBatch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var batch []auth.Credential
	for rows.Next() {
		var credential auth.Credential
		if err := rows.Scan(&credential.User, &credential.Hash); err != nil {
			return nil, err
		}
		batch = append(batch, credential)
	}
	return batch, rows.Err()
}

func (c credentials) Restore(ctx context.Context, secret []byte, restored []auth.Credential, at time.Time) error {
	return c.log.write(ctx, "restore credentials", 0, func(g *group) error {
		for _, credential := range restored {
			if err := g.exec(saveQuery, credential.User, credential.Hash, at.UnixMilli()); err != nil {
				return err
			}
		}
		if len(secret) == 0 {
			return nil
		}
		return g.exec("UPDATE meta SET secret = ?", secret)
	})
}

func (c credentials) Discard(ctx context.Context) error {
	return c.exec(ctx, "discard the credentials", "DELETE FROM credentials; UPDATE meta SET secret = NULL")
}
