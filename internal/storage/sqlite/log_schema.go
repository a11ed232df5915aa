package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"chirp/internal/domain"
)

const (
	logFile = "log.db"
	// applicationID marks the file as a log of this program: "Chrp".
	applicationID = 0x43687270
	// schemaVersion grows when the tables change.
	schemaVersion = 1
	// checkedPages is the size up to which every page is checked when the log
	// is opened: 16 MB, some hundredths of a second. Beyond it, damage is
	// found when it is read.
	checkedPages = 4096
)

// eventIndexes makes the indexes of the events.
const eventIndexes = `
CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
CREATE UNIQUE INDEX events_by_command ON events (actor, command_id) WHERE fingerprint IS NOT NULL;`

// schema makes the tables. In events, fingerprint and commit_events are set on
// the first event of an append only: the command's fingerprint, and how many
// events the append has. Times are milliseconds since 1970, UTC.
const schema = `
CREATE TABLE events (
	position       INTEGER PRIMARY KEY,
	stream         TEXT NOT NULL,
	version        INTEGER NOT NULL,
	type           TEXT NOT NULL,
	data           TEXT NOT NULL,
	recorded_at    INTEGER NOT NULL,
	actor          TEXT NOT NULL,
	command_id     TEXT NOT NULL,
	correlation_id TEXT NOT NULL,
	trace_id       TEXT NOT NULL,
	fingerprint    TEXT,
	commit_events  INTEGER
) STRICT;` + eventIndexes + `
CREATE TABLE credentials (
	user_id   TEXT PRIMARY KEY,
	hash      TEXT NOT NULL,
	saved_at  INTEGER NOT NULL,
	confirmed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_unconfirmed ON credentials (saved_at) WHERE confirmed = 0;
CREATE TABLE meta (
	epoch  TEXT NOT NULL,
	secret BLOB
) STRICT;`

// dsn names a database file and the settings of every connection to it.
func dsn(path string, pragmas ...string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	query := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String(), nil
}

// prepareLog checks the log's file, and makes it if it is new. It writes
// nothing to one that it refuses.
func prepareLog(ctx context.Context, dir string, readOnly bool) (epoch string, err error) {
	path := filepath.Join(dir, logFile)
	if err := checkKept(dir); err != nil {
		return "", err
	}
	if !readOnly {
		if err := makeForOwner(dir, path); err != nil {
			return "", openError(ctx, path, err)
		}
	}
	name, err := dsn(path, "synchronous(FULL)")
	if err != nil {
		return "", err
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return "", err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := checkLog(ctx, db, path)
	switch {
	case err != nil || found:
	case readOnly:
		err = domain.Errorf(domain.Invalid, "%s is empty; name a folder that a server has used with --data", path)
	default:
		err = createLog(ctx, db, dir)
	}
	if err == nil {
		err = db.QueryRowContext(ctx, "SELECT epoch FROM meta").Scan(&epoch)
	}
	if err != nil {
		return "", openError(ctx, path, err)
	}
	return epoch, nil
}

// checkKept refuses a folder that has views but lost the log from which they
// were made: a new log in its place would look as if nothing had ever been
// written. A log is made before the first views are.
func checkKept(dir string) error {
	path := filepath.Join(dir, logFile)
	what := "is gone"
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil || info.Size() > 0:
		return nil // what cannot be looked at is refused by what needs it
	default:
		what = "is empty"
	}
	made := false
	err := eachGeneration(dir, func(file string, number int) error {
		made = made || file == viewsPath(dir, number)
		return nil
	})
	if err != nil || !made {
		return err
	}
	return domain.Errorf(domain.Invalid, "%s %s, though views were made from it; put a copy of it in place, or choose another folder with --data, or, to begin with an empty log, remove the views: rm %s %s",
		path, what, filepath.Join(dir, servingFile), filepath.Join(dir, "views-*"))
}

// checkLog says whether the file holds a log; false means that it is empty.
func checkLog(ctx context.Context, db *sql.DB, path string) (bool, error) {
	var application, version, tables, pages int64
	err := db.QueryRowContext(ctx, `SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema), p.page_count
		FROM pragma_application_id a, pragma_user_version v, pragma_page_count p`).Scan(&application, &version, &tables, &pages)
	switch {
	case err != nil:
		return false, err
	case application == 0 && version == 0 && tables == 0:
		return false, nil
	case application != applicationID:
		return false, domain.Errorf(domain.Invalid, "%s is a database of another program; choose another folder with --data", path)
	case version > schemaVersion:
		return false, domain.Errorf(domain.Invalid, "%s was written by a newer version of this program (its format is %d, this program reads %d); run the newer version or choose another folder with --data", path, version, schemaVersion)
	case pages > checkedPages:
		return true, nil
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return false, err
	}
	if verdict != "ok" {
		return false, damaged(path, errors.New(strings.ReplaceAll(verdict, "\n", " ")))
	}
	return true, nil
}

// createLog makes the tables, and then switches to WAL, so that the file
// itself says from its first page on what it is.
func createLog(ctx context.Context, db *sql.DB, dir string) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	var tables int // another process may have been faster
	err = conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables)
	if err == nil && tables == 0 {
		_, err = conn.ExecContext(ctx, fmt.Sprintf("%s; INSERT INTO meta (epoch) VALUES ('%s'); PRAGMA application_id = %d; PRAGMA user_version = %d",
			schema, uuid.NewString(), applicationID, schemaVersion))
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	if _, err := conn.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	return syncFolder(dir)
}
