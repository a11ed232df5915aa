package eventlog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite/dbfile"
)

// Read runs a function that reads the log's file through a pool of connections,
// when the gate lets it in. The text of an error begins with op.
func Read[R any](ctx context.Context, l *Log, op string, read func(*sql.DB) (R, error)) (R, error) {
	var none R
	if err := l.Err(); err != nil {
		return none, err
	}
	leave, err := l.readers.Enter(ctx)
	if err != nil {
		return none, err
	}
	defer leave()
	r, err := read(l.pool)
	return r, l.translate(ctx, op, err)
}

// translate maps an error of reading as dbfile.Translate does, but first has the
// guard check the files if they may have been overwritten: then the error is
// errFilesChanged.
func (l *Log) translate(ctx context.Context, op string, err error) error {
	if l.guard != nil && mayBeOverwritten(err) {
		if changed := l.guard.checkAll(); changed != nil {
			return fmt.Errorf("%s: %w (%w)", op, changed, err)
		}
	}
	return dbfile.Translate(ctx, op, err)
}

// Prepare prepares a statement for use in Read. It is closed with the log.
func (l *Log) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	stmt, err := l.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, dbfile.OpenError(ctx, l.path, err)
	}
	return stmt, nil
}

// Committed implements eventstore.Log.
func (l *Log) Committed(ctx context.Context, key eventstore.CommandKey) (commit eventstore.Commit, found bool, err error) {
	commit, err = Read(ctx, l, "find command", func(*sql.DB) (c eventstore.Commit, err error) {
		c, found, err = l.stmts.find(ctx, key)
		return c, err
	})
	return commit, found, err
}

// Load implements eventstore.Log.
func (l *Log) Load(ctx context.Context, stream domain.StreamID) ([]eventstore.Event, error) {
	return Read(ctx, l, "load "+string(stream), func(*sql.DB) ([]eventstore.Event, error) {
		return scanEvents(l.stmts.stream.QueryContext(ctx, stream))
	})
}

// ReadAll implements eventstore.Log.
func (l *Log) ReadAll(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	return Read(ctx, l, fmt.Sprintf("read the log after %d", after), func(*sql.DB) ([]eventstore.Event, error) {
		return scanEvents(l.stmts.after.QueryContext(ctx, after, limit))
	})
}

// Head implements eventstore.Log.
func (l *Log) Head(ctx context.Context) (eventstore.Head, error) {
	epoch := *l.epoch.Load()
	position, err := Read(ctx, l, "read the log's head", func(*sql.DB) (at domain.Position, err error) {
		err = l.stmts.head.QueryRowContext(ctx).Scan(&at)
		return at, err
	})
	return eventstore.Head{Epoch: epoch, Position: position}, err
}

// Hashes implements eventstore.Log.
func (l *Log) Hashes(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	list, err := json.Marshal(positions)
	if err != nil {
		return nil, err
	}
	return Read(ctx, l, "read the hashes of events", func(*sql.DB) (map[domain.Position]domain.EventHash, error) {
		return scanHashes(l.stmts.hashes.QueryContext(ctx, string(list)))
	})
}

// Follow implements eventstore.Log.
func (l *Log) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return l.tail.Follow(ctx, l, after)
}
