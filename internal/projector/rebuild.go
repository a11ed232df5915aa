package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/readmodel"
)

// RebuildConfig configures a rebuild, in addition to a Config.
type RebuildConfig struct {
	// Progress is called about four times a second, and once when the new
	// generation serves; it must not block. It may be nil.
	Progress func(Progress)
	// Watch is how long the checkpoint of an unfinished generation is watched
	// before its building is resumed. If it moves, another rebuild is running.
	// Default: 1 s.
	Watch time.Duration
}

// Progress describes how far a rebuild has come.
type Progress struct {
	// Generation is the number of the generation that is being built.
	Generation int
	// From is the position at which this call began: 0, or where a rebuild that
	// was stopped left off. Position is how far it has come, and Head the
	// position of the log's last event.
	From, Position, Head domain.Position
	// Finishing is set while the indexes are built, Done once the generation
	// serves.
	Finishing, Done bool
}

const (
	// nearHeadEvents is how many events before the head of the log a generation
	// is finished. The remaining events are applied with indexes, which is slower
	// and takes a moment only.
	nearHeadEvents = 2000
	// reportEvery is the time between two calls of RebuildConfig.Progress.
	reportEvery = 250 * time.Millisecond
	// catchUpFor is how long a rebuild tries to catch up with the projector at
	// work before it pauses the serving generation. Each pause is twice as long
	// as the one before, from shortestPause to longestPause.
	catchUpFor    = 500 * time.Millisecond
	shortestPause = time.Second
	longestPause  = 8 * time.Second
)

// ErrOtherRebuild means that another rebuild of the same views is running.
var ErrOtherRebuild = errors.New("another rebuild of these views is running; wait until it ends, or stop it and start this one again")

// Rebuild builds a new generation of the views from the log, with the threshold of
// cfg, while the old generation serves. Then it makes the new one serve. It needs
// no lease: projectors continue with the serving generation, and open the new one
// after the switch. If a rebuild is stopped, in whatever way, the next call with
// the same threshold resumes it. Rebuild retries through short outages. Otherwise
// it returns an error, for example:
//
//  1. The views were made from another log: ErrOtherLog.
//  2. Another rebuild of the same views is running: ErrOtherRebuild.
//  3. An event cannot be applied: a *Failure.
func Rebuild(ctx context.Context, cfg Config, rc RebuildConfig) error {
	cfg = cfg.withDefaults()
	setDefault(&rc.Watch, time.Second)
	r := &rebuild{cfg: cfg, report: rc.Progress, watch: rc.Watch, committed: func(readmodel.Checkpoint) {}}
	for attempts := 0; ; {
		at := r.progress.Position
		err := r.attempt(ctx)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if attempts++; r.progress.Position != at { // it made progress: count from there
			attempts = 1
		}
		var f *Failure
		switch {
		case errors.Is(err, readmodel.ErrFenced):
			return ErrOtherRebuild
		case errors.As(err, &f) && !f.narrowed():
			r.single = f.events()
		case permanent(err), attempts >= 2*maxAttempts:
			return err
		default:
			cfg.Logger.Warn("rebuild: will try again", "error", err)
			outage.Pause(ctx, outage.Delay(cfg.RetryDelay, attempts))
		}
	}
}

// permanent reports whether a rebuild would fail again in the same way: because of
// an event, or of an error that only an operator can resolve. Errors of kind Internal
// may have any cause, so they are retried.
func permanent(err error) bool {
	kind := domain.KindOf(err)
	return errors.As(err, new(*Failure)) || errors.Is(err, readmodel.ErrDoesNotFit) || errors.Is(err, ErrOtherLog) || errors.Is(err, ErrOtherRebuild) ||
		kind != domain.Internal && kind != domain.Unavailable
}

// rebuild is one call of Rebuild.
type rebuild struct {
	cfg       Config
	report    func(Progress) // may be nil
	watch     time.Duration
	committed func(readmodel.Checkpoint)
	single    readmodel.Range // events that are applied one by one

	builder     readmodel.Builder
	opened      bool
	progress    Progress
	behindSince time.Time     // when the serving generation was first found ahead, or was last paused
	lastPause   time.Duration // length of the last pause
	refreshedAt time.Time     // when progress.Head was last read
}

// attempt builds from the checkpoint on until the new generation serves or
// something fails. It follows the log until it is near the head, where nearHead
// finishes the generation, and catches up with the serving generation from there.
func (r *rebuild) attempt(ctx context.Context) error {
	g, err := r.open(ctx)
	if err != nil {
		return err
	}
	s := &session{
		log: r.cfg.Log, writer: r.builder, rules: r.cfg.rules(g), at: g.Checkpoint,
		profiles: make(profiles), single: r.single, committed: r.committed,
		maxEvents: r.cfg.MaxEvents, maxDeliveries: r.cfg.MaxDeliveries,
	}
	s.atEnd = func(ctx context.Context, pending int) (bool, error) { return r.nearHead(ctx, s.at.Position, pending) }
	if err := s.run(ctx); err != nil {
		return err
	}
	return s.catchUp(ctx, func(ctx context.Context) (bool, error) { return r.trySwitch(ctx, s.at.Position) })
}

