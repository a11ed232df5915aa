package sqlite

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/domain"
)

// LimitPages makes the log's disk full once its file has so many pages.
func (s *Store) LimitPages(ctx context.Context, pages int) error {
	return s.log.write(ctx, "limit pages", 0, func(g *group) error {
		return g.exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	})
}

// Break runs a job that writes, and then breaks its transaction.
func (s *Store) Break(ctx context.Context) error {
	return s.log.write(ctx, "break", 0, func(g *group) error {
		if err := g.exec("DELETE FROM events"); err != nil {
			return err
		}
		return errors.New("broken")
	})
}

// Setting gives a PRAGMA of the writer's connection.
func (s *Store) Setting(ctx context.Context, pragma string) (value string, err error) {
	err = s.log.write(ctx, "read setting", 0, func(g *group) error {
		return g.conn.QueryRowContext(context.Background(), "PRAGMA "+pragma).Scan(&value)
	})
	return value, err
}

// Published gives the position up to which followers need not read the file.
func (s *Store) Published() domain.Position { return domain.Position(s.log.known.Load()) }
