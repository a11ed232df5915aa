package projector

import (
	"context"
	"log/slog"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

// Phase is what a projector is doing.
type Phase int

// The phases.
const (
	Standby Phase = iota // it does not hold the lease
	Active               // it holds the lease and applies events
	Halted               // it gave up on an event, and retries from time to time
)

// String returns the phase's name in lower case.
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
	// event, as last read: on an active projector Position is that of its last
	// commit; otherwise both were read a fraction of LeaseTTL ago.
	Position domain.Position
	Head     domain.Position
	// Failure is why the projector halted, nil in the other phases.
	Failure *Failure
	// Building describes the views that the projector builds because those that
	// serve are far behind, nil while it builds none. Position is that of those that
	// serve.
	Building *Building
	// Outage is what keeps the projector from working now, nil if nothing does.
	// No event causes it, and the projector retries until it ends.
	Outage *outage.Report
}

// Lag returns the number of events that the views are behind the log.
func (s State) Lag() int64 { return max(0, int64(s.Head-s.Position)) }

// State returns the projector's current state. It may be called at any time.
func (p *Projector) State() State {
	p.mu.Lock()
	s := p.state
	p.mu.Unlock()
	for _, o := range []*outage.Outage{&p.workOutage, &p.leaseOutage} {
		if report, ongoing := o.Now(); ongoing {
			s.Outage = &report
		}
	}
	return s
}

func (p *Projector) setState(change func(*State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
}

// recordPosition records how far the views and the log are. It returns the phase
// before that, and whether the views are now past the event that the projector had
// halted at, which ends the halt.
func (p *Projector) recordPosition(position, head domain.Position) (haltEnded bool, before Phase) {
	p.setState(func(s *State) {
		before = s.Phase
		s.Position, s.Head = max(s.Position, position), max(s.Head, head)
		if s.Failure != nil && position >= s.Failure.Position {
			haltEnded, s.Phase, s.Failure = true, Standby, nil
		}
	})
	if haltEnded {
		p.cfg.Logger.Info("projector: the views are past the event that it halted at", "position", position)
	}
	return haltEnded, before
}

// phaseLevel returns the level at which a change of phase is logged. In an outage,
// which is logged already, a projector that repeatedly yields the lease and gets it
// back is not news.
func (p *Projector) phaseLevel() slog.Level {
	if _, ongoing := p.workOutage.Now(); ongoing {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// keepStateCurrent keeps the state's head up to date, and its position while
// another projector may be moving the views.
func (p *Projector) keepStateCurrent(ctx context.Context) {
	for outage.Pause(ctx, p.cfg.LeaseTTL/4) {
		if head, err := p.cfg.Log.Head(ctx); err == nil {
			p.setState(func(s *State) { s.Head = max(s.Position, head.Position) })
		}
		if p.State().Phase == Active {
			continue
		}
		if snapshot, err := p.cfg.Views.Snapshot(ctx); err == nil {
			at := snapshot.Generation().Checkpoint.Position
			snapshot.Close()
			p.movedByAnother(at)
		}
	}
}

// movedByAnother records how far another projector has brought the views. If they
// have moved, what kept this projector from working is no longer an outage.
func (p *Projector) movedByAnother(at domain.Position) {
	if at > p.State().Position {
		p.workOutage.Ended(p.cfg.Logger, "projector: another server continues")
	}
	p.recordPosition(at, at)
}
