package views

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

const (
	// applicationID marks the file as views of this program: it is "ChVw".
	applicationID = 0x43685677
	// format is increased when the tables change. Views in another format are
	// discarded.
	format = 4
	// buildingFormat is the format of a generation that has no timelines yet: it has
	// no volumes and lacks readerIndexes, and is the same otherwise.
	buildingFormat = 5
)

// schema creates the tables, which package sqlite specifies.
const schema = `
CREATE TABLE generation (
	number    INTEGER NOT NULL,
	epoch     TEXT NOT NULL,
	threshold INTEGER NOT NULL,
	position  INTEGER NOT NULL,
	partial   INTEGER NOT NULL,
	event     INTEGER NOT NULL, -- the hash of the event at the position
	held      INTEGER NOT NULL DEFAULT 0 -- until when the checkpoint stays
) STRICT;
CREATE TABLE profiles (
	key          INTEGER PRIMARY KEY,
	id           TEXT NOT NULL UNIQUE,
	username     TEXT NOT NULL,
	folded       TEXT NOT NULL,
	joined_at    INTEGER NOT NULL,
	followers    INTEGER NOT NULL,
	following    INTEGER NOT NULL,
	chirps       INTEGER NOT NULL,
	pushed       INTEGER NOT NULL,
	celebrity    INTEGER NOT NULL,
	pull_source  INTEGER NOT NULL,
	older        INTEGER NOT NULL, -- the split of new follows
	skipped      INTEGER NOT NULL,
	next_older   INTEGER NOT NULL, -- the split after that
	next_skipped INTEGER NOT NULL
) STRICT;
CREATE TABLE chirps (
	position  INTEGER PRIMARY KEY,
	id        TEXT NOT NULL,
	author    INTEGER NOT NULL,
	content   TEXT NOT NULL,
	posted_at INTEGER NOT NULL,
	delivery  INTEGER NOT NULL
) STRICT;
CREATE TABLE follows (
	follower INTEGER NOT NULL,
	followee INTEGER NOT NULL,
	since    INTEGER NOT NULL,
	pull     INTEGER NOT NULL,
	older    INTEGER NOT NULL,
	skipped  INTEGER NOT NULL,
	PRIMARY KEY (follower, followee)
) STRICT, WITHOUT ROWID;
CREATE TABLE volumes (
	start     INTEGER PRIMARY KEY,
	room      INTEGER NOT NULL,
	delivered INTEGER NOT NULL
) STRICT;
CREATE TABLE timeline (
	volume   INTEGER NOT NULL,
	owner    INTEGER NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (volume, owner, position)
) STRICT, WITHOUT ROWID;`

// readerIndexes creates the indexes that readers need, and a projector once there are
// timelines. A builder creates them at its end, which is faster than keeping them up to
// date.
const readerIndexes = `
CREATE INDEX IF NOT EXISTS chirps_by_author ON chirps (author, delivery, position);
CREATE INDEX IF NOT EXISTS follows_by_followee ON follows (followee, since);
CREATE UNIQUE INDEX IF NOT EXISTS profiles_by_name ON profiles (folded);
CREATE UNIQUE INDEX IF NOT EXISTS chirps_by_id ON chirps (id);
CREATE INDEX IF NOT EXISTS follows_by_follower ON follows (follower, since);
CREATE INDEX IF NOT EXISTS follows_pulled ON follows (follower, followee) WHERE pull = 1;
CREATE INDEX IF NOT EXISTS follows_split ON follows (follower, older, followee) WHERE older > 0;`

// unfinishedMark is part of the name of a file that is not complete yet.
const unfinishedMark = ".new-"

// createGeneration creates an empty generation whose first volume has the given
// room. indexes is run in addition to the schema; without any, the generation is one to
// be built, whose timelines come later. The file gets its name when it is complete,
// unless another process has created the generation meanwhile.
func createGeneration(dir string, g readmodel.Generation, room int64, indexes string) error {
	path := generationPath(dir, g.Number)
	f, err := os.CreateTemp(dir, filepath.Base(path)+unfinishedMark+"*")
	if err != nil {
		return err
	}
	err = errors.Join(dbfile.Claim(f), f.Close(), fillGeneration(f.Name(), g, room, indexes))
	if err == nil {
		err = moveIntoPlace(f.Name(), path, false)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return dbfile.SyncDir(dir)
}

func fillGeneration(path string, g readmodel.Generation, room int64, indexes string) (err error) {
	db, err := dbfile.Open(path, "synchronous(FULL)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	version := format
	if indexes == "" {
		version = buildingFormat
	}
	if _, err := tx.Exec(fmt.Sprintf("%s; %s; PRAGMA application_id = %d; PRAGMA user_version = %d", schema, indexes, applicationID, version)); err != nil {
		return err
	}
	if version == format {
		if _, err := tx.Exec("INSERT INTO volumes VALUES (0, ?, 0)", room); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("INSERT INTO generation (number, epoch, threshold, position, partial, event) VALUES (?, ?, ?, ?, ?, ?)",
		g.Number, g.Epoch, g.Threshold, g.Checkpoint.Position, g.Checkpoint.Partial, g.Checkpoint.Event); err != nil {
		return err
	}
	return tx.Commit()
}

// readGeneration reads the row that describes a generation.
func readGeneration(c *conn) (readmodel.Generation, error) {
	rows, err := collect(c, func(rows *sql.Rows, g *readmodel.Generation) error {
		return rows.Scan(&g.Number, &g.Epoch, &g.Threshold, &g.Checkpoint.Position, &g.Checkpoint.Partial, &g.Checkpoint.Event)
	}, "SELECT number, epoch, threshold, position, partial, event FROM generation")
	if err == nil && len(rows) != 1 {
		err = &unfitError{fmt.Sprintf("the file describes %d generations", len(rows))}
	}
	if err != nil {
		return readmodel.Generation{}, err
	}
	return rows[0], nil
}

// onlyRow returns the row of a query that finds at most one, or ErrNotFound.
func onlyRow[R any](rows []R, err error) (R, error) {
	var none R
	switch {
	case err != nil:
		return none, err
	case len(rows) == 0:
		return none, readmodel.ErrNotFound
	default:
		return rows[0], nil
	}
}
