package projector

import (
	"errors"
	"fmt"
	"time"

	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/readmodel"
)

const (
	// maxAttempts is how often an event that cannot be applied is tried before
	// the projector halts.
	maxAttempts = 5
	// maxBatchFailures is how often a batch may fail before its events are
	// applied one by one.
	maxBatchFailures = 3
)

// Failure is an error caused by one event: it cannot be decoded, it cannot be
// folded, or its change does not fit the views.
type Failure struct {
	// Position and Type are the event's position and wire name.
	Position domain.Position
	Type     string
	Err      error
	// through is the last event of the batch. Unless it equals Position, any of
	// the events from Position to through may be the cause.
	through domain.Position
}

// Error returns the event and what went wrong.
func (f *Failure) Error() string {
	return fmt.Sprintf("project event %d (%s): %v", f.Position, f.Type, f.Err)
}

// Unwrap returns Err.
func (f *Failure) Unwrap() error { return f.Err }

// narrowed reports whether the failure's event is known to be the cause.
func (f *Failure) narrowed() bool { return f.through == f.Position }

// events returns the range of the batch's events.
func (f *Failure) events() readmodel.Range {
	return readmodel.Range{After: f.Position - 1, Through: f.through}
}

func failure(events []event, err error) error {
	return &Failure{
		Position: events[0].Position, Type: events[0].Type, Err: err,
		through: events[len(events)-1].Position,
	}
}

// batchError is an error that kept a batch from being applied and that none of its
// events is known to have caused.
type batchError struct {
	from, through domain.Position // the batch's events
	err           error
}

// Error returns the batch's events and what went wrong.
func (e *batchError) Error() string {
	if e.from == e.through {
		return fmt.Sprintf("apply event %d: %v", e.from, e.err)
	}
	return fmt.Sprintf("apply the events %d to %d: %v", e.from, e.through, e.err)
}

// Unwrap returns the cause.
func (e *batchError) Unwrap() error { return e.err }

// applyError wraps the error of an Apply: in a *Failure if the events caused it,
// and in a *batchError otherwise.
func applyError(events []event, err error) error {
	if errors.Is(err, readmodel.ErrDoesNotFit) {
		return failure(events, err)
	}
	return &batchError{from: events[0].Position, through: events[len(events)-1].Position, err: err}
}

// sessionFailed records an error that ended a session. It returns the pause before
// the next session or, if an event has been tried often enough, the *Failure to
// halt for.
func (p *Projector) sessionFailed(err error) (time.Duration, error) {
	var f *Failure
	if errors.As(err, &f) {
		return p.eventFailed(f)
	}
	var b *batchError
	if errors.As(err, &b) {
		// The log and the views can be read, so the store may lack the room to
		// write so much at once.
		if p.batchFailures++; p.batchFailures == maxBatchFailures {
			p.single = readmodel.Range{After: b.from - 1, Through: b.through}
		}
	}
	attempts := p.workOutage.Failed(p.cfg.Logger, "projector: will try again", err)
	return outage.Delay(p.cfg.RetryDelay, attempts), nil
}

// eventFailed counts the failures of one event. Failures of other events, and
// outages in between, do not count toward halting.
func (p *Projector) eventFailed(f *Failure) (time.Duration, error) {
	if !f.narrowed() {
		p.single = f.events()
		return 0, nil
	}
	if f.Position != p.suspect {
		p.suspect, p.suspectFailures = f.Position, 0
	}
	p.suspectFailures++
	if p.suspectFailures >= maxAttempts {
		return 0, f
	}
	p.cfg.Logger.Warn("projector: an event cannot be applied, will try again", "position", f.Position, "type", f.Type, "error", f.Err)
	return outage.Delay(p.cfg.RetryDelay, p.suspectFailures), nil
}

// stopBefore records that the projector halts before an event.
func (p *Projector) stopBefore(f *Failure) {
	again := false
	p.setState(func(s *State) {
		again = s.Phase == Halted && s.Failure.Position == f.Position
		s.Phase, s.Failure = Halted, f
	})
	if again {
		p.haltedOutage.Failed(p.cfg.Logger, "projector: the event still cannot be applied", f.Err, "position", f.Position, "type", f.Type)
		return
	}
	p.haltedRetries, p.haltedOutage = 0, new(outage.Outage)
	p.cfg.Logger.Error("projector: halted; the views stay as they were before this event",
		"position", f.Position, "type", f.Type, "error", f.Err)
}
