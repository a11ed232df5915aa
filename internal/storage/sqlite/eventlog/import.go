package eventlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	codes "modernc.org/sqlite/lib"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite/dbfile"
)

// importRows is how many events one statement inserts.
const importRows = 50

// importer is an import under way: one transaction on a connection of its own.
// It drops the indexes and creates them again at the end, which is faster than
// keeping them up to date and detects the same mistakes.
type importer struct {
	conn     *sql.Conn
	insert   *sql.Stmt // of importRows events
	values   []any     // of the events that are still to be inserted
	sequence eventstore.Sequence
}

// Import implements eventstore.Log. If the process dies before the commit,
// SQLite rolls the import back when the file is opened the next time.
func (l *Log) Import(ctx context.Context, epoch string, events iter.Seq2[[]eventstore.Event, error]) error {
	switch {
	case epoch == "":
		return domain.Errorf(domain.Invalid, "import: the epoch is empty")
	case l.writer == nil:
		return domain.Errorf(domain.Invalid, "import: the data folder is opened for reading only")
	}
	if err := l.Err(); err != nil {
		return err
	}
	head, err := importInto(ctx, l.path, epoch, events)
	if err != nil {
		return dbfile.Translate(ctx, "import", err)
	}
	l.epoch.Store(&epoch)
	l.published.Store(int64(head))
	l.tail.Reset()
	return nil
}

func importInto(ctx context.Context, path, epoch string, events iter.Seq2[[]eventstore.Event, error]) (head domain.Position, err error) {
	db, err := dbfile.Open(path, writerPragmas()...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	i := &importer{}
	if i.conn, err = db.Conn(ctx); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, i.conn.Close()) }()
	if err := i.run(ctx, "BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	if err = i.fill(ctx, epoch, events); err == nil {
		err = i.run(ctx, "COMMIT")
	}
	if err != nil {
		_ = i.run(context.WithoutCancel(ctx), "ROLLBACK") // fails if SQLite has rolled back by itself
		return 0, err
	}
	// The write-ahead log is large now. The import is durable even if this fails.
	_ = i.run(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return i.sequence.Last(), nil
}

func (i *importer) run(ctx context.Context, statement string, args ...any) error {
	_, err := i.conn.ExecContext(ctx, statement, args...)
	return err
}

// fill is the content of the transaction.
func (i *importer) fill(ctx context.Context, epoch string, events iter.Seq2[[]eventstore.Event, error]) error {
	var head domain.Position
	if err := i.conn.QueryRowContext(ctx, headQuery).Scan(&head); err != nil {
		return err
	}
	if head > 0 {
		return eventstore.NotEmpty(head)
	}
	if err := i.run(ctx, "DROP INDEX events_by_stream; DROP INDEX events_by_command"); err != nil {
		return err
	}
	if err := i.insertAll(ctx, events); err != nil {
		return err
	}
	if err := i.run(ctx, eventIndexes); dbfile.Code(err) == codes.SQLITE_CONSTRAINT {
		return domain.Errorf(domain.Invalid, "two events have one version of a stream, or two appends one command: %v", err)
	} else if err != nil {
		return err
	}
	if err := i.checkStreams(ctx); err != nil {
		return err
	}
	return i.run(ctx, "UPDATE meta SET epoch = ?", epoch)
}

func (i *importer) insertAll(ctx context.Context, events iter.Seq2[[]eventstore.Event, error]) (err error) {
	if i.insert, err = i.conn.PrepareContext(ctx, insertQuery(importRows)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.insert.Close()) }()
	for batch, err := range events {
		if err != nil {
			return err
		}
		for _, e := range batch {
			if err := i.add(ctx, e); err != nil {
				return err
			}
		}
	}
	if n := len(i.values) / columnCount; n > 0 {
		if err := i.run(ctx, insertQuery(n), i.values...); err != nil {
			return err
		}
	}
	return i.sequence.End()
}

// add checks an event and inserts it, together with the next ones.
func (i *importer) add(ctx context.Context, e eventstore.Event) error {
	if err := i.sequence.Next(e); err != nil {
		return err
	}
	i.values = appendRow(i.values, e)
	if len(i.values) < importRows*columnCount {
		return nil
	}
	_, err := i.insert.ExecContext(ctx, i.values...)
	i.values = i.values[:0]
	return err
}

// insertQuery returns a statement that inserts a number of events.
func insertQuery(rows int) string {
	one := "(" + strings.Repeat("?, ", columnCount-1) + "?)"
	return fmt.Sprintf("INSERT INTO events (%s) VALUES %s", columns, strings.Repeat(one+", ", rows-1)+one)
}

// checkStreams checks that the versions of each stream are consecutive. It reads
// the index on streams from end to end.
func (i *importer) checkStreams(ctx context.Context) error {
	rows, err := i.conn.QueryContext(ctx, "SELECT stream, version, position FROM events ORDER BY stream, version")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var streams eventstore.Streams
	for rows.Next() {
		var stream domain.StreamID
		var version int64
		var position domain.Position
		if err := rows.Scan(&stream, &version, &position); err != nil {
			return err
		}
		if err := streams.Next(stream, version, position); err != nil {
			return err
		}
	}
	return rows.Err()
}
