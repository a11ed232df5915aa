package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chirp/internal/storage/sqlite/dbfile"
	"chirp/internal/storage/sqlite/views"
)

// setTempDir makes SQLite create its temporary files, such as those in which it
// sorts for an index, in the data folder: that has room for what is built in it,
// while the system's temporary folder may be small or not writable. The setting
// is for the whole process. If the folder cannot be written to, the setting stays
// as it is, and SQLite uses SQLITE_TMPDIR, TMPDIR or the system's folder.
func setTempDir(ctx context.Context, dir string) (err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "PRAGMA temp_store_directory = '"+strings.ReplaceAll(filepath.ToSlash(dir), "'", "''")+"'")
	if dbfile.Code(err) != 0 {
		return nil
	}
	return err
}

const (
	// removeEvery is how often a server removes temporary files that were left
	// behind. Those are the ones older than leftoverAge: no process uses a
	// temporary file that long without writing to it.
	removeEvery = time.Minute
	leftoverAge = time.Minute
)

// removeLeftovers removes the temporary files that processes left in a folder when
// they died.
func removeLeftovers(dir string, log *slog.Logger) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		log.Warn("the data folder cannot be listed", "folder", dir, "error", err)
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !isTemporary(e.Name()) || time.Since(info.ModTime()) < leftoverAge {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			log.Warn("a temporary file that was left behind cannot be removed", "folder", dir, "error", err)
		}
	}
}

// isTemporary reports whether files of that name are temporary. SQLite's begin with
// "etilqs_", where it cannot create files without a name.
func isTemporary(name string) bool {
	for _, prefix := range []string{"etilqs_", ".writable-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return views.IsTemporary(name)
}
