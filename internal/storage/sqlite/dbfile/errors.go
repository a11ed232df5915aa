package dbfile

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"chirp/internal/domain"
)

// ErrClosed is returned by calls of a store that is closed or being closed.
var ErrClosed = &domain.Error{Kind: domain.Unavailable, Msg: "the store is closed"}

// Translate maps an error of SQLite or of the system to one that the store's
// contracts allow: ctx's error if ctx has ended, an error of kind Unavailable if
// the cause is outside of this program, and otherwise the error itself. The
// error's text begins with op, the operation that failed.
func Translate(ctx context.Context, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	if msg := Remedy(err); msg != "" && domain.KindOf(err) == domain.Internal {
		return fmt.Errorf("%s: %w: %w", op, &domain.Error{Kind: domain.Unavailable, Msg: msg}, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// Remedy returns what an operator can do about an error, after which the same
// call may succeed, or "" if the cause is this program or the content of a file.
// Those errors are listed here; an error of any other kind comes from outside,
// so it is safe to retry.
func Remedy(err error) string {
	var e *driver.Error
	if errors.As(err, &e) && e.Code() == codes.SQLITE_IOERR_GETTEMPPATH {
		return "there is no folder for temporary files; make the data folder writable, or name a folder in SQLITE_TMPDIR"
	}
	switch Code(err) {
	case 0:
		if !fromSystem(err) {
			return ""
		}
	case codes.SQLITE_FULL:
		return "the disk with the data folder is full; free some space"
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED, codes.SQLITE_PROTOCOL:
		return "the data folder is busy with another process; try again"
	case codes.SQLITE_NOMEM:
		return "the machine is out of memory; try again"
	case codes.SQLITE_ERROR, codes.SQLITE_INTERNAL, codes.SQLITE_MISUSE, codes.SQLITE_RANGE, codes.SQLITE_NOTFOUND, // statements
		codes.SQLITE_CONSTRAINT, codes.SQLITE_MISMATCH, codes.SQLITE_TOOBIG, // values
		codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB, codes.SQLITE_FORMAT, codes.SQLITE_EMPTY, codes.SQLITE_SCHEMA: // files
		return ""
	}
	return "the data folder cannot be read or written; check the disk, its permissions and the limit of open files"
}

// fromSystem reports whether an error that is not SQLite's comes from the
// operating system, or from the connection to a file.
func fromSystem(err error) bool {
	return errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError)) || errors.As(err, new(*os.SyscallError)) ||
		errors.As(err, new(syscall.Errno)) || errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Code returns the primary result code of an error of SQLite, 0 for any other
// error.
func Code(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// OpenError maps an error of opening a database file to one that says what an
// operator can do about it.
func OpenError(ctx context.Context, path string, err error) error {
	if domain.KindOf(err) != domain.Internal {
		return err // it says so already
	}
	switch Code(err) {
	case codes.SQLITE_NOTADB:
		return domain.Errorf(domain.Invalid, "%s is not a database; restore it from a copy or choose another folder with --data", path)
	case codes.SQLITE_CORRUPT, codes.SQLITE_ERROR: // SQLITE_ERROR: a table or a column is missing
		return Damaged(path, err)
	case codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_PERM:
		return WithCause(err, domain.Errorf(domain.Invalid, "%s cannot be opened (%v); change its permissions or choose another folder with --data", path, err))
	default:
		return Translate(ctx, "open "+path, err)
	}
}

// Damaged returns an error of kind Invalid for a database file that cannot be
// used, and why.
func Damaged(path string, err error) error {
	return domain.Errorf(domain.Invalid, "%s is damaged (%v); restore it from a copy or choose another folder with --data", path, err)
}

// WithCause returns err with a cause that errors.Is and errors.As find, and that
// err's text does not show.
func WithCause(cause, err error) error { return &caused{err, cause} }

type caused struct {
	error
	cause error
}

func (e *caused) Unwrap() []error { return []error{e.error, e.cause} }

// WithoutPath strips the path from an error of the file system, for messages
// that name the path themselves.
func WithoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
