package credentials

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/eventlog"
)

const (
	networkQuery  = "SELECT remembered_at FROM networks WHERE user_id = ? AND network = ?"
	rememberQuery = `INSERT INTO networks (user_id, network, remembered_at) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET remembered_at = excluded.remembered_at`
	forgetQuery = `DELETE FROM networks WHERE user_id = ?1 AND network IN
		(SELECT network FROM networks WHERE user_id = ?1 ORDER BY remembered_at DESC LIMIT -1 OFFSET ?2)`
)

// KnownNetwork implements auth.Credentials.
func (s *Store) KnownNetwork(ctx context.Context, user domain.UserID, network string) (time.Time, error) {
	at, err := eventlog.Read(ctx, s.log, "read a known network", func(db *sql.DB) (at int64, err error) {
		err = db.QueryRowContext(ctx, networkQuery, user, network).Scan(&at)
		return at, err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	return time.UnixMilli(at), nil
}

// RememberNetwork implements auth.Credentials.
func (s *Store) RememberNetwork(ctx context.Context, user domain.UserID, network string, at time.Time) error {
	return s.log.Update(ctx, "remember a network", func(tx eventlog.Tx) error {
		if err := tx.Exec(rememberQuery, user, network, at.UnixMilli()); err != nil {
			return err
		}
		return tx.Exec(forgetQuery, user, auth.MaxNetworks)
	})
}
