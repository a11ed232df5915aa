// Package projector follows the log and folds its events into the read model:
// counts, timelines, and the rule that decides whose chirps are pushed and
// whose are pulled. Of several projectors on one store one is active, by lease;
// what it applies takes effect exactly once, because each batch moves the
// checkpoint in the same transaction and only from where the batch began.
package projector

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// Config is what a projector needs.
type Config struct {
	Log   eventstore.Log
	Views readmodel.Store
	// Threshold is the number of followers from which a user is a celebrity. It
	// counts for views that are yet to be made; others keep theirs.
	Threshold int64
	// Holder names this projector among those that share the store.
	Holder string
	// LeaseTTL is how long the lease outlives a projector that died without
	// giving it up. Default: 3 s.
	LeaseTTL time.Duration
	// MaxEvents and MaxDeliveries bound a batch: the events in it, and the
	// timeline entries that it writes or removes. Default: 1,000 and 10,000.
	MaxEvents     int
	MaxDeliveries int
	// RetryDelay is the pause after a failure; it doubles with each further
	// one. Default: 100 ms.
	RetryDelay time.Duration
	// Committed is called after each commit that moved the checkpoint to
	// another position, before the next batch is begun; it must not block.
	// It may be nil.
	Committed func(domain.Position)
	// Logger may be nil.
	Logger *slog.Logger
}

const (
	maxTries   = 5               // for an event that cannot be applied
	maxDelay   = 2 * time.Second // between tries
	leaveDelay = 2 * time.Second // to give the lease up at the end
)

var (
	// errLeaseLost ends a session whose lease another projector has, or may have.
	errLeaseLost = errors.New("the lease is lost")
	// errTurned ends a session whose generation serves no more.
	errTurned = errors.New("another generation of the views serves")
)

// Projector keeps the views in step with the log. New makes one.
type Projector struct {
	cfg Config

	mu    sync.Mutex
	state State

	// The rest belongs to the goroutine of Run.
	serving  int             // the generation of the last session
	warned   bool            // about its threshold
	single   domain.Position // up to here, apply events one by one
	errors   int             // since the last commit, of any kind
	failures int             // since the last commit, that waiting may not mend
}

// New makes a projector, which does nothing before Run.
func New(cfg Config) *Projector {
	if cfg.LeaseTTL <= 0 {
		cfg.LeaseTTL = 3 * time.Second
	}
	if cfg.MaxEvents <= 0 {
		cfg.MaxEvents = 1000
	}
	if cfg.MaxDeliveries <= 0 {
		cfg.MaxDeliveries = 10_000
	}
	if cfg.RetryDelay <= 0 {
		cfg.RetryDelay = 100 * time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Projector{cfg: cfg}
}

// State describes the projector as it is now. It may be called at any time.
func (p *Projector) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *Projector) setState(change func(*State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
}

// Run keeps the views in step until ctx ends, and then gives the lease up and
// returns nil. It rides out outages. An event that cannot be applied is tried
// again a few times; then the projector halts before it, says so in State and
// in the log, leaves the lease to others, and Run waits for the end of ctx. The
// only error it returns is ErrOtherLog.
func (p *Projector) Run(ctx context.Context) error {
	watchCtx, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.watch(watchCtx) })
	defer watch.Wait()
	defer stop()

	for ctx.Err() == nil {
		held, err := p.cfg.Views.Lease(ctx, p.cfg.Holder, p.cfg.LeaseTTL)
		if err != nil && ctx.Err() == nil {
			p.cfg.Logger.Warn("projector: cannot ask for the lease", "error", err)
		}
		if !held {
			pause(ctx, p.cfg.LeaseTTL/4)
			continue
		}
		err = p.lead(ctx)
		p.leave(ctx)
		var failed *Failure
		switch {
		case errors.Is(err, ErrOtherLog):
			return err
		case errors.As(err, &failed):
			p.halt(failed)
			<-ctx.Done()
		case ctx.Err() == nil:
			p.cfg.Logger.Info("projector: on standby", "reason", err)
			pause(ctx, p.cfg.RetryDelay)
		}
	}
	return nil
}

// lead applies events for as long as the lease lasts. It returns a *Failure
// when it gives up on an event, and another error when it must stand back.
func (p *Projector) lead(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var renewal sync.WaitGroup
	renewal.Go(func() { p.keepLease(ctx, cancel) })
	defer renewal.Wait()
	defer cancel(nil)

	for {
		err := p.session(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, readmodel.ErrFenced) && p.turned(ctx) || errors.Is(err, errTurned) {
			continue
		}
		if errors.Is(err, readmodel.ErrHeld) { // others are about to serve
			pause(ctx, p.cfg.RetryDelay)
			continue
		}
		var failed *Failure
		if !errors.As(err, &failed) {
			failed = &Failure{Position: p.State().Position + 1, Err: err}
			failed.through = failed.Position
		}
		p.errors++
		switch {
		case errors.Is(err, ErrOtherLog), errors.Is(err, readmodel.ErrFenced):
			return failed.Err
		case transient(err):
		default:
			p.failures++
			p.single = failed.through
			if p.failures >= maxTries && failed.through == failed.Position {
				return failed
			}
		}
		wait := min(p.cfg.RetryDelay<<min(p.errors-1, 10), maxDelay)
		p.cfg.Logger.Warn("projector: will try again", "error", err, "in", wait)
		pause(ctx, wait)
	}
}

