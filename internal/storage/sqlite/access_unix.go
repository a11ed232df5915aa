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

// checkOwner refuses a command that runs as another user than the log's owner,
// because the server could not use the files that it creates.
func checkOwner(dir string) error {
	me := os.Geteuid()
	uid, _, err := dbfile.Owner(filepath.Join(dir, dbfile.LogName))
	if err != nil || me == 0 || uid == me {
		return nil // if it cannot be looked at, opening it fails
	}
	return domain.Errorf(domain.Invalid, "the log in data folder %s belongs to %s, and this command runs as %s: the server could not use the files that it creates; run it as %[2]s", dir, userName(uid), userName(me))
}

// explainAccess replaces an error that is due to missing permissions by one that
// names the file in question and its owner, and says what to do.
func explainAccess(dir string, o Options, err error) error {
	if err == nil || !errors.Is(err, fs.ErrPermission) && !isAccessCode(err) {
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
	what := fmt.Sprintf("%s belongs to %s, and this program runs as %s, who may not use it", path, userName(uid), userName(me))
	if folder != me {
		return domain.Errorf(domain.Invalid, "%s; run it as %s, who owns the data folder, or name another folder with --data", what, userName(folder))
	}
	if uid == me {
		return domain.Errorf(domain.Invalid, "%s belongs to %s, and this program runs as that user, but the mode forbids access; change it: chmod -R u+rwX %s", path, userName(me), dir)
	}
	return domain.Errorf(domain.Invalid, "%s; as root, give the folder's files back: chown -R %s %s", what, userName(me), dir)
}

// explainReadOnly replaces the error of a command that only reads, if the folder
// cannot be written to: SQLite must create files in it even to read.
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
		return domain.Errorf(domain.Invalid, "the mode of data folder %s forbids writing, and %s; change it: chmod u+w %[1]s", dir, because)
	}
	return domain.Errorf(domain.Invalid, "data folder %s may not be written by %s, and %s; run it as %s, who owns the folder, or %s", dir, userName(me), because, userName(uid), copied)
}

// inaccessible returns the first of a folder and its files that this process may
// not access in the wanted way, and whether there is one.
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

// isAccessCode reports whether an error of SQLite may be due to missing
// permissions.
func isAccessCode(err error) bool {
	switch dbfile.Code(err) {
	case codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_PERM, codes.SQLITE_AUTH:
		return true
	default:
		return false
	}
}

// userName returns a user's name, or the number if the user has no name.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
