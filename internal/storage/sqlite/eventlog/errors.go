package eventlog

import (
	"errors"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"chirp/internal/storage/sqlite/dbfile"
)

// mayBeOverwritten reports whether an error may come from a file that another
// program has overwritten.
func mayBeOverwritten(err error) bool {
	switch dbfile.Code(err) {
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB, codes.SQLITE_IOERR, codes.SQLITE_ERROR, codes.SQLITE_SCHEMA:
		return true
	default:
		return false
	}
}

// inDoubt reports whether a commit that failed with this error may take effect
// after all, when the file is opened after a crash: perhaps everything was
// written, and only the sync failed.
func inDoubt(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) || e.Code()&0xff != codes.SQLITE_IOERR {
		return false
	}
	return e.Code() != codes.SQLITE_IOERR_WRITE
}
