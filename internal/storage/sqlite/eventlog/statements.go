package eventlog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// preparer is a connection or a pool of them.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

const (
	columns      = "position, stream, version, type, data, recorded_at, actor, command_id, correlation_id, trace_id, fingerprint, commit_events"
	headQuery    = "SELECT coalesce(max(position), 0) FROM events"
	commandQuery = "SELECT position, commit_events, fingerprint FROM events WHERE actor = ? AND command_id = ? AND fingerprint IS NOT NULL"
	afterQuery   = "SELECT " + columns + " FROM events WHERE position > ? ORDER BY position LIMIT ?"
	streamQuery  = "SELECT " + columns + " FROM events WHERE stream = ? ORDER BY version"
)

// commandStmts find what a command wrote.
type commandStmts struct {
	command *sql.Stmt
	after   *sql.Stmt
}

// find gives the commit of a command key.
func (s commandStmts) find(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	var first domain.Position
	var count int
	var c eventstore.Commit
	err := s.command.QueryRowContext(ctx, key.Actor, key.ID).Scan(&first, &count, &c.Fingerprint)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err == nil {
		c.Events, err = scan(s.after.QueryContext(ctx, first-1, count))
	}
	return c, err == nil, err
}

// writeStmts are the writer's statements.
type writeStmts struct {
	commandStmts
	begin, commit, rollback *sql.Stmt
	readHead, version       *sql.Stmt
	insert                  *sql.Stmt
	all                     []*sql.Stmt
}

func prepareWrites(ctx context.Context, conn preparer) (writeStmts, error) {
	var s writeStmts
	err := prepare(ctx, conn, &s.all, map[**sql.Stmt]string{
		&s.begin: "BEGIN IMMEDIATE", &s.commit: "COMMIT", &s.rollback: "ROLLBACK",
		&s.readHead: headQuery, &s.command: commandQuery, &s.after: afterQuery,
		&s.version: "SELECT coalesce(max(version), 0) FROM events WHERE stream = ?",
		&s.insert:  "INSERT INTO events (" + columns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
	})
	return s, err
}

func (s *writeStmts) close() error { return closeAll(s.all) }

// prepare fills in statements, and adds them to those that are to be closed.
func prepare(ctx context.Context, conn preparer, all *[]*sql.Stmt, queries map[**sql.Stmt]string) error {
	for stmt, query := range queries {
		var err error
		if *stmt, err = conn.PrepareContext(ctx, query); err != nil {
			return errors.Join(err, closeAll(*all))
		}
		*all = append(*all, *stmt)
	}
	return nil
}

func closeAll(stmts []*sql.Stmt) error {
	var errs []error
	for _, s := range stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// append is the job of Log.Append.
func (g *group) append(a eventstore.Append) (eventstore.Commit, error) {
	if len(a.Events) == 1 && a.Expected[a.Events[0].Stream] == 0 {
		// The commonest append begins a stream with one event. The indexes then
		// refuse exactly what the checks would find: a version 1 that exists,
		// or a command key. So the checks are made only if they refuse.
		if c, written, err := g.write(a); written || err != nil {
			return c, err
		}
	}
	c, found, err := g.find(context.Background(), a.Command.CommandKey)
	switch {
	case err != nil:
		return eventstore.Commit{}, err
	case found && c.Fingerprint != a.Command.Fingerprint:
		return eventstore.Commit{}, eventstore.ErrCommandReused
	case found:
		c.Repeated = true
		return c, nil
	}
	for stream, expected := range a.Streams() {
		var version int64
		if err := g.version.QueryRow(stream).Scan(&version); err != nil {
			return eventstore.Commit{}, err
		}
		if version != expected {
			return eventstore.Commit{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: version}
		}
	}
	c, written, err := g.write(a)
	if err == nil && !written {
		err = errors.New("the indexes refused an append that had been checked")
	}
	return c, err
}

// write inserts the events, unless the indexes refuse the first one. The
// positions are new, for the group holds the write lock.
func (g *group) write(a eventstore.Append) (eventstore.Commit, bool, error) {
	events := a.At(g.head)
	for _, e := range events {
		result, err := g.insert.Exec(row(nil, e)...)
		if err != nil {
			return eventstore.Commit{}, false, err
		}
		if inserted, err := result.RowsAffected(); inserted == 0 || err != nil {
			return eventstore.Commit{}, false, err
		}
	}
	g.head += domain.Position(len(events))
	g.events = append(g.events, events...)
	return eventstore.Commit{Events: events, Fingerprint: a.Command.Fingerprint}, true, nil
}

// row adds the values of an event's columns.
func row(values []any, e eventstore.Event) []any {
	var fingerprint, count any
	if e.Command != nil {
		fingerprint, count = e.Command.Fingerprint, e.Command.Events
	}
	return append(values, int64(e.Position), string(e.Stream), e.Version, e.Type, string(e.Data), e.RecordedAt.UnixMilli(),
		e.Actor, e.CommandID, e.CorrelationID, e.TraceID, fingerprint, count)
}

// scan reads the rows of a query for columns.
func scan(rows *sql.Rows, err error) ([]eventstore.Event, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var events []eventstore.Event
	for rows.Next() {
		var e eventstore.Event
		var data string
		var recordedAt int64
		var fingerprint sql.NullString
		var count sql.NullInt64
		if err := rows.Scan(&e.Position, &e.Stream, &e.Version, &e.Type, &data, &recordedAt,
			&e.Actor, &e.CommandID, &e.CorrelationID, &e.TraceID, &fingerprint, &count); err != nil {
			return nil, err
		}
		if fingerprint.Valid {
			e.Command = &eventstore.CommandMark{Fingerprint: fingerprint.String, Events: int(count.Int64)}
		}
		e.Data, e.RecordedAt = json.RawMessage(data), time.UnixMilli(recordedAt).UTC()
		events = append(events, e)
	}
	return events, rows.Err()
}
