//go:build unix

package dbfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Owner returns the user and the group that a file belongs to.
func Owner(path string) (uid, gid int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, fmt.Errorf("the owner of %s is not known", path)
	}
	return int(s.Uid), int(s.Gid), nil
}

// intendedOwner returns the owner that the files of a folder should have: the
// folder's or, if that is the superuser, the log's.
func intendedOwner(dir string) (uid, gid int, err error) {
	if uid, gid, err = Owner(dir); err != nil || uid != 0 {
		return uid, gid, err
	}
	if logUID, logGID, err := Owner(filepath.Join(dir, LogName)); err == nil {
		return logUID, logGID, nil
	}
	return uid, gid, nil
}

// GiveToOwner makes a new file belong to the owner of its folder, so that a
// command run by the superuser leaves no file that the server cannot use.
// SQLite does the same for the files that it adds to a database.
func GiveToOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := intendedOwner(filepath.Dir(path))
	if err != nil || uid == 0 {
		return err
	}
	return os.Chown(path, uid, gid)
}

// CreateForOwner creates an empty database file if the caller is the superuser
// and the folder belongs to another user, because SQLite would create it as the
// superuser's. Otherwise, and if the file exists, it does nothing.
func CreateForOwner(path string) error {
	if uid, _, err := intendedOwner(filepath.Dir(path)); os.Geteuid() != 0 || uid == 0 || err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644) // SQLite's mode
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(GiveToOwner(path), f.Close())
}
