package auth

import (
	"context"
	"errors"
	"time"

	"chirp/internal/domain"
)

// Access says which of a user's tokens are good. The zero Access is that of a user
// about whom nothing was recorded: enabled, without sessions.
type Access struct {
	// Epoch grows when all sessions are ended. A token without a session is good
	// while its epoch is the user's.
	Epoch int64
	// Disabled users cannot log in, and none of their tokens are good, those of an
	// external issuer included.
	Disabled bool
	Sessions []Session // the oldest first
}

// ErrEpochMoved says that a user was disabled, that all of the user's sessions were
// ended or that the password was changed, since the caller read the user's epoch.
var ErrEpochMoved = errors.New("the user was disabled, or all sessions of the user were ended")

// AccessStore stores the access of users. Its changes are durable when they return.
type AccessStore interface {
	// Access returns a user's access. An error means that it is not known, and
	// never that nothing is recorded.
	Access(ctx context.Context, user domain.UserID) (Access, error)
	// AddSession adds a session of a user. If the user is disabled, or no longer
	// has the session's epoch, it returns ErrEpochMoved. If the user has more than
	// MaxSessions then, the oldest are removed.
	AddSession(ctx context.Context, user domain.UserID, s Session) error
	// SeeSession sets when a session was last used, and by whom. A session that
	// has ended is not an error.
	SeeSession(ctx context.Context, user domain.UserID, id SessionID, at time.Time, by Client) error
	// EndSession removes a session of a user. A session that has ended is not an
	// error.
	EndSession(ctx context.Context, user domain.UserID, id SessionID) error
	// EndSessions removes all sessions of a user but one, or all if keep is zero,
	// and increments the epoch.
	EndSessions(ctx context.Context, user domain.UserID, keep SessionID) error
	// ReplaceCredential replaces the hash of a user, removes all sessions and
	// increments the epoch, in one step. was is what the user had when the old
	// password was checked. If the user has no hash, the error is ErrNoCredential. If
	// the user is disabled, or has another hash or epoch than was, nothing changes and
	// the error is ErrEpochMoved: of two changes at once, only one succeeds.
	ReplaceCredential(ctx context.Context, was Credential, hash string) error
	// SetDisabled disables a user, removes all sessions and increments the epoch,
	// or enables the user again.
	SetDisabled(ctx context.Context, user domain.UserID, disabled bool) error
	// RemoveExpired removes the sessions that expired before a time.
	RemoveExpired(ctx context.Context, before time.Time) error

	// AccessChanges returns whose access was changed, in the changes numbered from
	// since on, at most a thousand of them, and the number of the last one of these,
	// or of the last of all if there is none. A change is whatever may make a token
	// bad, or good again. Changes are numbered in the order in which readers see
	// them, and only the last one of each user keeps its number. No number is used
	// twice, not even if its user was deleted or the store discarded. So if since is
	// the number of a change, last is not less, unless the store was replaced.
	AccessChanges(ctx context.Context, since int64) (users []domain.UserID, last int64, err error)
}
