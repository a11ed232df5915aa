package sqlite

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
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// errClosed is what calls get once the store is being closed.
var errClosed = &domain.Error{Kind: domain.Unavailable, Msg: "the store is closed"}

// translate turns an error of SQLite or of the system into one of the
// contracts': ctx's own error when ctx has ended, kind Unavailable when it
// comes from the surroundings, and otherwise the error itself. op says what was
// being done.
func translate(ctx context.Context, op string, err error) error {
	translated := translated(ctx, op, err)
	if errors.Is(err, eventstore.ErrNotAppended) {
		return eventstore.NotAppended(translated)
	}
	return translated
}

func translated(ctx context.Context, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	if msg := passing(err); msg != "" && domain.KindOf(err) == domain.Internal {
		return fmt.Errorf("%s: %w: %w", op, &domain.Error{Kind: domain.Unavailable, Msg: msg}, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// passing says what an operator can mend, after which the same call may
// succeed; it is empty for an error that this program, or what is in a file,
// brought about. Those are known; an error that is not known comes from the
// surroundings.
func passing(err error) string {
	var e *driver.Error
	if errors.As(err, &e) && e.Code() == codes.SQLITE_IOERR_GETTEMPPATH {
		return "there is no folder for temporary files; make the data folder writable, or name a folder in SQLITE_TMPDIR"
	}
	switch code(err) {
	case 0:
		if !ofSystem(err) {
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

// ofSystem reports whether an error that is not SQLite's comes from the
// operating system, or from the connection to a file.
func ofSystem(err error) bool {
	return errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError)) || errors.As(err, new(*os.SyscallError)) ||
		errors.As(err, new(syscall.Errno)) || errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// misfit marks an error about the values of a batch, or the rows that are
// there, as ErrDoesNotFit.
func misfit(err error) error {
	switch code(err) {
	case codes.SQLITE_CONSTRAINT, codes.SQLITE_MISMATCH, codes.SQLITE_TOOBIG:
		return fmt.Errorf("%w: %w", readmodel.ErrDoesNotFit, err)
	}
	return err
}

// damage reports whether an error may come of a file that was overwritten.
func damage(err error) bool {
	switch code(err) {
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
		return because(err, domain.Errorf(domain.Invalid, "%s cannot be opened (%v); change its permissions or choose another folder with --data", path, err))
	default:
		return translate(ctx, "open "+path, err)
	}
}

func damaged(path string, err error) error {
	return domain.Errorf(domain.Invalid, "%s is damaged (%v); restore it from a copy or choose another folder with --data", path, err)
}

// because makes an error that a caller is told keep its cause.
func because(cause, told error) error { return &caused{told, cause} }

type caused struct {
	error
	cause error
}

func (e *caused) Unwrap() []error { return []error{e.error, e.cause} }
