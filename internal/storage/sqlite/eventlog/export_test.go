package eventlog

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"chirp/internal/domain"
)

// LimitPages makes the log's disk full once its file has so many pages.
func (l *Log) LimitPages(ctx context.Context, pages int) error {
	return l.write(ctx, "limit pages", 0, func(g *group) error {
		return g.exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	})
}

// Break runs a job that writes, and then breaks its transaction.
func (l *Log) Break(ctx context.Context) error {
	return l.write(ctx, "break", 0, func(g *group) error {
		if err := g.exec("DELETE FROM events"); err != nil {
			return err
		}
		return errors.New("broken")
	})
}

// Hold keeps the writer in a transaction until release.
func (l *Log) Hold(t testing.TB) (release func()) {
	held, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- l.write(context.Background(), "hold", 0, func(*group) error {
			close(held)
			<-end
			return nil
		})
	}()
	<-held
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Errorf("hold the writer: %v", err)
		}
	}
}

// Queued returns how many jobs wait for the writer.
func (l *Log) Queued() int { return l.writer.queue.Len() }

// Setting returns a PRAGMA of the writer's connection.
func (l *Log) Setting(ctx context.Context, pragma string) (value string, err error) {
	err = l.write(ctx, "read setting", 0, func(g *group) error {
		return g.conn.QueryRowContext(context.Background(), "PRAGMA "+pragma).Scan(&value)
	})
	return value, err
}

// Published returns the position up to which followers need not read the file.
func (l *Log) Published() domain.Position { return domain.Position(l.published.Load()) }

// CheckAll checks the log's files as the guard does, and returns what reads then
// return.
func (l *Log) CheckAll() error { return l.guard.checkAll() }
