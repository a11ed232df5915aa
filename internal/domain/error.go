package domain

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Kind classifies an error, so that a caller can act on it without reading the
// message. Kinds are added, never removed.
type Kind int

// The kinds of error. The API has a code for each.
const (
	Internal         Kind = iota // a bug or a damaged store; the text is for the log only
	Invalid                      // the input breaks a rule; sending it again cannot help
	NotFound                     // what was named does not exist
	Conflict                     // the command id was used for another command
	UsernameTaken                // another user has the name
	AlreadyFollowing             // the follower already follows the followee
	NotFollowing                 // the follower does not follow the followee
	Unauthenticated              // the caller is anonymous or unknown
	Forbidden                    // the caller may not do this
	NotYetVisible                // the read model has not reached the position asked for
	CursorInvalid                // the cursor does not belong to this log
	RateLimited                  // too many calls; try again later
	Unavailable                  // the store cannot answer now; try again later
)

// Error is an error whose message may be shown to the caller as it is.
type Error struct {
	Kind Kind
	Msg  string
	// RetryAfter is how long to wait before trying again, 0 if that is not known.
	RetryAfter time.Duration
}

// Error returns the message, which says what is wrong and what to do about it.
func (e *Error) Error() string { return e.Msg }

// Errorf returns an *Error with a formatted message.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// TooSoon returns an error of kind RateLimited that says when to try again.
func TooSoon(what string, wait time.Duration) *Error {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	unit := "seconds"
	if seconds == 1 {
		unit = "second"
	}
	return &Error{Kind: RateLimited, Msg: fmt.Sprintf("%s; try again in %d %s", what, seconds, unit), RetryAfter: wait}
}

// KindOf returns the kind of the first *Error in err's chain, and Internal if
// there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
