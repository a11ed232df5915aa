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

// Options configure Open.
type Options struct {
	// Exclusive locks the folder, as the one server on it does. Without it the
	// folder is shared with the processes that have it open.
	Exclusive bool
	// ReadOnly refuses to write, and to create the folder.
	ReadOnly bool
	// Existing refuses a folder without a store.
	Existing bool
	// CacheBytes is how much memory the pages of the views that are read may take;
	// 0 is the default.
	CacheBytes int64
	// Log receives messages for the operator; slog.Default() if nil.
	Log *slog.Logger
}

// Store is a data folder that is open in this process.
type Store struct {
	dir     string // absolute, in case the working directory changes
	options Options
	lock    *os.File // nil unless Exclusive

	log         *eventlog.Log
	credentials *credentials.Store
	views       *views.Store

	closing     chan struct{} // closed when Close begins
	watches     sync.WaitGroup
	viewsOutage outage.Outage
	once        sync.Once
}

// Open opens the store in a folder, and creates what is missing in it. If another
// server has the folder, if it cannot be written to, or if what is in it is not a
// store of this program, Open changes nothing and returns an error of kind Invalid
// that says what to do.
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
	if err := setTempDir(ctx, dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if o.Exclusive {
		removeLeftovers(dir, o.Log)
	}
	if err := s.open(ctx, dir, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, dir string, o Options) (err error) {
	if err := refuseLostLog(dir); err != nil {
		return err
	}
	mendModes(dir, o) // before anything that can fail
	if s.log, err = eventlog.Open(ctx, dir, eventlog.Options{ReadOnly: o.ReadOnly, Log: o.Log}); err != nil {
		return err
	}
	if s.credentials, err = credentials.Open(ctx, s.log); err != nil {
		return err
	}
	vo := views.Options{Exclusive: o.Exclusive, ReadOnly: o.ReadOnly, CacheBytes: o.CacheBytes, Log: o.Log}
	if o.Exclusive {
		vo.CheckLog = s.log.CheckFiles
	}
	if s.views, err = views.Open(ctx, dir, s.log, vo); err != nil {
		return err
	}
	if o.Exclusive {
		s.watches.Go(s.watch)
	}
	return nil
}

// Log returns the log.
func (s *Store) Log() eventstore.Log { return s.log }

// Views returns the read model.
func (s *Store) Views() readmodel.Store { return s.views }

// Credentials returns the credentials and the token secret.
func (s *Store) Credentials() auth.Credentials { return s.credentials }

// Gates returns the statistics of the gates at which callers wait for a connection.
func (s *Store) Gates() []gate.Stats {
	return []gate.Stats{s.views.Gate(), s.log.Gate()}
}

// Problems returns the reasons why the store cannot be trusted, or written to, at
// the moment. It is empty if all is well.
func (s *Store) Problems() []string {
	problems := s.log.Problems()
	if report, failing := s.viewsOutage.Now(); failing {
		problems = append(problems, report.Err.Error())
	}
	return problems
}

// TryWrite writes to the log as an append does, and deletes what it wrote in the
// same transaction.
func (s *Store) TryWrite(ctx context.Context) error { return s.log.TryWrite(ctx) }

// Notices returns nothing: on the embedded store everything wrong is a problem.
func (s *Store) Notices() []string { return nil }

// Close commits what is queued, closes the files and unlocks the folder. A second
// call does nothing.
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
