package projector

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
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
	// Outage is what keeps the projector from its work at the moment, nil if
	// nothing does. It has nothing to do with any event, and it is retried until
	// it ends.
	Outage *outage.Report
}

// Lag is the number of events that the views are behind the log.
func (s State) Lag() int64 { return max(0, int64(s.Head-s.Position)) }

// Failure is an error that one event brings about: it cannot be decoded, it
// cannot be folded, or what it changes does not fit the views.
type Failure struct {
	// Position is the event's, and Type its wire name.
	Position domain.Position
	Type     string
	Err      error
	// through is the last event of the batch: while it is not Position, any of
	// the events between might be the one.
	through domain.Position
}

// Error names the event and what went wrong.
func (f *Failure) Error() string {
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

// stall is an error that no event is to blame for, at which a batch was not
// applied.
type stall struct {
	from, through domain.Position // the batch's events
	err           error
}

// Error names the events that wait.
func (s *stall) Error() string {
	if s.from == s.through {
		return fmt.Sprintf("apply event %d: %v", s.from, s.err)
	}
	return fmt.Sprintf("apply the events %d to %d: %v", s.from, s.through, s.err)
}

// Unwrap gives the error alone.
func (s *stall) Unwrap() error { return s.err }

// unapplied tells an error that the events bring about from all others.
func unapplied(events []event, err error) error {
	if errors.Is(err, readmodel.ErrDoesNotFit) {
		return failure(events, err)
	}
	return &stall{from: events[0].Position, through: events[len(events)-1].Position, err: err}
}

// ErrOtherLog says that the views were not made from this log. Going on would
// mix two histories, so the projector does not.
var ErrOtherLog = errors.New("the views were made from another log")

// checkLog returns where a log ends, and an error unless views can go on with
// it.
func checkLog(ctx context.Context, log eventstore.Log, g readmodel.Generation) (eventstore.Head, error) {
	at := g.Checkpoint
	head, err := log.Head(ctx)
	if err != nil {
		return head, err
	}
	hashes, err := log.Hashes(ctx, []domain.Position{at.Position})
	if err != nil {
		return head, err
	}
	why := ""
	switch {
	case g.Epoch != head.Epoch:
		why = fmt.Sprintf("theirs has epoch %s, this one %s", g.Epoch, head.Epoch)
	case at.Position > head.Position:
		why = fmt.Sprintf("they are at position %d, but this one ends at %d", at.Position, head.Position)
	case at.Event != 0 && hashes[at.Position] != at.Event:
		why = fmt.Sprintf("at their position %d this one has another event", at.Position)
	default:
		return head, nil
	}
	return head, fmt.Errorf("%w: %s; start the server again, which makes them anew", ErrOtherLog, why)
}
