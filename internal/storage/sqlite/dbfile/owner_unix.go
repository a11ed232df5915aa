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

// Owner returns whose a file is.
func Owner(path string) (uid, gid int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, fmt.Errorf("whose %s is is not known", path)
	}
	return int(s.Uid), int(s.Gid), nil
}

// folderOwner returns whose the files of a folder are to be: the folder's
// owner's, or if that is the superuser those of the log's owner.
func folderOwner(dir string) (uid, gid int, err error) {
	if uid, gid, err = Owner(dir); err != nil || uid != 0 {
		return uid, gid, err
	}
	if logUID, logGID, err := Owner(filepath.Join(dir, LogName)); err == nil {
		return logUID, logGID, nil
	}
	return uid, gid, nil
}

// GiveToOwner makes a new file the folder's owner's, so that a command which
// the superuser runs leaves nothing that the server cannot use. SQLite does the
// same for the files that it adds to a database.
func GiveToOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := folderOwner(filepath.Dir(path))
	if err != nil || uid == 0 {
		return err
	}
	return os.Chown(path, uid, gid)
}

// CreateForOwner makes a file that SQLite would make for the superuser.
func CreateForOwner(path string) error {
	if uid, _, err := folderOwner(filepath.Dir(path)); os.Geteuid() != 0 || uid == 0 || err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644) // the mode that SQLite gives it
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(GiveToOwner(path), f.Close())
}
