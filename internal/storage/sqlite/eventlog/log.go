// Package eventlog keeps the log of the embedded store in the file log.db. It
// commits appends in groups, guards the file against being moved or replaced
// while it is open, and imports a log. Package sqlite specifies the file.
package eventlog

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/storage/sqlite/dbfile"
)

// Log implements eventstore.Log.
type Log struct {
	logger *slog.Logger
	path   string
	epoch  atomic.Pointer[string] // changed by an import
	writer *writer                // nil if read-only
	guard  *guard                 // nil if read-only

	tail eventstore.Tail
	// published is the highest position that the followers were told of.
	published atomic.Int64

	pool    *sql.DB    // of readers
	readers *gate.Gate // bounds the users of pool
	stmts   readStmts

	closing   chan struct{} // closed when Close begins
	watches   sync.WaitGroup
	closeOnce func() error
}

const (
	clientReaders = 8                      // connections for clients
	ownReaders    = 2                      // further ones for the server itself
	watchEvery    = 250 * time.Millisecond // how often to look for other processes' events
)

// Options configure Open.
type Options struct {
	// ReadOnly refuses to write, and to create a log.
	ReadOnly bool
	// Log receives messages for the operator. It must not be nil.
	Log *slog.Logger
}

// Open opens the log in a folder, and creates it if there is none. If the
// operator can solve the problem, the error says how.
func Open(ctx context.Context, dir string, o Options) (*Log, error) {
	path := filepath.Join(dir, dbfile.LogName)
	epoch, err := prepareFile(ctx, path, o.ReadOnly)
	if err != nil {
		return nil, err
	}
	opened, err := os.Stat(path)
	if err != nil {
		return nil, dbfile.OpenError(ctx, path, err)
	}
	l := &Log{logger: o.Log, path: path, readers: gate.New("log", clientReaders, ownReaders), closing: make(chan struct{})}
	l.epoch.Store(&epoch)
	l.tail.Logger = o.Log
	if err := l.openReaders(ctx); err != nil {
		return nil, dbfile.OpenError(ctx, path, err)
	}
	if !o.ReadOnly {
		if err = l.openWriter(ctx, opened); err != nil {
			return nil, errors.Join(dbfile.OpenError(ctx, path, err), l.closeReaders())
		}
		l.watches.Go(func() { l.guard.watch(l.closing) })
	}
	l.closeOnce = sync.OnceValue(l.close)
	l.watches.Go(l.watch)
	return l, nil
}

func (l *Log) openReaders(ctx context.Context) (err error) {
	if l.pool, err = dbfile.Open(l.path, "query_only(1)"); err != nil {
		return err
	}
	l.pool.SetMaxOpenConns(clientReaders + ownReaders)
	l.pool.SetMaxIdleConns(clientReaders + ownReaders)
	if l.stmts, err = prepareReads(ctx, l.pool); err != nil {
		return errors.Join(err, l.pool.Close())
	}
	var head int64
	if err := l.stmts.head.QueryRowContext(ctx).Scan(&head); err != nil {
		return errors.Join(err, l.closeReaders())
	}
	l.published.Store(head)
	return nil
}

// openWriter opens the guard and the writer. opened is log.db as it was before
// the readers opened it.
func (l *Log) openWriter(ctx context.Context, opened os.FileInfo) (err error) {
	if l.guard, err = openGuard(ctx, l.path, opened, l.pool, l.logger); err != nil {
		return err
	}
	l.guard.restored = l.closeIdleReaders
	l.writer, err = openWriter(ctx, l.path, l.publish, l.guard)
	return err
}

// closeIdleReaders closes the pool's idle connections. One of them may have been
// opened while another file was at the log's path, and would go on reading that
// file.
func (l *Log) closeIdleReaders() {
	l.pool.SetMaxIdleConns(0)
	l.pool.SetMaxIdleConns(clientReaders + ownReaders)
}

func (l *Log) closeReaders() error { return errors.Join(closeAll(l.stmts.all), l.pool.Close()) }

// Close commits what is queued and closes the file. Later calls, and followers,
// return an error of kind Unavailable. A second Close does nothing.
func (l *Log) Close() error { return l.closeOnce() }

func (l *Log) close() error {
	close(l.closing)
	l.watches.Wait()
	var err error
	if l.writer != nil {
		err = l.writer.close()
	}
	l.tail.Close(dbfile.ErrClosed)
	return errors.Join(err, l.closeReaders())
}

// publish passes committed events on to the followers. The writer calls it
// before it answers the appends, so that a follower's view of the log is never
// older than an append's caller's.
func (l *Log) publish(events []eventstore.Event) {
	if len(events) > 0 {
		l.tail.Publish(events)
		l.published.Store(int64(events[len(events)-1].Position))
	}
}

// watch makes the followers read the file when another process has appended to
// it.
func (l *Log) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var unreadable outage.Outage
	for {
		select {
		case <-l.closing:
			return
		case <-tick.C:
		}
		head, err := l.Head(gate.Own(context.Background()))
		if errors.Is(err, errFilesChanged) { // the guard logs it
			continue
		}
		if err != nil {
			unreadable.Failed(l.logger, "the log's head cannot be read", err)
			continue
		}
		unreadable.Ended(l.logger, "the log's head can be read again")
		// If the swap fails, this process has published events meanwhile, and
		// the next tick compares again.
		if p := l.published.Load(); int64(head.Position) > p && l.published.CompareAndSwap(p, int64(head.Position)) {
			l.tail.Reset()
		}
	}
}

// Err returns an error if the log is closed, or if its files are not the ones
// that were opened.
func (l *Log) Err() error {
	select {
	case <-l.closing:
		return dbfile.ErrClosed
	default:
	}
	if l.guard != nil {
		return l.guard.err()
	}
	return nil
}

// CheckFiles looks at the log's files now, and returns an error if they are not
// the ones that were opened.
func (l *Log) CheckFiles() error {
	if l.guard == nil {
		return nil
	}
	return l.guard.compareFiles()
}

// SetLockProblem sets a description of what is wrong with the lock of the log's
// folder, "" if nothing is. While there is a problem, appends fail.
func (l *Log) SetLockProblem(problem string) {
	if l.guard != nil {
		l.guard.setLockProblem(problem)
	}
}

// Problems describes what is wrong with the log's files. It is empty if all is
// well.
func (l *Log) Problems() []string {
	if l.guard == nil {
		return nil
	}
	if problem := l.guard.problem.Load(); problem != nil {
		return []string{*problem}
	}
	return nil
}

// Gate returns the statistics of the gate at which readers wait for a
// connection.
func (l *Log) Gate() gate.Stats { return l.readers.Stats() }
