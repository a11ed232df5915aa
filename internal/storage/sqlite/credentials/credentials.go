// Package credentials keeps the credentials and the token secret of the embedded
// store in the log's file. It imports package eventlog because a process writes to
// that file through one writer, in whose transactions its updates take part.
package credentials

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/eventlog"
)

// Store implements auth.Credentials.
type Store struct {
	log                       *eventlog.Log
	credential, stale, secret *sql.Stmt // closed by the log
}

const (
	credentialQuery = "SELECT hash FROM credentials WHERE user_id = ?"
	staleQuery      = "SELECT user_id FROM credentials WHERE confirmed = 0 AND saved_at < ? ORDER BY saved_at LIMIT ?"
	secretQuery     = "SELECT secret FROM meta"
	saveQuery       = `INSERT INTO credentials (user_id, hash, saved_at, confirmed) VALUES (?, ?, ?, 0)
		ON CONFLICT DO UPDATE SET hash = excluded.hash, saved_at = excluded.saved_at, confirmed = 0`
	allQuery = "SELECT user_id, hash FROM credentials WHERE user_id > ? ORDER BY user_id LIMIT ?"
)

// Open opens the credentials in a log's file.
func Open(ctx context.Context, log *eventlog.Log) (*Store, error) {
	s := &Store{log: log}
	for stmt, query := range map[**sql.Stmt]string{&s.credential: credentialQuery, &s.stale: staleQuery, &s.secret: secretQuery} {
		var err error
		if *stmt, err = log.Prepare(ctx, query); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// exec runs statements in one update of the log's file.
func (s *Store) exec(ctx context.Context, op, query string, args ...any) error {
	return s.log.Update(ctx, op, func(tx eventlog.Tx) error { return tx.Exec(query, args...) })
}

// SaveCredential implements auth.Credentials.
func (s *Store) SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error {
	return s.exec(ctx, "save credential", saveQuery, user, hash, at.UnixMilli())
}

// Credential implements auth.Credentials.
func (s *Store) Credential(ctx context.Context, user domain.UserID) (string, error) {
	hash, err := eventlog.Read(ctx, s.log, "read credential", func(*sql.DB) (hash string, err error) {
		err = s.credential.QueryRowContext(ctx, user).Scan(&hash)
		return hash, err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return "", auth.ErrNoCredential
	}
	return hash, err
}

// Unconfirmed implements auth.Credentials.
func (s *Store) Unconfirmed(ctx context.Context, before time.Time, limit int) ([]domain.UserID, error) {
	return eventlog.Read(ctx, s.log, "find unconfirmed credentials", func(*sql.DB) ([]domain.UserID, error) {
		return scanUsers(s.stale.QueryContext(ctx, before.UnixMilli(), limit))
	})
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

// ConfirmCredential implements auth.Credentials.
func (s *Store) ConfirmCredential(ctx context.Context, user domain.UserID) error {
	return s.exec(ctx, "confirm credential", "UPDATE credentials SET confirmed = 1 WHERE user_id = ?", user)
}

// DeleteCredential implements auth.Credentials.
func (s *Store) DeleteCredential(ctx context.Context, user domain.UserID) error {
	return s.exec(ctx, "delete credential", "DELETE FROM credentials WHERE user_id = ?1; DELETE FROM networks WHERE user_id = ?1", user)
}

// Secret implements auth.Credentials.
func (s *Store) Secret(ctx context.Context, proposed []byte) ([]byte, error) {
	secret, err := s.readSecret(ctx)
	if err != nil || secret != nil || len(proposed) == 0 {
		return secret, err
	}
	// If another process stores a secret at the same time, the first one counts.
	if err := s.exec(ctx, "store the token secret", "UPDATE meta SET secret = ? WHERE secret IS NULL", proposed); err != nil {
		return nil, err
	}
	return s.readSecret(ctx)
}

func (s *Store) readSecret(ctx context.Context) ([]byte, error) {
	return eventlog.Read(ctx, s.log, "read the token secret", func(*sql.DB) (secret []byte, err error) {
		err = s.secret.QueryRowContext(ctx).Scan(&secret)
		return secret, err
	})
}

const allBatch = 1000 // credentials per batch

// All implements auth.Credentials. It reads in batches, each starting where the
// last one ended, so that no transaction is open while the caller works.
func (s *Store) All(ctx context.Context) iter.Seq2[auth.Credential, error] {
	return func(yield func(auth.Credential, error) bool) {
		for after := domain.UserID(""); ; {
			batch, err := eventlog.Read(ctx, s.log, "read all credentials", func(db *sql.DB) ([]auth.Credential, error) {
				return scanCredentials(db.QueryContext(ctx, allQuery, after, allBatch))
			})
			if err != nil {
				yield(auth.Credential{}, err)
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

func scanCredentials(rows *sql.Rows, err error) ([]auth.Credential, error) {
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

// Restore implements auth.Credentials.
func (s *Store) Restore(ctx context.Context, secret []byte, restored []auth.Credential, at time.Time) error {
	return s.log.Update(ctx, "restore credentials", func(tx eventlog.Tx) error {
		for _, credential := range restored {
			if err := tx.Exec(saveQuery, credential.User, credential.Hash, at.UnixMilli()); err != nil {
				return err
			}
		}
		if len(secret) == 0 {
			return nil
		}
		return tx.Exec("UPDATE meta SET secret = ?", secret)
	})
}

// Discard implements auth.Credentials.
func (s *Store) Discard(ctx context.Context) error {
	return s.exec(ctx, "discard the credentials", "DELETE FROM credentials; DELETE FROM networks; UPDATE meta SET secret = NULL")
}
