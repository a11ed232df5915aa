package credentials

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/eventlog"
)

const (
	accessQuery = "SELECT epoch, disabled FROM access WHERE user_id = ?"
	// accessesQuery and sessionsQuery are about the users from one up to another.
	accessesQuery = "SELECT user_id, epoch, disabled FROM access WHERE user_id BETWEEN ? AND ?"
	sessionsQuery = `SELECT user_id, id, epoch, started_at, expires_at, seen_at, address, agent FROM sessions
		WHERE user_id BETWEEN ? AND ? ORDER BY user_id, started_at, id`
	lastQuery    = "SELECT coalesce(max(changed), 0) FROM access"
	changesQuery = "SELECT user_id, changed FROM access WHERE changed >= ? ORDER BY changed LIMIT 1000"

	addQuery = `INSERT INTO sessions (user_id, id, epoch, started_at, expires_at, seen_at, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`
	// boundQuery removes all sessions of a user but the newest.
	boundQuery = `DELETE FROM sessions WHERE user_id = ?1 AND id NOT IN
		(SELECT id FROM sessions WHERE user_id = ?1 ORDER BY started_at DESC, id DESC LIMIT ?2)`
	// changeQuery numbers a change of a user's access. It adds to the epoch, and sets
	// disabled unless that is NULL. The empty user stands for users who were deleted.
	changeQuery = `INSERT INTO access (user_id, epoch, disabled, changed) VALUES (?1, ?2, coalesce(?3, 0), (` + lastQuery + `) + 1)
		ON CONFLICT DO UPDATE SET epoch = epoch + excluded.epoch, disabled = coalesce(?3, disabled), changed = excluded.changed`
	// replaceQuery is changeQuery with an epoch that replaces the one before, and
	// resetQuery does it for the epoch 0 of a user who need not have one.
	replaceQuery = `INSERT INTO access (user_id, epoch, disabled, changed) VALUES (?1, ?2, ?3, (` + lastQuery + `) + 1)
		ON CONFLICT DO UPDATE SET epoch = excluded.epoch, disabled = excluded.disabled, changed = excluded.changed`
	resetQuery = "UPDATE access SET epoch = 0, disabled = 0, changed = (" + lastQuery + ") + 1 WHERE user_id = ?"
)

// Access implements auth.AccessStore.
func (s *Store) Access(ctx context.Context, user domain.UserID) (auth.Access, error) {
	if s.old {
		return auth.Access{}, nil
	}
	return eventlog.Read(ctx, s.log, "read access", func(db *sql.DB) (auth.Access, error) {
		all, err := readAccesses(ctx, db, user, user)
		return all[user], err
	})
}

// readAccesses reads the access of the users from one up to another. It reads the two
// tables in one transaction, so that sessions and epochs fit together.
func readAccesses(ctx context.Context, db *sql.DB, from, to domain.UserID) (map[domain.UserID]auth.Access, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it has written nothing
	all := map[domain.UserID]auth.Access{}
	rows, err := tx.QueryContext(ctx, accessesQuery, from, to)
	if err = eachRow(rows, err, func() error { return scanAccess(rows, all) }); err != nil {
		return nil, err
	}
	rows, err = tx.QueryContext(ctx, sessionsQuery, from, to)
	return all, eachRow(rows, err, func() error { return scanSession(rows, all) })
}

