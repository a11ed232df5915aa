package readmodel

import (
	"context"
	"errors"
	"time"
)

// ErrBehind means that a generation cannot serve yet, because the serving one is
// further: readers would go back in time.
var ErrBehind = errors.New("the generation is behind the one that serves")

// ErrHeld means that a Builder holds the serving generation at its checkpoint for a
// moment. Nothing of the batch was applied; the caller may try again.
var ErrHeld = errors.New("the views are held for a generation that is about to replace them")

// LongestHold is the longest that a builder may hold the serving generation.
const LongestHold = 10 * time.Second

// Builder is a generation that is being built. Once another Build has discarded it,
// or another generation has begun to serve after its own Switch, Apply, Finish, Hold
// and Switch return ErrFenced and do nothing.
type Builder interface {
	Writer

	// Finish does what would slow a replay down, such as building indexes that
	// only readers need. It may be called again, after a crash or when more was
	// applied. A store may omit timelines until then, and build them in Finish or
	// in Switch from the follows, with their Older, and the pushed chirps, because
	// the cleanups, backfills and fan-outs of all events add up to just that.
	//
	// A store may also check only then whether rows fit each other, such as whether
	// an id is unique. If they don't, Finish or Switch discards the generation,
	// because it can never serve, and returns ErrDoesNotFit.
	Finish(ctx context.Context) error

	// Hold keeps the serving generation at its current checkpoint for a duration,
	// by the store's own clock: Apply of its writers returns ErrHeld. Hold is for a
	// builder that cannot catch up with the active projector otherwise. The duration
	// is at most LongestHold, and a later call replaces an earlier one. A hold that
	// ends seconds further ahead than that is void, because the clock was ahead when
	// it was written. If the builder's generation serves already, Hold does nothing.
	Hold(ctx context.Context, d time.Duration) error

	// Switch makes the generation serve instead of the serving one. It returns
	// ErrBehind, and changes nothing, if the position of its checkpoint is before
	// that of the serving generation. From the switch on, writers of the old
	// generation get ErrFenced, so that their projectors open the new one, and the
	// snapshots and Awaits of all processes use the new one within a second. A
	// snapshot that was opened before continues to read the old one. If the
	// generation serves already, Switch does nothing.
	Switch(ctx context.Context) error
}
