// Package credentials keeps the credentials, the users' access and the token secret
// of the embedded store in the log's file. It imports package eventlog because a
// process writes to that file through one writer, in whose transactions its updates
// take part.
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

	// old is set for a log that is only read and was written by a version of this
	// program that recorded no access.
	old bool
}

const (
	credentialQuery = "SELECT hash FROM credentials WHERE user_id = ?"
	staleQuery      = "SELECT user_id FROM credentials WHERE confirmed = 0 AND saved_at < ? ORDER BY saved_at LIMIT ?"
	secretQuery     = "SELECT secret FROM meta"
	saveQuery       = `INSERT INTO credentials (user_id, hash, saved_at, confirmed) VALUES (?, ?, ?, 0)
		ON CONFLICT DO UPDATE SET hash = excluded.hash, saved_at = excluded.saved_at, confirmed = 0`
	allQuery = "SELECT user_id, hash FROM credentials WHERE user_id > ? ORDER BY user_id LIMIT ?"
	// allNowQuery bounds each part before the union, which would otherwise read all the
	// users that follow for every batch.
	allNowQuery = `SELECT user_id, coalesce(hash, '') FROM (
			SELECT * FROM (SELECT user_id FROM credentials WHERE user_id > ?1 ORDER BY user_id LIMIT ?2)
			UNION SELECT * FROM (SELECT user_id FROM access WHERE user_id > ?1 ORDER BY user_id LIMIT ?2)
			UNION SELECT * FROM (SELECT DISTINCT user_id FROM sessions WHERE user_id > ?1 ORDER BY user_id LIMIT ?2))
		LEFT JOIN credentials USING (user_id) ORDER BY user_id LIMIT ?2`
	oldQuery = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sessions_by_expiry')"
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
	var err error
	s.old, err = eventlog.Read(ctx, log, "look for the tables of access", func(db *sql.DB) (old bool, err error) {
		err = db.QueryRowContext(ctx, oldQuery).Scan(&old)
		return old, err
	})
	return s, err
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
	return s.log.Update(ctx, "delete credential", func(tx eventlog.Tx) error {
		var numbered bool
		err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM access WHERE user_id = ?)", user).Scan(&numbered)
		if err == nil && numbered {
			err = keepNumber(tx)
		}
		if err != nil {
			return err
		}
		for _, table := range []string{"credentials", "networks", "access", "sessions"} {
			if err := tx.Exec("DELETE FROM "+table+" WHERE user_id = ?", user); err != nil {
				return err
			}
		}
		return nil
	})
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
			batch, err := s.batch(ctx, after)
			if err != nil {
				yield(auth.Credential{}, err)
				return
			}
			for _, credential := range batch {
				if !credential.Empty() && !yield(credential, nil) {
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

// batch reads the credentials and the access of the users after one.
func (s *Store) batch(ctx context.Context, after domain.UserID) ([]auth.Credential, error) {
	return eventlog.Read(ctx, s.log, "read all credentials", func(db *sql.DB) ([]auth.Credential, error) {
		if s.old {
			return scanCredentials(db.QueryContext(ctx, allQuery, after, allBatch))
		}
		batch, err := scanCredentials(db.QueryContext(ctx, allNowQuery, after, allBatch))
		if err != nil || len(batch) == 0 {
			return batch, err
		}
		accesses, err := readAccesses(ctx, db, batch[0].User, batch[len(batch)-1].User)
		for i, c := range batch {
			batch[i].Access = accesses[c.User]
		}
		return batch, err
	})
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
			if err := restore(tx, credential, at); err != nil {
				return err
			}
		}
		if len(secret) == 0 {
			return nil
		}
		return tx.Exec("UPDATE meta SET secret = ?", secret)
	})
}

func restore(tx eventlog.Tx, c auth.Credential, at time.Time) error {
	if c.Hash != "" {
		if err := tx.Exec(saveQuery, c.User, c.Hash, at.UnixMilli()); err != nil {
			return err
		}
	}
	if err := tx.Exec("DELETE FROM sessions WHERE user_id = ?", c.User); err != nil {
		return err
	}
	for _, session := range c.Access.Sessions {
		if err := add(tx, c.User, session); err != nil {
			return err
		}
	}
	if c.Access.Epoch == 0 && !c.Access.Disabled {
		return tx.Exec(resetQuery, c.User)
	}
	return tx.Exec(replaceQuery, c.User, c.Access.Epoch, c.Access.Disabled)
}

// Discard implements auth.Credentials.
func (s *Store) Discard(ctx context.Context) error {
	return s.log.Update(ctx, "discard the credentials", func(tx eventlog.Tx) error {
		if err := keepNumber(tx); err != nil {
			return err
		}
		return tx.Exec("DELETE FROM credentials; DELETE FROM networks; DELETE FROM access WHERE user_id <> ''; DELETE FROM sessions")
	})
}