// open opens the generation that is to be built and returns it. It checks that this
// generation and the serving one were made from the log, and, on the first attempt,
// that no other rebuild is running.
func (r *rebuild) open(ctx context.Context) (readmodel.Generation, error) {
	var none readmodel.Generation
	head, err := r.cfg.Log.Head(ctx)
	if err != nil {
		return none, err
	}
	serving, err := r.cfg.Views.Serving(ctx, head.Epoch, r.cfg.Threshold)
	if err != nil {
		return none, err
	}
	served, err := serving.Generation(ctx)
	if err != nil {
		return none, err
	}
	if r.builder, err = r.cfg.Views.Build(ctx, head.Epoch, r.cfg.Threshold); err != nil {
		return none, err
	}
	g, err := r.builder.Generation(ctx)
	if err != nil {
		return none, err
	}
	// The head is read again after the checkpoints: other projectors may have
	// applied events that are newer than the head read above.
	head, errServed := checkLog(ctx, r.cfg.Log, served)
	_, errBuilt := checkLog(ctx, r.cfg.Log, g)
	if err := errors.Join(errServed, errBuilt); err != nil {
		return none, err
	}
	if r.opened {
		return g, nil
	}
	if err := r.checkNoOtherRebuild(ctx, g); err != nil {
		return none, err
	}
	r.opened = true
	r.progress = Progress{Generation: g.Number, From: g.Checkpoint.Position, Position: g.Checkpoint.Position, Head: head.Position}
	r.cfg.Logger.Debug("rebuild: begins", "generation", g.Number, "threshold", g.Threshold, "position", g.Checkpoint.Position, "head", head.Position)
	return g, nil
}

// checkNoOtherRebuild returns ErrOtherRebuild if the checkpoint of an unfinished
// generation moves by itself. It may miss a rebuild that begins at the same time,
// but then the two fence each other.
func (r *rebuild) checkNoOtherRebuild(ctx context.Context, g readmodel.Generation) error {
	if g.Checkpoint == (readmodel.Checkpoint{}) {
		return nil
	}
	outage.Pause(ctx, r.watch)
	now, err := r.builder.Generation(ctx)
	if err == nil && now.Checkpoint != g.Checkpoint {
		err = ErrOtherRebuild
	}
	return err
}

// nearHead is called before each batch, with the number of events that were read
// and not applied. It reports whether the head of the log is near, and finishes the
// new generation if so.
func (r *rebuild) nearHead(ctx context.Context, at domain.Position, pending int) (bool, error) {
	r.progress.Position = at
	if err := r.refresh(ctx, false); err != nil {
		return false, err
	}
	if r.progress.Head-at > nearHeadEvents || pending > nearHeadEvents {
		return false, nil
	}
	return true, r.finish(ctx)
}

// trySwitch makes the new generation serve, and reports whether it does. It does
// not if the log or the serving generation is further than the new one.
func (r *rebuild) trySwitch(ctx context.Context, at domain.Position) (bool, error) {
	r.progress.Position = at
	if err := r.refresh(ctx, false); err != nil {
		return false, err
	}
	// The head is up to reportEvery old, so that constant appends cannot keep the
	// switch from being tried.
	if at < r.progress.Head {
		return false, nil
	}
	switch err := r.switchOver(ctx); {
	case errors.Is(err, readmodel.ErrBehind):
		return false, r.pauseServing(ctx)
	case err != nil:
		return false, fmt.Errorf("switch to generation %d of the views: %w", r.progress.Generation, err)
	}
	r.progress.Done = true
	r.cfg.Logger.Debug("rebuild: the new views serve", "generation", r.progress.Generation, "position", at)
	return true, r.refresh(ctx, true)
}

// switchOver makes the new generation serve. The switch itself is retried, and not the
// whole attempt: it may have taken effect, and then another attempt would build
// another generation.
func (r *rebuild) switchOver(ctx context.Context) error {
	err := r.builder.Switch(ctx)
	for attempts := 1; domain.KindOf(err) == domain.Unavailable && ctx.Err() == nil && attempts < maxAttempts; attempts++ {
		outage.Pause(ctx, outage.Delay(r.cfg.RetryDelay, attempts+1))
		err = r.builder.Switch(ctx)
	}
	return err
}

// pauseServing pauses the serving generation if its projector has been ahead for
// some time. On a busy machine the new generation might never catch up otherwise.
func (r *rebuild) pauseServing(ctx context.Context) error {
	if r.behindSince.IsZero() {
		r.behindSince = time.Now()
	}
	if time.Since(r.behindSince) < max(catchUpFor, r.lastPause) {
		return nil
	}
	r.lastPause = min(max(shortestPause, 2*r.lastPause), longestPause)
	r.behindSince = time.Now()
	r.cfg.Logger.Debug("rebuild: pauses the serving views", "for", r.lastPause)
	return r.builder.Hold(ctx, r.lastPause)
}

// finish builds the indexes that only readers need.
func (r *rebuild) finish(ctx context.Context) error {
	r.progress.Finishing = true
	if err := r.refresh(ctx, true); err != nil {
		return err
	}
	began := time.Now()
	if err := r.builder.Finish(ctx); err != nil {
		return fmt.Errorf("finish generation %d of the views: %w", r.progress.Generation, err)
	}
	r.progress.Finishing = false
	r.cfg.Logger.Debug("rebuild: built the indexes", "in", time.Since(began))
	return r.refresh(ctx, true)
}

// refresh reads the head of the log and reports the progress, if it is time to or
// now is set.
func (r *rebuild) refresh(ctx context.Context, now bool) error {
	if !now && time.Since(r.refreshedAt) < reportEvery {
		return nil
	}
	head, err := r.cfg.Log.Head(ctx)
	if err != nil {
		return err
	}
	r.refreshedAt, r.progress.Head = time.Now(), max(head.Position, r.progress.Position)
	if r.report != nil {
		r.report(r.progress)
	}
	return nil
}
