package eventlog

import (
	"errors"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"chirp/internal/storage/sqlite/dbfile"
)

// damage reports whether an error may come of a file that was overwritten.
func damage(err error) bool {
	switch dbfile.Code(err) {
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB, codes.SQLITE_IOERR, codes.SQLITE_ERROR, codes.SQLITE_SCHEMA:
		return true
	default:
		return false
	}
}

// inDoubt reports whether a commit that failed with this error may yet be found
// by those who open the file after a crash: all of it was written, perhaps, and
// then not synced.
func inDoubt(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) || e.Code()&0xff != codes.SQLITE_IOERR {
		return false
	}
	return e.Code() != codes.SQLITE_IOERR_WRITE
}
