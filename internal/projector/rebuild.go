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

// RebuildConfig is what a rebuild needs beside a Config.
type RebuildConfig struct {
	// Progress is called about four times a second, and once when the new
	// generation serves; it must not block. It may be nil.
	Progress func(Progress)
	// Watch is how long the checkpoint of an unfinished generation is watched
	// before it is taken up: a rebuild at work moves it. Default: 1 s.
	Watch time.Duration
}

// Progress says how far a rebuild has come.
type Progress struct {
	// Generation is the number of the one that is being built.
	Generation int
	// From is where this call took it up, 0 for one that is new. Position is
	// where it stands, and Head where the log ends.
	From, Position, Head domain.Position
	// Finishing is set while the indexes are built, Done once it serves.
	Finishing, Done bool
}

const (
	// nearHead is how close to the head of the log a generation is finished:
	// what is left is applied in a moment, at a projector's pace.
	nearHead = 2000
	// reportEvery is the time between two calls of Progress.
	reportEvery = 250 * time.Millisecond
	// sprintFor is how long a rebuild tries to be level with the projector
	// before it has that wait, and shortestHold and longestHold bound for how
	// long: each time twice as long as before.
	sprintFor    = 500 * time.Millisecond
	shortestHold = time.Second
	longestHold  = 8 * time.Second
)

// ErrOtherRebuild says that another rebuild is at work on the same views.
var ErrOtherRebuild = errors.New("another rebuild of these views is at work; let it end, or stop it and start this one again")

// Rebuild makes the views anew from the log, with the threshold of the config,
// while the old ones serve, and then lets the new ones serve. It needs no
// lease: projectors go on with what serves, and open the new generation after
// the switch. A rebuild that was stopped, in whatever way, is taken up where it
// was by the next call with the same threshold. It rides out short outages.
// Three errors say why it cannot go on: ErrOtherLog, ErrOtherRebuild, and a
// *Failure that names the event.
func Rebuild(ctx context.Context, cfg Config, rc RebuildConfig) error {
	cfg = New(cfg).cfg // with its defaults
	r := &rebuild{cfg: cfg, report: rc.Progress, watch: rc.Watch}
	if r.watch <= 0 {
		r.watch = time.Second
	}
	for tries := 0; ; {
		at := r.progress.Position
		err := r.attempt(ctx)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if tries++; r.progress.Position != at {
			tries = 1
		}
		var failed *Failure
		switch {
		case errors.Is(err, readmodel.ErrFenced):
			return ErrOtherRebuild
		case errors.As(err, &failed) && failed.through != failed.Position:
			r.single = failed.through // to find out which of them it is
		case final(err), tries >= 2*maxTries:
			return err
		default:
			cfg.Logger.Warn("rebuild: will try again", "error", err)
			outage.Pause(ctx, outage.Delay(cfg.RetryDelay, tries))
		}
	}
}

// final reports whether trying again cannot help a rebuild: an event is to
// blame, or it was told what is wrong and that only a person can mend it.
func final(err error) bool {
	kind := domain.KindOf(err)
	return errors.As(err, new(*Failure)) || errors.Is(err, ErrOtherLog) || errors.Is(err, ErrOtherRebuild) ||
		kind != domain.Internal && kind != domain.Unavailable
}

// rebuild is one call of Rebuild.
type rebuild struct {
	cfg    Config
	report func(Progress)
	watch  time.Duration
	single domain.Position

	builder  readmodel.Builder
	began    bool
	progress Progress
	sprint   time.Time     // since when the serving generation is ahead
	hold     time.Duration // how long it was held last
	headAt   time.Time     // when the head was asked for
}

// attempt builds from the checkpoint on until the new generation serves or
// something fails.
func (r *rebuild) attempt(ctx context.Context) error {
	g, err := r.open(ctx)
	if err != nil {
		return err
	}
	s := &session{
		log: r.cfg.Log, writer: r.builder, threshold: g.Threshold, at: g.Checkpoint,
		users: make(users), single: r.single, applied: func(readmodel.Checkpoint) {},
		maxEvents: r.cfg.MaxEvents, maxDeliveries: r.cfg.MaxDeliveries,
	}
	s.before = func(ctx context.Context, pending int) (bool, error) { return r.near(ctx, s.at.Position, pending) }
	if err := s.run(ctx); err != nil {
		return err
	}
	return s.sprint(ctx, func(ctx context.Context) (bool, error) { return r.switchOver(ctx, s.at.Position) })
}

