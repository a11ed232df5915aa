package domain

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of thing went wrong, so that a caller can act on it
// without reading the message. The list only grows.
type Kind int

// The kinds of error. The API gives each its own code.
const (
	Internal         Kind = iota // a fault of ours; its text is for the log only
	Invalid                      // the input breaks a rule; sending it again cannot help
	NotFound                     // the thing named does not exist
	Conflict                     // the command id was used for another command
	UsernameTaken                // somebody has that name already
	AlreadyFollowing             // the follower follows the followee already
	NotFollowing                 // the follower does not follow the followee
	Unauthenticated              // nobody, or nobody known, is calling
	Forbidden                    // the caller may not do this
	NotYetVisible                // the read model has not reached the position asked for
	CursorInvalid                // the cursor is not one of this log's
	RateLimited                  // too many calls; try again later
	Unavailable                  // the store cannot answer now; try again later
)

// Error is a failure that the caller can be told about as it is.
type Error struct {
	Kind Kind
	Msg  string
	// RetryAfter is when to try again, 0 if that is not known.
	RetryAfter time.Duration
}

// Error gives the message, which says what was wrong and what to do.
func (e *Error) Error() string { return e.Msg }

// Errorf makes an *Error with a formatted message.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// KindOf gives the kind of the first *Error in err's chain, and Internal for
// an error that has none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
