package sqlite

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	driver "modernc.org/sqlite"

	"chirp/internal/auth"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/credentials"
	"chirp/internal/storage/sqlite/eventlog"
	"chirp/internal/storage/sqlite/views"
)

// Options say how a folder is opened.
type Options struct {
	// Exclusive takes the folder's lock, as the one server does that serves
	// it. Without it the folder is shared with whoever has it open.
	Exclusive bool
	// ReadOnly refuses to write, and to create a folder that is not there.
	ReadOnly bool
	// Existing refuses a folder that holds no store.
	Existing bool
	// Log receives what an operator should know; slog.Default() if nil.
	Log *slog.Logger
}

// Store is one folder, opened by one process.
type Store struct {
	dir     string // absolute: it stays the folder that was opened
	options Options
	lock    *os.File // nil unless exclusive

	log         *eventlog.Log
	credentials *credentials.Store
	views       *views.Store

	closing     chan struct{} // closed when the store is being closed
	watches     sync.WaitGroup
	viewsOutage outage.Outage
	once        sync.Once
}

// Open opens the store in a folder, and creates what is missing in it. A
// folder that is held by another server, is not writable or is no store of
// this program gives an error of kind Invalid that says what to do, and is
// left as it is.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	o.Log = cmp.Or(o.Log, slog.Default())
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s, err := openStore(ctx, dir, o)
	return s, explainAccess(dir, o, err)
}

func openStore(ctx context.Context, dir string, o Options) (*Store, error) {
	if err := prepareFolder(dir, o); err != nil {
		return nil, err
	}
	if _, err := driver.Fdatasync(true); err != nil && !errors.Is(err, driver.ErrFdatasyncUnavailable) {
		return nil, err
	}
	s := &Store{dir: dir, options: o, closing: make(chan struct{})}
	if o.Exclusive {
		lock, err := lockFolder(dir)
		if err != nil {
			return nil, err
		}
		s.lock = lock
	}
	if err := useForTemporaries(ctx, dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if o.Exclusive {
		sweep(dir, o.Log)
	}
	if err := s.open(ctx, dir, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, dir string, o Options) (err error) {
	if err := checkKept(dir); err != nil {
		return err
	}
	if s.log, err = eventlog.Open(ctx, dir, eventlog.Options{ReadOnly: o.ReadOnly, Log: o.Log}); err != nil {
		return err
	}
	if s.credentials, err = credentials.Open(ctx, s.log); err != nil {
		return err
	}
	vo := views.Options{Exclusive: o.Exclusive, ReadOnly: o.ReadOnly, Log: o.Log}
	if o.Exclusive {
		vo.Intact = s.log.CheckFiles
	}
	if s.views, err = views.Open(ctx, dir, s.log, vo); err != nil {
		return err
	}
	if o.Exclusive {
		s.watches.Go(s.watch)
	}
	return nil
}

// Log gives the log.
func (s *Store) Log() eventstore.Log { return s.log }

// Views gives the read model.
func (s *Store) Views() readmodel.Store { return s.views }

// Credentials gives what must never be in the log.
func (s *Store) Credentials() auth.Credentials { return s.credentials }

// Gates returns the numbers of what callers wait at for a connection.
func (s *Store) Gates() []gate.Stats {
	return []gate.Stats{s.views.Gate(), s.log.Gate()}
}

// Problems returns the reasons why the store must not be trusted or cannot be
// written now, none if all is well.
func (s *Store) Problems() []string {
	problems := s.log.Problems()
	if report, failing := s.viewsOutage.Now(); failing {
		problems = append(problems, report.Err.Error())
	}
	return problems
}

// TryWrite writes to the log as an append does, and takes it away again.
func (s *Store) TryWrite(ctx context.Context) error { return s.log.TryWrite(ctx) }

// Notices returns nothing: on the embedded store whatever is wrong is a problem.
func (s *Store) Notices() []string { return nil }

// Close commits what is queued, closes the files and gives the lock up. A
// second call does nothing.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closing) })
	s.watches.Wait()
	var errs []error
	if s.views != nil {
		errs = append(errs, s.views.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.lock != nil {
		errs = append(errs, unlock(s.lock))
		s.lock = nil
	}
	return errors.Join(errs...)
}
