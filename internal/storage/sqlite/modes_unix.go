//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"chirp/internal/storage/sqlite/dbfile"
	"chirp/internal/storage/sqlite/views"
)

// others is the part of a mode that is about users other than the owner.
const others fs.FileMode = 0o077

// mendModes takes the store's files away from other users: an older version, or
// a user who restored a copy, may have left them readable. What cannot be mended is
// logged with what to do. So is a folder that other users can enter, when a server
// opens it.
func mendModes(dir string, o Options) {
	if open := mendFiles(dir); len(open) > 0 {
		o.Log.Warn("other users can use files of the data folder, which hold password hashes and the token secret; as their owner or as root, run: chmod go-rwx " +
			strings.Join(open, " "))
	}
	info, err := os.Stat(dir)
	if !o.Exclusive || err != nil || info.Mode()&others == 0 {
		return
	}
	can := "enter"
	if info.Mode()&0o022 != 0 {
		can = "change"
	}
	o.Log.Warn(fmt.Sprintf("other users can %s the data folder, whose mode is %#o; its files are closed to them; to close the folder too, run: chmod 700 %s "+
		"(a systemd unit with StateDirectory= needs StateDirectoryMode=0700)", can, info.Mode().Perm(), dir))
}

// mendFiles removes other users' rights to the store's files in a folder, and
// returns the paths of those that it could not mend. It leaves symbolic links
// alone: the store makes none, and they may lead to files of others.
func mendFiles(dir string) (open []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // opening the store has just used it
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.Type().IsRegular() && isOurs(e.Name()) && openToOthers(path) && mendFile(path) != nil && openToOthers(path) {
			open = append(open, path)
		}
	}
	return open
}

// isOurs reports whether a file of that name belongs to the store, or is a copy of
// the log beside it.
func isOurs(name string) bool {
	return name == lockName || name == views.ServingFile || isTemporary(name) ||
		strings.HasPrefix(name, dbfile.LogName) || strings.HasPrefix(name, views.ServingFile+"-")
}

// openToOthers reports whether other users have rights to a file. SQLite may remove
// the file at any time.
func openToOthers(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&others != 0
}

var errNotRegular = errors.New("not a regular file")

// mendFile removes other users' rights to a file. It fails for a symbolic link that
// has just taken the file's place.
func mendFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = errNotRegular
	case err == nil:
		err = f.Chmod(info.Mode() & dbfile.Mode)
	}
	return errors.Join(err, f.Close())
}
