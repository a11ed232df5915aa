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
// after a crash. They belong to it: a copy of the folder needs them too.
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

	driver "modernc.org/sqlite"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
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
	lock  *os.File // nil unless exclusive
	log   *Log
	views *Views
}

// Open opens the store in a folder, and creates what is missing in it. A
// folder that is held by another server, is not writable or is no store of
// this program gives an error of kind Invalid that says what to do, and is
// left as it is.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	o.Log = cmp.Or(o.Log, slog.Default())
	if err := prepareFolder(dir, o); err != nil {
		return nil, err
	}
	if _, err := driver.Fdatasync(true); err != nil && !errors.Is(err, driver.ErrFdatasyncUnavailable) {
		return nil, err
	}
	s := &Store{}
	if o.Exclusive {
		lock, err := lockFolder(dir)
		if err != nil {
			return nil, err
		}
		s.lock = lock
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
	s.views, err = openViews(ctx, dir, o, s.log.Head)
	return err
}

// Log gives the log.
func (s *Store) Log() eventstore.Log { return s.log }

// Views gives the read model.
func (s *Store) Views() readmodel.Store { return s.views }

// Credentials gives what must never be in the log.
func (s *Store) Credentials() auth.Credentials { return credentials{s.log} }

// Close commits what is queued, closes the files and gives the lock up. A
// second call does nothing.
func (s *Store) Close() error {
	var errs []error
	if s.views != nil {
		errs = append(errs, s.views.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
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
		return domain.Errorf(domain.Invalid, "data folder %s cannot be used (%v); name another with --data", dir, cause(err))
	}
	if o.ReadOnly || o.Existing {
		if _, err := os.Stat(filepath.Join(dir, logFile)); err != nil {
			return domain.Errorf(domain.Invalid, "data folder %s holds no log (%v); name one that a server has used with --data", dir, cause(err))
		}
	}
	if o.ReadOnly {
		return nil
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
	if err != nil {
		return domain.Errorf(domain.Invalid, "data folder %s is not writable (%v); change its permissions or name another with --data", dir, cause(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
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
