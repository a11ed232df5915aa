package readmodel

import (
	"context"
	"errors"
	"time"
)

// ErrBehind says that a generation cannot serve yet, because the serving one
// has come further: readers would go back in time.
var ErrBehind = errors.New("the generation is behind the one that serves")

// ErrHeld says that a builder holds the serving generation where it is, for a
// moment. Nothing of the batch was applied; it may be tried again.
var ErrHeld = errors.New("the views are held for those that are about to take over")

// LongestHold is the longest that a builder may hold the serving generation.
const LongestHold = 10 * time.Second

// Builder is a generation that is being built. Once another Build has discarded
// it, or another generation has begun to serve since its own Switch, Apply,
// Finish, Hold and Switch give ErrFenced and do nothing.
type Builder interface {
	Writer

	// Finish does what a replay is better off without, such as building
	// indexes that only readers need. It may be called again, after a crash or
	// when more was applied. Until then a store may leave timelines out and
	// make them here, or in Switch, of the follows and the pushed chirps: this
	// is what all of a projector's cleanups, backfills and fan-outs come to.
	Finish(ctx context.Context) error

	// Hold keeps the serving generation at the checkpoint that it then has for
	// so long, by the store's own clock: its writers' Apply gives ErrHeld. It is
	// for a builder that a projector at work outruns, who can be level with it
	// before the hold ends. d is at most LongestHold; a later call replaces an
	// earlier one. A hold that ends seconds further ahead than that is void: the
	// clock was ahead when it was written. On a builder whose generation serves
	// already it does nothing.
	Hold(ctx context.Context, d time.Duration) error

	// Switch makes the generation serve in place of the one that does. It
	// gives ErrBehind, and changes nothing, if the position of its checkpoint
	// is short of the serving generation's. From the switch on, the old
	// generation's writers get ErrFenced, so that their projectors open the new
	// one, and all processes' snapshots and Awaits turn to the new one within a
	// second; a snapshot that was opened before goes on reading the old one. A
	// call for the generation that serves already does nothing.
	Switch(ctx context.Context) error
}
