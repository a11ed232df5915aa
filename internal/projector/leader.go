package projector

import (
	"context"
	"errors"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/readmodel"
)

// healthyAfter is how long a session with nothing to apply must last to end an
// outage. One that applies something ends it with its first commit.
const healthyAfter = 2 * time.Second

var (
	// errLeaseLost ends the leadership of a projector whose lease another one
	// holds, or may hold.
	errLeaseLost = errors.New("the lease is lost")
	// errYield ends the leadership of a projector that makes no progress, so
	// that another one, whose environment may be healthy, can try.
	errYield = errors.New("nothing could be applied for a while")
	// errGenerationChanged ends a session whose generation no longer serves.
	errGenerationChanged = errors.New("another generation of the views serves")
)

// runAsLeader applies events, session after session, for as long as the projector
// holds the lease. It returns a *Failure when it gives up on an event, and another
// error when another projector should lead.
func (p *Projector) runAsLeader(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var renewal sync.WaitGroup
	renewal.Go(func() { p.renewLease(ctx, cancel) })
	defer renewal.Wait()
	defer cancel(nil)

	for began := time.Now(); ; {
		err := p.runSession(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil,
			errors.Is(err, readmodel.ErrFenced) && p.generationChanged(ctx), errors.Is(err, errGenerationChanged):
			continue
		// Another generation is about to serve, or the next session is to build one.
		// With a pause, because that session may decide otherwise.
		case errors.Is(err, readmodel.ErrHeld), errors.Is(err, errFarBehind):
			outage.Pause(ctx, p.cfg.RetryDelay)
			continue
		case errors.Is(err, readmodel.ErrFenced):
			return err
		}
		delay, err := p.sessionFailed(err)
		if err != nil {
			return err
		}
		if p.shouldYield(began) {
			return errYield
		}
		outage.Pause(ctx, delay)
	}
}

// shouldYield reports whether another projector should try: both this leadership,
// which began at a given time, and the outage have lasted for YieldAfter. The
// outage alone does not count, because it may be older than the leadership, and a
// projector that gets the lease again tries for as long again.
func (p *Projector) shouldYield(began time.Time) bool {
	report, ongoing := p.workOutage.Now()
	return ongoing && time.Since(began) >= p.cfg.YieldAfter && time.Since(report.Since) >= p.cfg.YieldAfter
}

// runSession opens the serving views and applies the log from their checkpoint on
// until the first error. If they are far behind it builds others instead, and returns
// nil when those serve.
func (p *Projector) runSession(ctx context.Context) error {
	head, err := p.cfg.Log.Head(ctx)
	if err != nil {
		return err
	}
	writer, err := p.cfg.Views.Serving(ctx, head.Epoch, p.cfg.Threshold)
	if err != nil {
		return err
	}
	generation, err := writer.Generation(ctx)
	if err != nil {
		return err
	}
	// The head is read again after the checkpoint: other projectors may have
	// applied events that are newer than the head read above.
	if head, err = checkLog(ctx, p.cfg.Log, generation); err != nil {
		return err
	}
	p.sessionStarts(generation, head.Position)
	if p.shouldBuild(generation.Checkpoint.Position, head.Position) {
		return p.build(ctx, generation, head.Position)
	}
	ctx, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.watchGeneration(ctx, end) })
	defer watch.Wait()
	defer end(nil)
	if generation.Checkpoint.Position >= head.Position {
		healthy := time.AfterFunc(healthyAfter, func() { p.workOutage.Ended(p.cfg.Logger, "projector: continues") })
		defer healthy.Stop()
	}
	s := &session{
		log: p.cfg.Log, writer: writer, rules: p.cfg.rules(generation), at: generation.Checkpoint,
		profiles: make(profiles), single: p.single, committed: p.committed,
		maxEvents: p.cfg.MaxEvents, maxDeliveries: p.cfg.MaxDeliveries,
	}
	s.atEnd = func(ctx context.Context, _ int) (bool, error) { return p.checkDistance(ctx, s.at.Position) }
	if err := s.run(ctx); !errors.Is(context.Cause(ctx), errGenerationChanged) {
		return err
	}
	return errGenerationChanged
}

// sessionStarts records that the projector is about to apply events to a
// generation.
func (p *Projector) sessionStarts(g readmodel.Generation, head domain.Position) {
	if p.generation != 0 && p.generation != g.Number {
		p.warnedThreshold = false
		p.cfg.Logger.Info("projector: continues with another generation of the views", "generation", g.Number, "threshold", g.Threshold, "position", g.Checkpoint.Position)
	}
	p.generation = g.Number
	if g.Threshold != p.cfg.Threshold && !p.warnedThreshold {
		p.warnedThreshold = true
		p.cfg.Logger.Warn("projector: the views keep their celebrity threshold until they are rebuilt",
			"threshold", g.Threshold, "configured", p.cfg.Threshold)
	}
	at := g.Checkpoint.Position
	if at < p.State().Position || head < p.followThrough { // a log or views of another history
		p.followThrough = 0
	}
	haltEnded, phase := p.recordPosition(at, head)
	if haltEnded || phase == Standby {
		p.cfg.Logger.Log(context.Background(), p.phaseLevel(), "projector: active", "position", at, "head", head)
	}
	p.setState(func(s *State) {
		// Both may be before those of a log that was replaced.
		s.Position, s.Head = at, head
		// A halted projector that retries its event stays halted until a commit
		// takes it past the event.
		if s.Phase != Halted {
			s.Phase = Active
		}
	})
}

// committed records a commit.
func (p *Projector) committed(at readmodel.Checkpoint) {
	p.batchFailures = 0
	if at.Position >= p.suspect {
		p.suspectFailures = 0
	}
	p.workOutage.Ended(p.cfg.Logger, "projector: continues")
	before := p.State().Position
	if haltEnded, _ := p.recordPosition(at.Position, at.Position); haltEnded {
		p.haltedRetries = 0
		p.setState(func(s *State) { s.Phase = Active })
	}
	if before != at.Position && p.cfg.Committed != nil {
		p.cfg.Committed(at.Position)
	}
}

// generationChanged reports whether a generation other than the session's serves,
// or should.
func (p *Projector) generationChanged(ctx context.Context) bool {
	snapshot, err := p.cfg.Views.Snapshot(ctx)
	if err != nil {
		return errors.Is(err, readmodel.ErrUnfit) || errors.Is(err, readmodel.ErrNoViews)
	}
	defer snapshot.Close()
	return snapshot.Generation().Number != p.generation
}

// watchGeneration ends a session when another generation serves. A session that
// has nothing to apply would not notice otherwise.
func (p *Projector) watchGeneration(ctx context.Context, end context.CancelCauseFunc) {
	for outage.Pause(ctx, p.cfg.LeaseTTL/4) {
		if p.generationChanged(ctx) {
			end(errGenerationChanged)
			return
		}
	}
}