// transient says whether waiting mends an error: an outage, or a store's own
// time limit.
func transient(err error) bool {
	return domain.KindOf(err) == domain.Unavailable ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// session opens the views and follows the log from their checkpoint until the
// first error.
func (p *Projector) session(ctx context.Context) error {
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
	if head, err = p.cfg.Log.Head(ctx); err != nil { // again: others may have applied what came since
		return err
	}
	if err := checkLog(generation, head.Epoch, head.Position); err != nil {
		return err
	}
	p.begin(generation, head.Position)
	ctx, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.watchServing(ctx, end) })
	defer watch.Wait()
	defer end(nil)
	s := &session{
		log: p.cfg.Log, writer: writer, threshold: generation.Threshold, at: generation.Checkpoint,
		users: make(users), single: p.single, applied: p.applied,
		maxEvents: p.cfg.MaxEvents, maxDeliveries: p.cfg.MaxDeliveries,
	}
	if err := s.run(ctx); !errors.Is(context.Cause(ctx), errTurned) {
		return err
	}
	return errTurned
}

// turned says whether another generation serves than that of the session.
func (p *Projector) turned(ctx context.Context) bool {
	snapshot, err := p.cfg.Views.Snapshot(ctx)
	if err != nil {
		return false
	}
	defer snapshot.Close()
	return snapshot.Generation().Number != p.serving
}

// watchServing ends a session when another generation serves, which one that
// has nothing to apply would not learn.
func (p *Projector) watchServing(ctx context.Context, end context.CancelCauseFunc) {
	for pause(ctx, p.cfg.LeaseTTL/4) {
		if p.turned(ctx) {
			end(errTurned)
			return
		}
	}
}

// begin notes that the projector is about to apply events to a generation.
func (p *Projector) begin(g readmodel.Generation, head domain.Position) {
	if p.serving != 0 && p.serving != g.Number {
		p.warned = false
		p.cfg.Logger.Info("projector: goes on with another generation of the views", "generation", g.Number, "threshold", g.Threshold, "position", g.Checkpoint.Position)
	}
	p.serving = g.Number
	if g.Threshold != p.cfg.Threshold && !p.warned {
		p.warned = true
		p.cfg.Logger.Warn("projector: the views keep their celebrity threshold until they are rebuilt",
			"threshold", g.Threshold, "configured", p.cfg.Threshold)
	}
	if p.State().Phase != Active {
		p.cfg.Logger.Info("projector: active", "position", g.Checkpoint.Position, "head", head)
	}
	p.setState(func(s *State) {
		*s = State{Phase: Active, Position: g.Checkpoint.Position, Head: head}
	})
}

// applied notes a commit.
func (p *Projector) applied(at readmodel.Checkpoint) {
	p.errors, p.failures = 0, 0
	moved := false
	p.setState(func(s *State) {
		moved = s.Position != at.Position
		s.Position, s.Head = at.Position, max(s.Head, at.Position)
	})
	if moved && p.cfg.Committed != nil {
		p.cfg.Committed(at.Position)
	}
}

// halt notes that the projector gave up.
func (p *Projector) halt(f *Failure) {
	p.setState(func(s *State) { s.Phase, s.Failure = Halted, f })
	p.cfg.Logger.Error("projector: halted; the views stay as they are before this event",
		"position", f.Position, "type", f.Type, "error", f.Err)
}

// keepLease renews the lease, and ends the session when it is lost or cannot
// be renewed in time.
func (p *Projector) keepLease(ctx context.Context, lose context.CancelCauseFunc) {
	renewed := time.Now()
	for pause(ctx, p.cfg.LeaseTTL/4) {
		asked := time.Now()
		askCtx, cancel := context.WithTimeout(ctx, p.cfg.LeaseTTL/2)
		held, err := p.cfg.Views.Lease(askCtx, p.cfg.Holder, p.cfg.LeaseTTL)
		cancel()
		switch {
		case err == nil && held:
			renewed = asked
		case err == nil || time.Since(renewed) > p.cfg.LeaseTTL:
			lose(errLeaseLost)
			return
		}
	}
}

// leave gives the lease up, so that another projector need not wait for its
// end.
func (p *Projector) leave(ctx context.Context) {
	p.setState(func(s *State) { s.Phase = Standby })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveDelay)
	defer cancel()
	if err := p.cfg.Views.Release(ctx, p.cfg.Holder); err != nil {
		p.cfg.Logger.Warn("projector: the lease could not be given up and will run out", "error", err)
	}
}

// watch keeps State's head current, and its position while others move it.
func (p *Projector) watch(ctx context.Context) {
	for pause(ctx, p.cfg.LeaseTTL/4) {
		if head, err := p.cfg.Log.Head(ctx); err == nil {
			p.setState(func(s *State) { s.Head = max(s.Head, head.Position) })
		}
		if p.State().Phase == Active {
			continue
		}
		if snapshot, err := p.cfg.Views.Snapshot(ctx); err == nil {
			at := snapshot.Generation().Checkpoint.Position
			snapshot.Close()
			p.setState(func(s *State) { s.Position = max(s.Position, at) })
		}
	}
}

// pause waits, and says whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
