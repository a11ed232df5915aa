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

const (
	columns     = "position, stream, version, type, data, recorded_at, actor, command_id, correlation_id, trace_id, fingerprint, commit_events"
	columnCount = 12

	headQuery    = "SELECT coalesce(max(position), 0) FROM events"
	commandQuery = "SELECT position, commit_events, fingerprint FROM events WHERE actor = ? AND command_id = ? AND fingerprint IS NOT NULL"
	afterQuery   = "SELECT " + columns + " FROM events WHERE position > ? ORDER BY position LIMIT ?"
	streamQuery  = "SELECT " + columns + " FROM events WHERE stream = ? ORDER BY version"
	hashesQuery  = "SELECT position, stream, recorded_at FROM events WHERE position IN (SELECT value FROM json_each(?))"
)

// preparer is a connection or a pool of connections.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// commandStmts find what a command wrote.
type commandStmts struct {
	command *sql.Stmt
	after   *sql.Stmt
}

// find returns the commit of the command with the given key, and whether there
// is one.
func (s commandStmts) find(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	var first domain.Position
	var count int
	var c eventstore.Commit
	err := s.command.QueryRowContext(ctx, key.Actor, key.ID).Scan(&first, &count, &c.Fingerprint)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err == nil {
		c.Events, err = scanEvents(s.after.QueryContext(ctx, first-1, count))
	}
	return c, err == nil, err
}

// readStmts are the readers' statements.
type readStmts struct {
	commandStmts
	head, stream, hashes *sql.Stmt
	all                  []*sql.Stmt
}

func prepareReads(ctx context.Context, db preparer) (readStmts, error) {
	var s readStmts
	err := prepare(ctx, db, &s.all, map[**sql.Stmt]string{
		&s.head: headQuery, &s.command: commandQuery, &s.after: afterQuery, &s.stream: streamQuery, &s.hashes: hashesQuery,
	})
	return s, err
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

// prepare prepares each query, stores its statement where the key points, and
// adds it to all. If one fails, it closes all of them.
func prepare(ctx context.Context, db preparer, all *[]*sql.Stmt, queries map[**sql.Stmt]string) error {
	for stmt, query := range queries {
		var err error
		if *stmt, err = db.PrepareContext(ctx, query); err != nil {
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

// appendRow appends an event's values, in the order of columns.
func appendRow(values []any, e eventstore.Event) []any {
	var fingerprint, count any // NULL unless the event is the first of its append
	if e.Command != nil {
		fingerprint, count = e.Command.Fingerprint, e.Command.Events
	}
	return append(values, int64(e.Position), string(e.Stream), e.Version, e.Type, string(e.Data), e.RecordedAt.UnixMilli(),
		e.Actor, e.CommandID, e.CorrelationID, e.TraceID, fingerprint, count)
}

// scanEvents reads the rows of a query that selects columns.
func scanEvents(rows *sql.Rows, err error) ([]eventstore.Event, error) {
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

// scanHashes reads the rows of hashesQuery.
func scanHashes(rows *sql.Rows, err error) (map[domain.Position]domain.EventHash, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	hashes := make(map[domain.Position]domain.EventHash)
	for rows.Next() {
		var at domain.Position
		var stream domain.StreamID
		var recorded int64
		if err := rows.Scan(&at, &stream, &recorded); err != nil {
			return nil, err
		}
		hashes[at] = domain.HashEvent(stream, time.UnixMilli(recorded))
	}
	return hashes, rows.Err()
}
