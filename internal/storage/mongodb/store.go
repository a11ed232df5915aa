package mongodb

import (
	"context"
	"log/slog"
	"sync"

	"chirp/internal/auth"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/credentials"
	"chirp/internal/storage/mongodb/eventlog"
	"chirp/internal/storage/mongodb/integrity"
	"chirp/internal/storage/mongodb/views"
)

// Options are settings of a Store. The zero value is ready to use.
type Options struct {
	// Log receives what an operator should know; slog.Default() if nil.
	Log *slog.Logger
	// Import opens the database for an import: it refuses a database that
	// servers use, and accepts one whose import was broken off.
	Import bool
	// Existing refuses a database that holds no log, and creates nothing in it.
	Existing bool
	// ReadOnly is Existing for commands that only read, and needs no right but
	// to read the database: nothing is ever written, created or ended.
	ReadOnly bool
}

// Store is one database, opened by one process.
type Store struct {
	conn        *conn.Conn
	options     Options
	epoch       string
	monitor     *integrity.Monitor
	log         *eventlog.Log
	views       *views.Store
	credentials *credentials.Store

	stop context.CancelFunc // ends what runs in the background
	done sync.WaitGroup
}

// Open connects to a database and creates what is missing in it. Four things
// might happen:
//
//  1. The database is ready: the Store is returned, to be closed by the caller.
//  2. No server answers, there is no primary, or the replica set was not
//     initiated: kind Unavailable; trying again may help.
//  3. The URI is malformed, the password is refused, the user has no right to
//     the database, the server is not a replica set or is set up in a way that
//     does not work, or the database has lost something: kind Invalid, with what
//     is wrong.
//  4. Anything else is an error of another kind.
func Open(ctx context.Context, uri, database string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	app := appName(database)
	if o.Import {
		app += " import"
	}
	c, err := dial(uri, database, app)
	if err != nil {
		return nil, err
	}
	s := &Store{conn: c, options: o}
	s.monitor = integrity.New(c, s.monitorLogger(), o.ReadOnly)
	if err := s.prepare(ctx, uri); err != nil {
		_ = c.Client().Disconnect(context.WithoutCancel(ctx))
		return nil, refuseSetUp(err)
	}
	s.start()
	return s, nil
}

// monitorLogger returns where the monitor logs what it finds. Commands that only
// read report it in their own way.
func (s *Store) monitorLogger() *slog.Logger {
	if s.options.ReadOnly {
		return slog.New(slog.DiscardHandler)
	}
	return s.options.Log
}

// start opens the parts of the store and starts what runs in the background. A
// store that only reads has nothing running.
func (s *Store) start() {
	reaper := conn.NewReaper(s.conn, appName(s.conn.DB().Name()), s.options.Log)
	s.log = eventlog.New(eventlog.Config{
		Conn: s.conn, Monitor: s.monitor, Reaper: reaper, Logger: s.options.Log, Epoch: s.epoch, ReadOnly: s.options.ReadOnly,
		DropViews: func(ctx context.Context) error { return views.Drop(ctx, s.conn.DB()) },
	})
	s.views = views.New(s.conn, s.options.Log, s.log.CheckpointMoves)
	s.credentials = credentials.New(s.conn, s.monitor)
	var life context.Context
	life, s.stop = context.WithCancel(gate.Own(context.Background()))
	if s.options.ReadOnly {
		return
	}
	s.done.Go(func() { reaper.Watch(life) })
	s.done.Go(func() { s.monitor.Watch(life) })
	s.done.Go(func() { s.monitor.WatchGaps(life) })
}

// Log returns the database's log.
func (s *Store) Log() eventstore.Log { return s.log }

// Views returns the database's read model.
func (s *Store) Views() readmodel.Store { return s.views }

// Credentials returns the database's password hashes and token secret.
func (s *Store) Credentials() auth.Credentials { return s.credentials }

// Gates returns the numbers of what callers wait at for a connection.
func (s *Store) Gates() []gate.Stats { return []gate.Stats{s.conn.Gate().Stats()} }

// Problems returns the reasons why the store must not be trusted or cannot be
// written now, none if all is well.
func (s *Store) Problems() []string { return s.monitor.Problems() }

// Notices names the documents in the collection of the events that are no
// events, and that readers skip.
func (s *Store) Notices() []string { return s.monitor.Notices() }

// TryWrite reports whether an event could be appended now, without appending
// one.
func (s *Store) TryWrite(ctx context.Context) error { return s.log.TryWrite(ctx) }

// Close waits for the appends in progress, ends the transactions that may still
// be open, and closes the connections. No other call may be in progress.
func (s *Store) Close() error {
	s.log.Close()
	s.views.Close()
	s.stop()
	s.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), conn.AnswerTimeout)
	defer cancel()
	s.conn.EndTransactions(ctx, s.options.Log)
	return s.conn.Client().Disconnect(ctx)
}
