// Package eventlog keeps the log of an embedded store in the file log.db: the
// events, their group commit, an import, and a guard that watches over the file.
package eventlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/storage/sqlite/dbfile"
)

// Log implements eventstore.Log in the file log.db.
type Log struct {
	logger *slog.Logger
	path   string
	epoch  atomic.Pointer[string] // an import changes it
	writer *writer                // nil when read-only
	guard  *guard                 // nil when read-only
	tail   eventstore.Tail
	known  atomic.Int64 // the greatest position that was published to the tail

	read    *sql.DB
	readers *gate.Gate // what a connection of read is waited for at
	stmts   readStmts

	closing chan struct{} // closed when the log is being closed
	watches sync.WaitGroup
	closed  func() error // closes once
}

// readStmts are the statements of the reading pool.
type readStmts struct {
	commandStmts
	head, stream *sql.Stmt
	hashes       *sql.Stmt
	all          []*sql.Stmt
}

const (
	readers     = 8                      // connections of the reading pool for clients
	ownReaders  = 2                      // more of them for the server itself
	watchEvery  = 250 * time.Millisecond // for events that another process appends
	followPause = 10 * time.Millisecond  // the first pause of a follower that cannot read
)

// Options say how a log is opened.
type Options struct {
	// ReadOnly refuses to write, and to create a log that is not there.
	ReadOnly bool
	// Log receives what an operator should know.
	Log *slog.Logger
}

// Open opens the log in a folder, and creates it if there is none. An error
// that an operator can put right says how.
func Open(ctx context.Context, dir string, o Options) (*Log, error) {
	epoch, err := prepareLog(ctx, dir, o.ReadOnly)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, dbfile.LogName)
	opened, err := os.Stat(path)
	if err != nil {
		return nil, dbfile.OpenError(ctx, path, err)
	}
	l := &Log{logger: o.Log, path: path, readers: gate.New("log", readers, ownReaders), closing: make(chan struct{})}
	l.epoch.Store(&epoch)
	if err := l.openReaders(ctx, path); err != nil {
		return nil, dbfile.OpenError(ctx, path, err)
	}
	if !o.ReadOnly {
		if err = l.openWriter(ctx, opened); err != nil {
			return nil, errors.Join(dbfile.OpenError(ctx, path, err), l.closeReaders())
		}
		l.watches.Go(func() { l.guard.watch(l.closing) })
	}
	l.closed = sync.OnceValue(l.shut)
	l.watches.Go(l.watch)
	return l, nil
}

// openWriter opens what writes to the file, and what guards it. opened is the
// file as it was before the readers opened it.
func (l *Log) openWriter(ctx context.Context, opened os.FileInfo) (err error) {
	if l.guard, err = openGuard(ctx, l.path, opened, l.read, l.logger); err != nil {
		return err
	}
	l.guard.found = l.forget
	l.writer, err = openWriter(ctx, l.path, l.publish, l.guard)
	return err
}

// forget closes the idle connections of the readers: one that was opened while
// another file was in the place of the log's reads that one.
func (l *Log) forget() {
	l.read.SetMaxIdleConns(0)
	l.read.SetMaxIdleConns(readers + ownReaders)
}

func (l *Log) openReaders(ctx context.Context, path string) (err error) {
	if l.read, err = dbfile.Open(path, "query_only(1)"); err != nil {
		return err
	}
	l.read.SetMaxOpenConns(readers + ownReaders)
	l.read.SetMaxIdleConns(readers + ownReaders)
	err = prepare(ctx, l.read, &l.stmts.all, map[**sql.Stmt]string{
		&l.stmts.head: headQuery, &l.stmts.command: commandQuery, &l.stmts.after: afterQuery, &l.stmts.stream: streamQuery,
		&l.stmts.hashes: hashesQuery,
	})
	if err != nil {
		return errors.Join(err, l.read.Close())
	}
	var head int64
	if err := l.stmts.head.QueryRowContext(ctx).Scan(&head); err != nil {
		return errors.Join(err, l.closeReaders())
	}
	l.known.Store(head)
	return nil
}

func (l *Log) closeReaders() error { return errors.Join(closeAll(l.stmts.all), l.read.Close()) }

// Close commits what is queued and closes the file. Calls that come later, and
// followers, end with an error of kind Unavailable.
func (l *Log) Close() error { return l.closed() }

func (l *Log) shut() error {
	close(l.closing)
	l.watches.Wait()
	var err error
	if l.writer != nil {
		err = l.writer.close()
	}
	l.tail.Reset() // followers read, and find the log closed
	return errors.Join(err, l.closeReaders())
}

// publish shows committed events to the followers.
func (l *Log) publish(events []eventstore.Event) {
	if len(events) > 0 {
		l.tail.Publish(events)
		l.known.Store(int64(events[len(events)-1].Position))
	}
}

