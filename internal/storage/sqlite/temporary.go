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

// useForTemporaries makes SQLite put its temporary files, such as those in
// which it sorts for an index, into the data folder: there is room for what is
// made there, and the system's temporary folder may be small or not writable.
// The setting is the process's. In a folder that may not be written it is left
// as it is, and SQLite uses SQLITE_TMPDIR, TMPDIR or the system's.
func useForTemporaries(ctx context.Context, dir string) (err error) {
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
	// sweepEvery is how often a server looks for temporary files that were left
	// behind, and leftAfter the age from which one is: none is in use so long.
	sweepEvery = time.Minute
	leftAfter  = time.Minute
)

// sweep removes temporary files that processes which died left in a folder.
func sweep(dir string, log *slog.Logger) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		log.Warn("the data folder cannot be listed", "folder", dir, "error", err)
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !temporary(e.Name()) || time.Since(info.ModTime()) < leftAfter {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			log.Warn("a temporary file that was left behind cannot be removed", "folder", dir, "error", err)
		}
	}
}

// temporary reports whether a name is one of a file that exists for a moment.
// SQLite's begin with etilqs; where it can it makes files without a name.
func temporary(name string) bool {
	for _, prefix := range []string{"etilqs_", ".writable-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return views.IsTemporary(name)
}
