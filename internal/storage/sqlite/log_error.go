package sqlite

import (
	"context"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"chirp/internal/domain"
)

// errClosed is what calls get once the store is being closed.
var errClosed = &domain.Error{Kind: domain.Unavailable, Msg: "the store is closed"}

// translate turns an error of SQLite into one of the contracts': ctx's own
// error when ctx has ended, kind Unavailable when trying again may help, and
// otherwise the error itself. op says what was being done.
func translate(ctx context.Context, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	if msg := passing(err); msg != "" {
		return fmt.Errorf("%s: %w: %w", op, &domain.Error{Kind: domain.Unavailable, Msg: msg}, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// passing says what an operator can mend, after which the same call may
// succeed; it is empty for any other error.
func passing(err error) string {
	switch code(err) {
	case codes.SQLITE_FULL:
		return "the disk with the data folder is full; free some space"
	case codes.SQLITE_IOERR, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY:
		return "the data folder cannot be read or written; check the disk and its permissions"
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED, codes.SQLITE_PROTOCOL:
		return "the data folder is busy with another process; try again"
	case codes.SQLITE_NOMEM:
		return "the machine is out of memory; try again"
	default:
		return ""
	}
}

// code gives the primary result code of SQLite, 0 for an error that is not
// its.
func code(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// openError turns an error of opening a file into one that says what to do.
func openError(ctx context.Context, path string, err error) error {
	if domain.KindOf(err) != domain.Internal {
		return err // says it already
	}
	switch code(err) {
	case codes.SQLITE_NOTADB:
		return domain.Errorf(domain.Invalid, "%s is not a database; restore it from a copy or choose another folder with --data", path)
	case codes.SQLITE_CORRUPT, codes.SQLITE_ERROR: // SQLITE_ERROR: a table or a column is not there
		return damaged(path, err)
	case codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_PERM:
		return domain.Errorf(domain.Invalid, "%s cannot be opened (%v); change its permissions or choose another folder with --data", path, err)
	default:
		return translate(ctx, "open "+path, err)
	}
}

func damaged(path string, err error) error {
	return domain.Errorf(domain.Invalid, "%s is damaged (%v); restore it from a copy or choose another folder with --data", path, err)
}
