//go:build unix

package dbfile

import (
	"fmt"
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

// giveToOwner makes a new file belong to the owner of its folder, so that a
// command run by the superuser leaves no file that the server cannot use.
// SQLite does the same for the files that it adds to a database.
func giveToOwner(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := intendedOwner(filepath.Dir(f.Name()))
	if err != nil || uid == 0 {
		return err
	}
	return f.Chown(uid, gid)
}