// open opens what serves, to see that it belongs to the log, and what is to be
// built.
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
	// The log after the views, for others may have applied what came since.
	head, unlikeServed := checkLog(ctx, r.cfg.Log, served)
	_, unlikeBuilt := checkLog(ctx, r.cfg.Log, g)
	if err := errors.Join(unlikeServed, unlikeBuilt); err != nil {
		return none, err
	}
	if r.began {
		return g, nil
	}
	if err := r.alone(ctx, g); err != nil {
		return none, err
	}
	r.began = true
	r.progress = Progress{Generation: g.Number, From: g.Checkpoint.Position, Position: g.Checkpoint.Position, Head: head.Position}
	r.cfg.Logger.Debug("rebuild: begins", "generation", g.Number, "threshold", g.Threshold, "position", g.Checkpoint.Position, "head", head.Position)
	return g, nil
}

// alone sees whether an unfinished generation is moved by another rebuild. Two
// that begin at the same time fence each other.
func (r *rebuild) alone(ctx context.Context, g readmodel.Generation) error {
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

// near is called before each batch is gathered, with the number of events that
// were read already. It says whether the end of the log is near and the new
// generation finished.
func (r *rebuild) near(ctx context.Context, at domain.Position, pending int) (bool, error) {
	r.progress.Position = at
	if err := r.look(ctx, false); err != nil {
		return false, err
	}
	if r.progress.Head-at > nearHead || pending > nearHead {
		return false, nil
	}
	return true, r.finish(ctx)
}

// switchOver says whether the new generation serves. It does not if the serving
// one has come further meanwhile.
func (r *rebuild) switchOver(ctx context.Context, at domain.Position) (bool, error) {
	r.progress.Position = at
	if err := r.look(ctx, false); err != nil {
		return false, err
	}
	if at < r.progress.Head { // as of a moment ago, so that appends cannot put it off for ever
		return false, nil
	}
	err := r.builder.Switch(ctx)
	for tries := 1; domain.KindOf(err) == domain.Unavailable && ctx.Err() == nil && tries < maxTries; tries++ {
		// To begin anew is no way out: the switch may have been made.
		outage.Pause(ctx, outage.Delay(r.cfg.RetryDelay, tries+1))
		err = r.builder.Switch(ctx)
	}
	switch {
	case errors.Is(err, readmodel.ErrBehind):
		return false, r.outrun(ctx)
	case err != nil:
		return false, fmt.Errorf("switch to generation %d of the views: %w", r.progress.Generation, err)
	}
	r.progress.Done = true
	r.cfg.Logger.Debug("rebuild: the new views serve", "generation", r.progress.Generation, "position", at)
	return true, r.look(ctx, true)
}

// outrun has the serving generation held when its projector has been faster
// for some time, which on a busy machine might never end by itself.
func (r *rebuild) outrun(ctx context.Context) error {
	if r.sprint.IsZero() {
		r.sprint = time.Now()
	}
	if time.Since(r.sprint) < max(sprintFor, r.hold) {
		return nil
	}
	r.hold = min(max(shortestHold, 2*r.hold), longestHold)
	r.sprint = time.Now()
	r.cfg.Logger.Debug("rebuild: holds the serving views", "for", r.hold)
	return r.builder.Hold(ctx, r.hold)
}

func (r *rebuild) finish(ctx context.Context) error {
	r.progress.Finishing = true
	if err := r.look(ctx, true); err != nil {
		return err
	}
	began := time.Now()
	if err := r.builder.Finish(ctx); err != nil {
		return fmt.Errorf("finish generation %d of the views: %w", r.progress.Generation, err)
	}
	r.progress.Finishing = false
	r.cfg.Logger.Debug("rebuild: indexes made", "in", time.Since(began))
	return r.look(ctx, true)
}

// look asks where the log ends, and reports, if it is time to or now is set.
func (r *rebuild) look(ctx context.Context, now bool) error {
	if !now && time.Since(r.headAt) < reportEvery {
		return nil
	}
	head, err := r.cfg.Log.Head(ctx)
	if err != nil {
		return err
	}
	r.headAt, r.progress.Head = time.Now(), max(head.Position, r.progress.Position)
	if r.report != nil {
		r.report(r.progress)
	}
	return nil
}
