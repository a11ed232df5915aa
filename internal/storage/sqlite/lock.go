package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/dbfile"
)

// lockName is the name of the lock file in a data folder.
const lockName = "lock"

// lockFolder locks a data folder until the file is closed or the process ends. The
// file itself stays: only the lock on it has a meaning.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|noFollow, dbfile.Mode)
	if err != nil {
		return nil, dbfile.WithCause(err, domain.Errorf(domain.Invalid, "data folder %s cannot be locked (%v); change the permissions of its files or name another with --data", dir, dbfile.WithoutPath(err)))
	}
	locked, err := tryLock(f)
	if err == nil && locked {
		err = claimLock(f)
	}
	if err == nil && locked {
		err = writePID(f)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	if !locked {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		_ = f.Close()
		return nil, domain.Errorf(domain.Invalid, "data folder %s is held by another server (pid %s); stop it or choose another with --data", dir, strings.TrimSpace(string(pid)))
	}
	return f, nil
}

// claimLock claims the lock file. One that belongs to another user keeps its mode,
// which matters little because it holds only a process id.
func claimLock(f *os.File) error {
	err := dbfile.Claim(f)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return nil
	}
	return err
}

// writePID writes the process id to the lock file, for the error of a process that
// finds the folder locked.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}
