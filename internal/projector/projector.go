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
	"chirp/internal/outage"
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
	// one, up to 2 s. Default: 100 ms.
	RetryDelay time.Duration
	// LookAgain is how long a projector that halted waits before it tries the
	// event again; it doubles each time, up to six times as long. Default: 5 s.
	LookAgain time.Duration
	// YieldAfter is how long a projector that can apply nothing keeps the lease
	// before it lets another one try. Default: 10 s.
	YieldAfter time.Duration
	// Committed is called after each commit that moved the checkpoint to
	// another position, before the next batch is begun; it must not block.
	// It may be nil.
	Committed func(domain.Position)
	// Logger may be nil.
	Logger *slog.Logger
}

const (
	maxTries   = 5               // for an event that cannot be applied
	maxStalls  = 3               // of a batch, before its events are applied one by one
	leaveDelay = 2 * time.Second // to give the lease up at the end
	calmAfter  = 2 * time.Second // of following a log that has nothing new
)

var (
	// errLeaseLost ends a session whose lease another projector has, or may have.
	errLeaseLost = errors.New("the lease is lost")
	// errTurned ends a session whose generation serves no more.
	errTurned = errors.New("another generation of the views serves")
	// errYield ends a session that gets nowhere, so that another projector,
	// whose surroundings may be well, can try.
	errYield = errors.New("it could apply nothing for a while")
)

