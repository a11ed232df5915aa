package eventlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/dbfile"
)

const (
	// applicationID marks the file as a log of this program: it is "Chrp".
	applicationID = 0x43687270
	// schemaVersion grows when the tables change.
	schemaVersion = 1
)

// eventIndexes creates the indexes of the events.
const eventIndexes = `
CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
CREATE UNIQUE INDEX events_by_command ON events (actor, command_id) WHERE fingerprint IS NOT NULL;`

// schema creates the tables of the file, which package sqlite specifies. The
// tables of the credentials are among them, so that the file is created in one
// transaction.
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
) STRICT;` + additions

// additions creates the tables that files of earlier versions of this program lack.
// Those versions take no notice of them, so the schema version is the same.
const additions = `
CREATE TABLE IF NOT EXISTS networks (
	user_id       TEXT NOT NULL,
	network       TEXT NOT NULL,
	remembered_at INTEGER NOT NULL,
	PRIMARY KEY (user_id, network)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS access (
	user_id  TEXT PRIMARY KEY,
	epoch    INTEGER NOT NULL,
	disabled INTEGER NOT NULL,
	changed  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS access_by_change ON access (changed);
CREATE TABLE IF NOT EXISTS sessions (
	id         TEXT PRIMARY KEY,
	user_id    TEXT NOT NULL,
	epoch      INTEGER NOT NULL,
	started_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	address    TEXT NOT NULL,
	agent      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user_id, started_at);
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at);`

// prepareFile checks the log's file, creates it if it does not exist, and returns
// the log's epoch. It writes nothing to a file that it refuses.
func prepareFile(ctx context.Context, path string, readOnly bool) (epoch string, err error) {
	if !readOnly {
		if err := dbfile.Create(path); err != nil {
			return "", dbfile.OpenError(ctx, path, err)
		}
	}
	db, err := dbfile.Open(path, "synchronous(FULL)")
	if err != nil {
		return "", err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := checkFile(ctx, db, path)
	switch {
	case err != nil:
	case found && !readOnly:
		_, err = db.ExecContext(ctx, additions)
	case found:
	case readOnly:
		err = domain.Errorf(domain.Invalid, "%s is empty; name a folder that a server has used with --data", path)
	default:
		err = createTables(ctx, db, filepath.Dir(path))
	}
	if err == nil {
		err = db.QueryRowContext(ctx, "SELECT epoch FROM meta").Scan(&epoch)
	}
	if err != nil {
		return "", dbfile.OpenError(ctx, path, err)
	}
	return epoch, nil
}

// checkFile reports whether a file holds a log that can be used. If it returns
// false and no error, the file is empty.
func checkFile(ctx context.Context, db *sql.DB, path string) (bool, error) {
	header, err := dbfile.ReadHeader(ctx, db)
	switch {
	case err != nil:
		return false, err
	case header.ApplicationID == 0 && header.Version == 0 && header.Tables == 0:
		return false, nil
	case header.ApplicationID != applicationID:
		return false, domain.Errorf(domain.Invalid, "%s is a database of another program; choose another folder with --data", path)
	case header.Version > schemaVersion:
		return false, domain.Errorf(domain.Invalid, "%s was written by a newer version of this program (its format is %d, this program reads %d); run the newer version or choose another folder with --data", path, header.Version, schemaVersion)
	}
	damage, err := dbfile.CheckPages(ctx, db, header)
	if err == nil && damage != "" {
		err = dbfile.Damaged(path, errors.New(strings.ReplaceAll(damage, "\n", " ")))
	}
	return err == nil, err
}

// createTables creates the tables, and switches to WAL only then: this way the
// tables are in log.db itself, not in its -wal, and a file that is found without
// its -wal is still recognized as a log.
func createTables(ctx context.Context, db *sql.DB, dir string) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	var tables int // another process may have created them meanwhile
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
	return dbfile.SyncDir(dir)
}
