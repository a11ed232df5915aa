package projector

import (
	"errors"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Phase is what a projector is doing.
type Phase int

// The phases.
const (
	Standby Phase = iota // another projector has the lease, or nobody yet
	Active               // this one applies events
	Halted               // this one gave up on an event
)

// String names the phase in lower case.
func (p Phase) String() string {
	switch p {
	case Standby:
		return "standby"
	case Active:
		return "active"
	default:
		return "halted"
	}
}

// State describes a projector at one moment.
type State struct {
	Phase Phase
	// Position is that of the views' checkpoint and Head that of the log's last
	// event, as last heard of: on an active projector at its last commit, on
	// others, and for the head, a fraction of the lease's duration ago.
	Position domain.Position
	Head     domain.Position
	// Failure is why the projector halted, nil in the other phases.
	Failure *Failure
}

// Lag is the number of events that the views are behind the log.
func (s State) Lag() int64 { return max(0, int64(s.Head-s.Position)) }

// Failure is an error that an event brought about.
type Failure struct {
	// Position is the event's, and Type its wire name, empty if the event
	// could not even be read.
	Position domain.Position
	Type     string
	Err      error
	// through is the last event of the batch: while it is not Position, any of
	// the events between might be the one.
	through domain.Position
}

// Error names the event and what went wrong.
func (f *Failure) Error() string {
	if f.Type == "" {
		return fmt.Sprintf("project the events from %d on: %v", f.Position, f.Err)
	}
	return fmt.Sprintf("project event %d (%s): %v", f.Position, f.Type, f.Err)
}

// Unwrap gives the error alone.
func (f *Failure) Unwrap() error { return f.Err }

func failure(events []event, err error) error {
	return &Failure{
		Position: events[0].Position, Type: events[0].Type, Err: err,
		through: events[len(events)-1].Position,
	}
}

// ErrOtherLog says that the views were not made from this log. Going on would
// mix two histories, so the projector does not begin.
var ErrOtherLog = errors.New("the views were made from another log")

// checkLog says whether views can go on with a log.
func checkLog(g readmodel.Generation, epoch string, head domain.Position) error {
	if g.Epoch != epoch {
		return fmt.Errorf("%w: theirs has epoch %s, this one %s; bring the log back that belongs to them, or remove the views so that they are made anew",
			ErrOtherLog, g.Epoch, epoch)
	}
	if g.Checkpoint.Position > head {
		return fmt.Errorf("%w: they are at position %d, but this one ends at %d; bring the newer log back, or remove the views so that they are made anew",
			ErrOtherLog, g.Checkpoint.Position, head)
	}
	return nil
}