// eachRow calls scan for each row of a query that returned rows or an error.
func eachRow(rows *sql.Rows, err error, scan func() error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanAccess(row *sql.Rows, into map[domain.UserID]auth.Access) error {
	var user domain.UserID
	var a auth.Access
	err := row.Scan(&user, &a.Epoch, &a.Disabled)
	into[user] = a
	return err
}

func scanSession(row *sql.Rows, into map[domain.UserID]auth.Access) error {
	var user domain.UserID
	var id string
	var started, expires, seen int64
	var s auth.Session
	err := row.Scan(&user, &id, &s.Epoch, &started, &expires, &seen, &s.Client.Address, &s.Client.Agent)
	if err == nil {
		s.ID, err = auth.ParseSessionID(id)
	}
	s.Started, s.Expires, s.Seen = fromMillis(started), fromMillis(expires), fromMillis(seen)
	a := into[user]
	a.Sessions = append(a.Sessions, s)
	into[user] = a
	return err
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// keepNumber takes the next number for the empty user. It makes the numbers of the
// rows that a transaction deletes next too low to be used again.
func keepNumber(tx eventlog.Tx) error { return tx.Exec(changeQuery, "", 0, nil) }

// AddSession implements auth.AccessStore.
func (s *Store) AddSession(ctx context.Context, user domain.UserID, session auth.Session) error {
	moved := false
	err := s.log.Update(ctx, "add a session", func(tx eventlog.Tx) error {
		var err error
		if moved, err = epochMoved(tx, user, session.Epoch); err != nil || moved {
			return err
		}
		if err := add(tx, user, session); err != nil {
			return err
		}
		var sessions int
		if err := tx.QueryRow("SELECT count(*) FROM sessions WHERE user_id = ?", user).Scan(&sessions); err != nil || sessions <= auth.MaxSessions {
			return err
		}
		if err := tx.Exec(boundQuery, user, auth.MaxSessions); err != nil {
			return err
		}
		return tx.Exec(changeQuery, user, 0, nil)
	})
	if err == nil && moved {
		return auth.ErrEpochMoved
	}
	return err
}

// epochMoved reports whether a user is disabled or no longer has an epoch.
func epochMoved(tx eventlog.Tx, user domain.UserID, was int64) (bool, error) {
	var epoch int64
	var disabled bool
	if err := tx.QueryRow(accessQuery, user).Scan(&epoch, &disabled); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	return disabled || epoch != was, nil
}

func add(tx eventlog.Tx, user domain.UserID, s auth.Session) error {
	return tx.Exec(addQuery, user, s.ID.String(), s.Epoch, s.Started.UnixMilli(), s.Expires.UnixMilli(), s.Seen.UnixMilli(), s.Client.Address, s.Client.Agent)
}

// SeeSession implements auth.AccessStore.
func (s *Store) SeeSession(ctx context.Context, user domain.UserID, id auth.SessionID, at time.Time, by auth.Client) error {
	return s.exec(ctx, "see a session", "UPDATE sessions SET seen_at = ?, address = ?, agent = ? WHERE id = ? AND user_id = ?",
		at.UnixMilli(), by.Address, by.Agent, id.String(), user)
}

// EndSession implements auth.AccessStore.
func (s *Store) EndSession(ctx context.Context, user domain.UserID, id auth.SessionID) error {
	return s.log.Update(ctx, "end a session", func(tx eventlog.Tx) error {
		if err := tx.Exec("DELETE FROM sessions WHERE id = ? AND user_id = ?", id.String(), user); err != nil {
			return err
		}
		return tx.Exec(changeQuery, user, 0, nil)
	})
}

// endSessions removes all sessions of a user but one, and increments the epoch.
// disabled is nil if it stays as it is.
func endSessions(tx eventlog.Tx, user domain.UserID, keep auth.SessionID, disabled any) error {
	if err := tx.Exec("DELETE FROM sessions WHERE user_id = ? AND id <> ?", user, keep.String()); err != nil {
		return err
	}
	return tx.Exec(changeQuery, user, 1, disabled)
}

// EndSessions implements auth.AccessStore.
func (s *Store) EndSessions(ctx context.Context, user domain.UserID, keep auth.SessionID) error {
	return s.log.Update(ctx, "end the sessions", func(tx eventlog.Tx) error { return endSessions(tx, user, keep, nil) })
}

// ReplaceCredential implements auth.AccessStore.
func (s *Store) ReplaceCredential(ctx context.Context, was auth.Credential, hash string) error {
	var refused error
	err := s.log.Update(ctx, "replace credential", func(tx eventlog.Tx) error {
		var current string
		err := tx.QueryRow(credentialQuery, was.User).Scan(&current)
		if errors.Is(err, sql.ErrNoRows) {
			refused = auth.ErrNoCredential
			return nil
		}
		moved, epochErr := epochMoved(tx, was.User, was.Access.Epoch)
		if err = cmp.Or(err, epochErr); err != nil {
			return err
		}
		if moved || current != was.Hash {
			refused = auth.ErrEpochMoved
			return nil
		}
		if err := tx.Exec("UPDATE credentials SET hash = ? WHERE user_id = ?", hash, was.User); err != nil {
			return err
		}
		return endSessions(tx, was.User, auth.SessionID{}, nil)
	})
	return cmp.Or(err, refused)
}

// SetDisabled implements auth.AccessStore.
func (s *Store) SetDisabled(ctx context.Context, user domain.UserID, disabled bool) error {
	if disabled {
		return s.log.Update(ctx, "disable a user", func(tx eventlog.Tx) error { return endSessions(tx, user, auth.SessionID{}, 1) })
	}
	return s.exec(ctx, "enable a user", changeQuery, user, 0, 0)
}

// RemoveExpired implements auth.AccessStore.
func (s *Store) RemoveExpired(ctx context.Context, before time.Time) error {
	return s.exec(ctx, "remove expired sessions", "DELETE FROM sessions WHERE expires_at < ?", before.UnixMilli())
}

// AccessChanges implements auth.AccessStore.
func (s *Store) AccessChanges(ctx context.Context, since int64) (users []domain.UserID, last int64, err error) {
	if s.old {
		return nil, 0, nil
	}
	users, err = eventlog.Read(ctx, s.log, "read changes of access", func(db *sql.DB) ([]domain.UserID, error) {
		if err := db.QueryRowContext(ctx, lastQuery).Scan(&last); err != nil || last < since {
			return nil, err
		}
		users, numbered, err := scanChanges(db.QueryContext(ctx, changesQuery, since))
		if len(users) > 0 {
			last = numbered
		}
		return users, err
	})
	return users, last, err
}

func scanChanges(rows *sql.Rows, err error) (users []domain.UserID, last int64, _ error) {
	err = eachRow(rows, err, func() error {
		var user domain.UserID
		err := rows.Scan(&user, &last)
		if user != "" {
			users = append(users, user)
		}
		return err
	})
	return users, last, err
}
