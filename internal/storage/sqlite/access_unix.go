//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	codes "modernc.org/sqlite/lib"

	"golang.org/x/sys/unix"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/dbfile"
)

// checkOwner refuses a command that would make files which the server of the
// folder could not use.
func checkOwner(dir string) error {
	me := os.Geteuid()
	uid, _, err := dbfile.Owner(filepath.Join(dir, dbfile.LogName))
	if err != nil || me == 0 || uid == me {
		return nil // what cannot be looked at is refused by what needs it
	}
	return domain.Errorf(domain.Invalid, "the log in data folder %s belongs to %s, and this command runs as %s: the server could not use the files that it makes; run it as %[2]s", dir, userName(uid), userName(me))
}

// explainAccess makes an error that is about permissions name the file that is
// in the way, whose it is, and what to do.
func explainAccess(dir string, o Options, err error) error {
	if err == nil || !errors.Is(err, fs.ErrPermission) && !accessCode(err) {
		return err
	}
	wanted := uint32(unix.R_OK | unix.W_OK)
	if o.ReadOnly {
		wanted = unix.R_OK
	}
	path, found := inaccessible(dir, wanted)
	if !found {
		return explainReadOnly(dir, o, err)
	}
	uid, _, statErr := dbfile.Owner(path)
	folder, _, folderErr := dbfile.Owner(dir)
	if statErr != nil || folderErr != nil {
		return err
	}
	me := os.Geteuid()
	what := fmt.Sprintf("%s belongs to %s, and %s, as whom this program runs, may not use it", path, userName(uid), userName(me))
	if folder != me {
		return domain.Errorf(domain.Invalid, "%s; run it as %s, to whom the data folder belongs, or name another folder with --data", what, userName(folder))
	}
	if uid == me {
		return domain.Errorf(domain.Invalid, "%s belongs to %s, as whom this program runs, but its mode keeps it away; change that: chmod -R u+rwX %s", path, userName(me), dir)
	}
	return domain.Errorf(domain.Invalid, "%s; as root, give the folder's files back: chown -R %s %s", what, userName(me), dir)
}

// explainReadOnly makes the error of a command that only reads say that the
// folder cannot be written, if that is so: SQLite needs to.
func explainReadOnly(dir string, o Options, err error) error {
	refused := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if refused == nil || !o.ReadOnly {
		return err
	}
	const because, copied = "SQLite adds files to it even to read the log", "copy the folder elsewhere, with all its files, and name the copy with --data"
	if errors.Is(refused, unix.EROFS) {
		return domain.Errorf(domain.Invalid, "data folder %s is on a read-only file system, and %s; %s", dir, because, copied)
	}
	me := os.Geteuid()
	uid, _, ownerErr := dbfile.Owner(dir)
	switch {
	case ownerErr != nil:
		return err
	case uid == me:
		return domain.Errorf(domain.Invalid, "data folder %s may not be written by its mode, and %s; change that: chmod u+w %[1]s", dir, because)
	}
	return domain.Errorf(domain.Invalid, "data folder %s may not be written by %s, and %s; run it as %s, to whom the folder belongs, or %s", dir, userName(me), because, userName(uid), copied)
}

// inaccessible finds the first of a folder and its files that this process may
// not use as it wants.
func inaccessible(dir string, wanted uint32) (path string, found bool) {
	may := func(path string, mode uint32) bool {
		return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS) == nil
	}
	if !may(dir, wanted|unix.X_OK) {
		return dir, true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return dir, true
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); e.Type().IsRegular() && !may(path, wanted) {
			return path, true
		}
	}
	return "", false
}

// accessCode reports whether an error is one with which SQLite answers a lack
// of permission, among other things.
func accessCode(err error) bool {
	switch dbfile.Code(err) {
	case codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_PERM, codes.SQLITE_AUTH:
		return true
	default:
		return false
	}
}

// userName returns a user's name, or the number of one who has none.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
