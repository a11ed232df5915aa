package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/dbfile"
	"chirp/internal/storage/sqlite/views"
)

// prepareFolder checks that the folder can be used, and creates it if o allows it.
func prepareFolder(dir string, o Options) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return domain.Errorf(domain.Invalid, "data folder %s is a file; name a folder with --data", dir)
	case errors.Is(err, fs.ErrNotExist) && (o.ReadOnly || o.Existing):
		return domain.Errorf(domain.Invalid, "data folder %s does not exist; name one that a server has used with --data", dir)
	case errors.Is(err, fs.ErrNotExist):
		if err := makeFolder(dir); err != nil {
			return domain.Errorf(domain.Invalid, "data folder %s cannot be created (%v); name another with --data", dir, dbfile.WithoutPath(err))
		}
	case err != nil:
		return dbfile.WithCause(err, domain.Errorf(domain.Invalid, "data folder %s cannot be used (%v); name another with --data", dir, dbfile.WithoutPath(err)))
	}
	if o.ReadOnly || o.Existing {
		if _, err := os.Stat(filepath.Join(dir, dbfile.LogName)); err != nil {
			return dbfile.WithCause(err, domain.Errorf(domain.Invalid, "data folder %s holds no log (%v); name one that a server has used with --data", dir, dbfile.WithoutPath(err)))
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

// folderMode is the mode of a folder that the store creates.
const folderMode fs.FileMode = 0o700

// makeFolder creates a folder and its missing parents, each synced, so that a power
// cut cannot take them away.
func makeFolder(dir string) error {
	above := filepath.Dir(dir)
	if _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist) {
		if err := makeFolder(above); err != nil {
			return err
		}
	}
	switch err := os.Mkdir(dir, folderMode); {
	case errors.Is(err, fs.ErrExist):
	case err != nil:
		return err
	default:
		if err := os.Chmod(dir, folderMode); err != nil { // whatever the umask has left of it
			return err
		}
	}
	return dbfile.SyncDir(above)
}

// checkWritable creates a file in the folder and removes it.
func checkWritable(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-*")
	if errors.Is(err, syscall.EROFS) {
		return dbfile.WithCause(err, domain.Errorf(domain.Invalid, "data folder %s is on a read-only file system; mount that for writing, or name another with --data", dir))
	}
	if err != nil {
		return dbfile.WithCause(err, domain.Errorf(domain.Invalid, "data folder %s is not writable (%v); change its permissions or name another with --data", dir, dbfile.WithoutPath(err)))
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := errors.Join(dbfile.Claim(f), f.Close()); err != nil {
		return domain.Errorf(domain.Invalid, "the files created in data folder %s cannot be given to the folder's owner (%v); run this command as that user", dir, dbfile.WithoutPath(err))
	}
	return nil
}

// refuseLostLog refuses a folder that has views but not the log that they were made
// from: a new log in its place would look as if nothing had ever been written. A
// log is always created before the views.
func refuseLostLog(dir string) error {
	path := filepath.Join(dir, dbfile.LogName)
	what := "is gone"
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil || info.Size() > 0:
		return nil // if it cannot be looked at, opening it fails
	default:
		what = "is empty"
	}
	if made, err := views.Exist(dir); err != nil || !made {
		return err
	}
	return domain.Errorf(domain.Invalid, "%s %s, though views were made from it; put a copy of it in place, or choose another folder with --data, or, to begin with an empty log, remove the views: rm %s %s",
		path, what, filepath.Join(dir, views.ServingFile), filepath.Join(dir, "views-*"))
}
