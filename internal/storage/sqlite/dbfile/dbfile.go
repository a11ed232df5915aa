// Package dbfile has what the log and the views of an embedded store share:
// how a database file is opened and checked, what errors of SQLite and of the
// system mean, and whether a file that is open is still the one that its path
// names.
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

// checkedPages is the size up to which every page of a file is checked when it
// is opened: 16 MB, some hundredths of a second. Beyond it, damage is found
// when it is read.
const checkedPages = 4096

// Open returns a pool of connections to a database file, each with the given
// settings, such as "synchronous(FULL)". It does not read the file yet.
func Open(path string, pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	query := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String())
}

// Header is what a database file says of itself.
type Header struct {
	ApplicationID int64 // which program's it is
	Version       int64 // of its tables
	Tables        int64 // tables and indexes; none in a new file
	Pages         int64
}

// ReadHeader reads a file's header.
func ReadHeader(ctx context.Context, db *sql.DB) (h Header, err error) {
	err = db.QueryRowContext(ctx, `SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema), p.page_count
		FROM pragma_application_id a, pragma_user_version v, pragma_page_count p`).Scan(&h.ApplicationID, &h.Version, &h.Tables, &h.Pages)
	return h, err
}

// CheckPages has SQLite check the pages of a file that is not too large for
// that, and returns what is wrong with them, or "".
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