// watch looks for events that another process appended, and makes the
// followers read them.
func (l *Log) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var unread outage.Outage
	for {
		select {
		case <-l.closing:
			return
		case <-tick.C:
		}
		head, err := l.Head(gate.Own(context.Background()))
		if errors.Is(err, errLost) { // the guard has said so
			continue
		}
		if err != nil {
			unread.Failed(l.logger, "the log's head cannot be read", err)
			continue
		}
		unread.Ended(l.logger, "the log's head can be read again")
		if known := l.known.Load(); int64(head.Position) > known && l.known.CompareAndSwap(known, int64(head.Position)) {
			l.tail.Reset()
		}
	}
}

// write runs a job of the writer.
func (l *Log) write(ctx context.Context, op string, events int, run func(*group) error) error {
	if l.writer == nil {
		return domain.Errorf(domain.Invalid, "%s: the data folder is opened for reading only", op)
	}
	err := l.writer.do(ctx, events, run)
	switch {
	case refusal(err):
		return err
	case errors.Is(err, eventstore.ErrNotAppended):
		return eventstore.NotAppended(dbfile.Translate(ctx, op, err))
	default:
		return dbfile.Translate(ctx, op, err)
	}
}

// Update runs a function in a transaction of the file's one writer, which has
// room for other appends and updates. The function writes all that it wants to,
// or returns an error, with which the update fails. It must be done soon.
func (l *Log) Update(ctx context.Context, op string, run func(tx Tx) error) error {
	return l.write(ctx, op, 0, func(g *group) error { return run(Tx{g}) })
}

// Tx is the transaction of an update.
type Tx struct{ group *group }

// Exec runs statements.
func (tx Tx) Exec(query string, args ...any) error { return tx.group.exec(query, args...) }

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
	if err != nil { // commit may yet be written to, if ctx ended
		return eventstore.Commit{}, err
	}
	return commit, nil
}

// Read reads the log's file. It waits at the gate for a connection of the
// reading pool, and calls read with the pool. An error says what op was.
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
	r, err := read(l.read)
	return r, l.translate(ctx, op, err)
}

// Prepare prepares a statement for Read, which stays until the log is closed.
func (l *Log) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	stmt, err := l.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, dbfile.OpenError(ctx, l.path, err)
	}
	return stmt, nil
}

// Gate returns the numbers of what readers wait at for a connection.
func (l *Log) Gate() gate.Stats { return l.readers.Stats() }

// Err returns an error when the log is closed, or its files are not the ones
// that were opened.
func (l *Log) Err() error {
	select {
	case <-l.closing:
		return dbfile.ErrClosed
	default:
	}
	if l.guard != nil {
		return l.guard.lost()
	}
	return nil
}

// translate is for errors of reading: those of a file that was overwritten are
// errLost.
func (l *Log) translate(ctx context.Context, op string, err error) error {
	if l.guard != nil && damage(err) {
		if lost := l.guard.look(); lost != nil {
			return fmt.Errorf("%s: %w (%w)", op, lost, err)
		}
	}
	return dbfile.Translate(ctx, op, err)
}

// CheckFiles compares the log's files with what their paths name, at once, and
// returns an error if they are not the ones that were opened.
func (l *Log) CheckFiles() error {
	if l.guard == nil {
		return nil
	}
	return l.guard.sameFiles()
}

// SetLockProblem says what is wrong with the lock of the log's folder, "" if
// nothing is. While something is, nothing is written.
func (l *Log) SetLockProblem(problem string) {
	if l.guard != nil {
		l.guard.setUnlocked(problem)
	}
}

// Problems returns what is wrong with the log's files, nothing if all is well.
func (l *Log) Problems() []string {
	if l.guard == nil {
		return nil
	}
	if problem := l.guard.problem.Load(); problem != nil {
		return []string{*problem}
	}
	return nil
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
		return scan(l.stmts.stream.QueryContext(ctx, stream))
	})
}

// ReadAll implements eventstore.Log.
func (l *Log) ReadAll(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	return Read(ctx, l, fmt.Sprintf("read the log after %d", after), func(*sql.DB) ([]eventstore.Event, error) {
		return scan(l.stmts.after.QueryContext(ctx, after, limit))
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

// Follow implements eventstore.Log.
func (l *Log) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		head, err := l.Head(ctx)
		if err == nil && after > head.Position {
			err = domain.Errorf(domain.CursorInvalid, "position %d is beyond the end of the log at %d; begin anew", after, head.Position)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		l.tail.Follow(ctx, after, l.readPatiently)(yield)
	}
}

// readPatiently is ReadAll for followers: it rides out what makes the file
// unreadable for a while.
func (l *Log) readPatiently(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	var unread outage.Outage
	for {
		events, err := l.ReadAll(ctx, after, limit)
		if domain.KindOf(err) != domain.Unavailable || errors.Is(err, dbfile.ErrClosed) {
			unread.Ended(l.logger, "the log can be read again")
			return events, err
		}
		tries := unread.Failed(l.logger, "the log cannot be read, trying again", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.closing:
			return nil, dbfile.ErrClosed
		case <-time.After(outage.Delay(followPause, tries)):
		}
	}
}
