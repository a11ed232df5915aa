// Package dbfile opens and checks the database files of the embedded store,
// classifies the errors of SQLite and of the system, and detects that an open
// file was moved or replaced.
package dbfile

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
)

// LogName is the name of the log's file in a data folder.
const LogName = "log.db"

// checkedPages is the size, in pages, of the largest file that CheckPages reads
// as a whole: 16 MB, which takes some hundredths of a second. Damage to a larger
// file is found when the page is read.
const checkedPages = 4096

// Open returns a pool of connections to a database file. Each connection runs
// the given pragmas, such as "synchronous(FULL)". The file is not read before the
// pool is used, and never created: see Create.
func Open(path string, pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	query := url.Values{"mode": {"rw"}, "_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String())
}

// Header describes a database file.
type Header struct {
	ApplicationID int64 // PRAGMA application_id
	Version       int64 // PRAGMA user_version
	Tables        int64 // how many tables and indexes there are
	Pages         int64
}

// ReadHeader returns the header of a database file.
func ReadHeader(ctx context.Context, db *sql.DB) (h Header, err error) {
	err = db.QueryRowContext(ctx, `SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema), p.page_count
		FROM pragma_application_id a, pragma_user_version v, pragma_page_count p`).Scan(&h.ApplicationID, &h.Version, &h.Tables, &h.Pages)
	return h, err
}

// CheckPages checks every page of a file that is not too large for that. It
// returns a description of the damage, or "" if there is none.
func CheckPages(ctx context.Context, db *sql.DB, h Header) (damage string, err error) {
	if h.Pages > checkedPages {
		return "", nil
	}
	err = db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&damage)
	if damage == "ok" {
		damage = ""
	}
	return damage, err
}
