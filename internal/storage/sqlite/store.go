// Package sqlite keeps the log, the views and the credentials in one folder,
// with no server to install.
//
// # The folder
//
//	log.db        the log, the credentials and the token secret (log_schema.go)
//	views         says which generation of the views serves
//	views-N.db    generation N of the views, which can be made from the log anew
//	lock          held by the server that serves the folder; names its process
//
// SQLite adds files that end in -wal and -shm while a database is open, and
// after a crash. They belong to it: a copy of the folder needs them too. Its
// temporary files are here as well, most of them without a name; the server
// removes those that are left behind.
//
// # Durability
//
// The log is in WAL mode with synchronous=FULL: an append that has returned
// was synced to the disk. Appends share transactions, and so the sync, with
// all others that arrived while the transaction before theirs was committed.
// Open makes SQLite sync with fdatasync where the system has it: as durable as
// fsync, without the wait for the file's time stamps.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	driver "modernc.org/sqlite"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/readmodel"
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
	log     *Log
	views   *Views

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
	if s.log, err = openLog(ctx, dir, o); err != nil {
		return err
	}
	if s.views, err = openViews(ctx, dir, o, s.log); err != nil {
		return err
	}
	if o.Exclusive {
		s.views.intact = s.log.guard.sameFiles
		s.watches.Go(s.watch)
	}
	return nil
}

// Log gives the log.
func (s *Store) Log() eventstore.Log { return s.log }

// Views gives the read model.
func (s *Store) Views() readmodel.Store { return s.views }

// Credentials gives what must never be in the log.
func (s *Store) Credentials() auth.Credentials { return credentials{s.log} }

// Gates returns the numbers of what callers wait at for a connection.
func (s *Store) Gates() []gate.Stats {
	return []gate.Stats{s.views.readers.Stats(), s.log.readers.Stats()}
}

// Problems returns the reasons why the store must not be trusted or cannot be
// written now, none if all is well.
func (s *Store) Problems() []string {
	problems := s.log.problems()
	if report, failing := s.viewsOutage.Now(); failing {
		problems = append(problems, report.Err.Error())
	}
	return problems
}

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

// prepareFolder makes the folder if it may, and sees that it is one.
func prepareFolder(dir string, o Options) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return domain.Errorf(domain.Invalid, "data folder %s is a file; name a folder with --data", dir)
	case errors.Is(err, fs.ErrNotExist) && (o.ReadOnly || o.Existing):
		return domain.Errorf(domain.Invalid, "data folder %s does not exist; name one that a server has used with --data", dir)
	case errors.Is(err, fs.ErrNotExist):
		if err := makeFolder(dir); err != nil {
			return domain.Errorf(domain.Invalid, "data folder %s cannot be created (%v); name another with --data", dir, cause(err))
		}
	case err != nil:
		return because(err, domain.Errorf(domain.Invalid, "data folder %s cannot be used (%v); name another with --data", dir, cause(err)))
	}
	if o.ReadOnly || o.Existing {
		if _, err := os.Stat(filepath.Join(dir, logFile)); err != nil {
			return because(err, domain.Errorf(domain.Invalid, "data folder %s holds no log (%v); name one that a server has used with --data", dir, cause(err)))
		}
	}
	if o.ReadOnly {
		return nil
	}
	if !o.Exclusive {
		if err := checkOwner(dir); err != nil {
			return err
		}
	}
	return checkWritable(dir)
}

// makeFolder makes a folder, and those above it that are not there, so that a
// power cut cannot take them away.
func makeFolder(dir string) error {
	above := filepath.Dir(dir)
	if _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist) {
		if err := makeFolder(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(above)
}

// checkWritable makes a file in the folder and takes it away again.
func checkWritable(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-*")
	if errors.Is(err, syscall.EROFS) {
		return because(err, domain.Errorf(domain.Invalid, "data folder %s is on a read-only file system; mount that for writing, or name another with --data", dir))
	}
	if err != nil {
		return because(err, domain.Errorf(domain.Invalid, "data folder %s is not writable (%v); change its permissions or name another with --data", dir, cause(err)))
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := errors.Join(f.Close(), giveToOwner(dir, f.Name())); err != nil {
		return domain.Errorf(domain.Invalid, "what is made in data folder %s cannot be given to the folder's owner (%v); run this command as that user", dir, cause(err))
	}
	return nil
}

// cause leaves the path out of an error of the file system, for the messages
// here name it themselves.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