// Projector keeps the views in step with the log. New makes one.
type Projector struct {
	cfg Config

	mu    sync.Mutex
	state State

	asking  outage.Outage // of the lease
	working outage.Outage // of the log and the views

	// The rest belongs to the goroutine of Run.
	serving   int             // the generation of the last session
	warned    bool            // about its threshold
	single    domain.Position // up to here, apply events one by one
	stalls    int             // of batches since the last commit
	suspect   domain.Position // the event that could not be applied
	failures  int             // how often
	looks     int             // since the halt
	halted    *outage.Outage  // of the looks at the event since then
	waitingOn string          // the holder of the lease that was logged last
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
	if cfg.LookAgain <= 0 {
		cfg.LookAgain = 5 * time.Second
	}
	if cfg.YieldAfter <= 0 {
		cfg.YieldAfter = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Projector{cfg: cfg}
}

// State describes the projector as it is now. It may be called at any time.
func (p *Projector) State() State {
	p.mu.Lock()
	s := p.state
	p.mu.Unlock()
	for _, o := range []*outage.Outage{&p.working, &p.asking} {
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

// Run keeps the views in step until ctx ends, and then gives the lease up and
// returns nil. Whatever its surroundings do, it tries again, for ever and at
// most 2 s apart. An event that cannot be applied is tried again a few times;
// then the projector halts before it, says so in State and in the log, and
// leaves the lease to others. It looks again now and then, and goes on when the
// event can be applied or another projector has moved past it. Views of another
// log are left as they are, and looked at again like everything else: a log that
// was replaced under a server may be put back.
func (p *Projector) Run(ctx context.Context) error {
	watchCtx, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.watch(watchCtx) })
	defer watch.Wait()
	defer stop()

	for ctx.Err() == nil {
		if !p.ask(ctx) {
			p.rest(ctx)
			continue
		}
		err := p.lead(ctx)
		p.leave(ctx)
		var failed *Failure
		switch {
		case errors.As(err, &failed):
			p.halt(failed)
			p.rest(ctx)
		case errors.Is(err, errYield):
			outage.Pause(ctx, min(p.cfg.LeaseTTL/2, outage.Longest))
		case ctx.Err() == nil:
			p.cfg.Logger.Info("projector: on standby", "reason", err)
			outage.Pause(ctx, p.cfg.RetryDelay)
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

	for began := time.Now(); ; {
		err := p.session(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, readmodel.ErrFenced) && p.turned(ctx), errors.Is(err, errTurned):
			continue
		case errors.Is(err, readmodel.ErrHeld): // others are about to serve
			outage.Pause(ctx, p.cfg.RetryDelay)
			continue
		case errors.Is(err, readmodel.ErrFenced):
			return err
		}
		wait, err := p.failed(err)
		if err != nil {
			return err
		}
		if report, ongoing := p.working.Now(); ongoing && time.Since(began) >= p.cfg.YieldAfter && time.Since(report.Since) >= p.cfg.YieldAfter {
			return errYield
		}
		outage.Pause(ctx, wait)
	}
}

// failed notes an error that ended a session. It returns the pause before the
// next one or, when an event was tried often enough, the *Failure to halt for.
func (p *Projector) failed(err error) (time.Duration, error) {
	var failed *Failure
	if errors.As(err, &failed) {
		return p.blame(failed)
	}
	var stalled *stall
	if errors.As(err, &stalled) {
		// While the log and the views can be read it may be that the store has
		// no room for so much at once.
		if p.stalls++; p.stalls == maxStalls {
			p.single = stalled.through
		}
	}
	tries := p.working.Failed(p.cfg.Logger, "projector: will try again", err)
	return outage.Delay(p.cfg.RetryDelay, tries), nil
}

// blame counts the failures of an event. Only its own count: neither those of
// other events nor outages in between.
func (p *Projector) blame(f *Failure) (time.Duration, error) {
	if f.through != f.Position { // to find out which of them it is
		p.single = f.through
		return 0, nil
	}
	if f.Position != p.suspect {
		p.suspect, p.failures = f.Position, 0
	}
	p.failures++
	if p.failures >= maxTries {
		return 0, f
	}
	p.cfg.Logger.Warn("projector: an event cannot be applied, will try again", "position", f.Position, "type", f.Type, "error", f.Err)
	return outage.Delay(p.cfg.RetryDelay, p.failures), nil
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
	if head, err = checkLog(ctx, p.cfg.Log, generation); err != nil { // after the views: others may have applied what came since
		return err
	}
	p.begin(generation, head.Position)
	ctx, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.watchServing(ctx, end) })
	defer watch.Wait()
	defer end(nil)
	if generation.Checkpoint.Position >= head.Position {
		calm := time.AfterFunc(calmAfter, func() { p.working.Ended(p.cfg.Logger, "projector: goes on") })
		defer calm.Stop()
	}
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

// turned says whether another generation serves than that of the session, or
// should.
func (p *Projector) turned(ctx context.Context) bool {
	snapshot, err := p.cfg.Views.Snapshot(ctx)
	if err != nil {
		return errors.Is(err, readmodel.ErrUnfit) || errors.Is(err, readmodel.ErrNoViews)
	}
	defer snapshot.Close()
	return snapshot.Generation().Number != p.serving
}

// watchServing ends a session when another generation serves, which one that
// has nothing to apply would not learn.
func (p *Projector) watchServing(ctx context.Context, end context.CancelCauseFunc) {
	for outage.Pause(ctx, p.cfg.LeaseTTL/4) {
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
	at := g.Checkpoint.Position
	passed, phase := p.at(at, head)
	if passed || phase == Standby {
		p.cfg.Logger.Log(context.Background(), p.level(), "projector: active", "position", at, "head", head)
	}
	p.setState(func(s *State) {
		if s.Position = at; s.Phase != Halted {
			s.Phase = Active
		}
	})
}

// level is that of a change of phase: in an outage, which is logged, one that
// yields and takes up the lease by turns is no news.
func (p *Projector) level() slog.Level {
	if _, ongoing := p.working.Now(); ongoing {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// at notes where the views and the log are. It reports whether the projector
// had halted at an event that the views show by now, which ends the halt, and
// the phase before that.
func (p *Projector) at(position, head domain.Position) (passed bool, phase Phase) {
	p.setState(func(s *State) {
		phase = s.Phase
		s.Position, s.Head = max(s.Position, position), max(s.Head, head)
		if s.Failure != nil && position >= s.Failure.Position {
			passed, s.Phase, s.Failure = true, Standby, nil
		}
	})
	if passed {
		p.cfg.Logger.Info("projector: the views are past the event that it halted at", "position", position)
	}
	return passed, phase
}

// applied notes a commit.
func (p *Projector) applied(at readmodel.Checkpoint) {
	p.stalls = 0
	if at.Position >= p.suspect {
		p.failures = 0
	}
	p.working.Ended(p.cfg.Logger, "projector: goes on")
	before := p.State().Position
	if passed, _ := p.at(at.Position, at.Position); passed {
		p.looks = 0
		p.setState(func(s *State) { s.Phase = Active })
	}
	if before != at.Position && p.cfg.Committed != nil {
		p.cfg.Committed(at.Position)
	}
}

// halt notes that the projector gave up on an event.
func (p *Projector) halt(f *Failure) {
	again := false
	p.setState(func(s *State) {
		again = s.Phase == Halted && s.Failure.Position == f.Position
		s.Phase, s.Failure = Halted, f
	})
	if again {
		p.halted.Failed(p.cfg.Logger, "projector: the event still cannot be applied", f.Err, "position", f.Position, "type", f.Type)
		return
	}
	p.looks, p.halted = 0, new(outage.Outage)
	p.cfg.Logger.Error("projector: halted; the views stay as they are before this event",
		"position", f.Position, "type", f.Type, "error", f.Err)
}

// watch keeps State's head current, and its position while others move it.
func (p *Projector) watch(ctx context.Context) {
	for outage.Pause(ctx, p.cfg.LeaseTTL/4) {
		if head, err := p.cfg.Log.Head(ctx); err == nil {
			p.setState(func(s *State) { s.Head = max(s.Head, head.Position) })
		}
		if p.State().Phase == Active {
			continue
		}
		if snapshot, err := p.cfg.Views.Snapshot(ctx); err == nil {
			at := snapshot.Generation().Checkpoint.Position
			snapshot.Close()
			p.seen(at)
		}
	}
}

// seen notes where another projector has brought the views, which means that
// what kept this one from its work is over.
func (p *Projector) seen(at domain.Position) {
	if at > p.State().Position {
		p.working.Ended(p.cfg.Logger, "projector: another server goes on")
	}
	p.at(at, at)
}
