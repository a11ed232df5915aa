package eventlog

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite/dbfile"
)

// Append implements eventstore.Log.
func (l *Log) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if err := a.Check(); err != nil {
		return eventstore.Commit{}, err
	}
	var commit eventstore.Commit
	err := l.write(ctx, "append "+string(a.Events[0].Stream), len(a.Events), func(g *group) (err error) {
		commit, err = g.append(a)
		return err
	})
	if err != nil { // if ctx has ended, the job may still be writing to commit
		return eventstore.Commit{}, err
	}
	return commit, nil
}

// Update runs a function in a transaction of the writer, which it may share with
// appends and other updates. The function must be quick, and must return any
// error of Tx.Exec: the update then fails and has no effect.
func (l *Log) Update(ctx context.Context, op string, run func(tx Tx) error) error {
	return l.write(ctx, op, 0, func(g *group) error { return run(Tx{g}) })
}

// Tx is the transaction of an Update.
type Tx struct{ group *group }

// Exec runs one statement, or several without arguments.
func (tx Tx) Exec(query string, args ...any) error { return tx.group.exec(query, args...) }

// QueryRow runs a query of at most one row, which sees what the transaction has
// written.
func (tx Tx) QueryRow(query string, args ...any) *sql.Row {
	return tx.group.conn.QueryRowContext(context.Background(), query, args...)
}

// TryWrite inserts an event as an append does, into the same pages, and deletes it
// in the same transaction.
func (l *Log) TryWrite(ctx context.Context) error {
	return l.write(ctx, "try to write", 0, func(g *group) error {
		event := eventstore.Event{
			Position: g.head + 1, Stream: "probe", Version: 1, Type: "probe", Data: []byte(`{"text":"` + strings.Repeat("x", probeBytes) + `"}`),
			RecordedAt: time.Now(), Actor: "probe", CommandID: "probe", Command: &eventstore.CommandMark{Fingerprint: "probe", Events: 1},
		}
		if _, err := g.insert.Exec(appendRow(nil, event)...); err != nil {
			return err
		}
		return g.exec("DELETE FROM events WHERE position = ? AND stream = 'probe'", int64(event.Position))
	})
}

// probeBytes is the size of the probe's text, somewhat more than a chirp's.
const probeBytes = 1500

// write has the writer run a job that appends a number of events. The text of an
// error begins with op, unless the error is a refusal.
func (l *Log) write(ctx context.Context, op string, events int, run func(*group) error) error {
	if l.writer == nil {
		return domain.Errorf(domain.Invalid, "%s: the data folder is opened for reading only", op)
	}
	err := l.writer.queue.Do(ctx, job{ctx, events, run})
	switch {
	case isRefusal(err):
		return err
	case errors.Is(err, eventstore.ErrNotAppended):
		return eventstore.NotAppended(dbfile.Translate(ctx, op, err))
	default:
		return dbfile.Translate(ctx, op, err)
	}
}

// isRefusal reports whether an error of a job leaves its transaction intact.
func isRefusal(err error) bool {
	return errors.Is(err, eventstore.ErrConflict) || errors.Is(err, eventstore.ErrCommandReused)
}

// append appends events in the group's transaction, or refuses to.
func (g *group) append(a eventstore.Append) (eventstore.Commit, error) {
	if len(a.Events) == 1 && a.Expected[a.Events[0].Stream] == 0 {
		// The most common append begins a stream with one event. For it, the
		// unique indexes refuse exactly what the checks below would find: an
		// existing version 1, or a command key in use. So the checks are needed
		// only if the insert was refused.
		if c, inserted, err := g.insertAll(a); inserted || err != nil {
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
	c, inserted, err := g.insertAll(a)
	if err == nil && !inserted {
		err = errors.New("the indexes refused an append that had been checked")
	}
	return c, err
}

// insertAll inserts the events of an append at the next positions, which are
// free because the group holds the write lock. It reports whether it did: the
// unique indexes may refuse the first event.
func (g *group) insertAll(a eventstore.Append) (c eventstore.Commit, inserted bool, err error) {
	events := a.At(g.head)
	for _, e := range events {
		result, err := g.insert.Exec(appendRow(nil, e)...)
		if err != nil {
			return eventstore.Commit{}, false, err
		}
		if rows, err := result.RowsAffected(); rows == 0 || err != nil {
			return eventstore.Commit{}, false, err
		}
	}
	g.head += domain.Position(len(events))
	g.events = append(g.events, events...)
	return eventstore.Commit{Events: events, Fingerprint: a.Command.Fingerprint}, true, nil
}
