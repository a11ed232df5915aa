package sqlite

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/dbfile"
)

const lockFile = "lock"

// lockFolder takes the folder's lock, which ends with the process or when the
// file is closed. The file stays: it is the lock on it that counts.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dbfile.Because(err, domain.Errorf(domain.Invalid, "data folder %s cannot be locked (%v); change the permissions of its files or name another with --data", dir, dbfile.Cause(err)))
	}
	locked, err := tryLock(f)
	if err == nil && locked {
		err = dbfile.GiveToOwner(f.Name())
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

// writePID names this process to one that finds the lock taken.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}
