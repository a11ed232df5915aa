package projector

import (
	"context"
	"errors"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

const (
	// farBehindEvents is how many events views must be behind, at least, for
	// others to be built in their place. Fewer are applied in a few seconds.
	farBehindEvents = 50_000
	// buildingSpeedup is how much faster events are applied to views that are being
	// built, roughly, with the time in which their indexes and timelines are made.
	buildingSpeedup = 3
	// otherRebuildFor is how long a rebuild that another process runs is left
	// alone before the projector looks again whether it may build.
	otherRebuildFor = 30 * time.Second
	// rateOver is about how far back the rate of building looks.
	rateOver = 30 * time.Second
	// logBuildingEvery is the time between two messages about the progress.
	logBuildingEvery = 5 * time.Second
	// buildingBatch is how many times as much as MaxEvents and MaxDeliveries say a
	// batch may have while views are built. Nothing else waits for the lock of
	// these views, and a row or page that many of the events change is written once.
	buildingBatch      = 8
	buildingDeliveries = 80
)

var (
	// errFarBehind ends a session because building other views is faster.
	errFarBehind = errors.New("the views are far behind the log")
	// errForeign means that a generation is unfinished that the projector must not
	// discard.
	errForeign = errors.New("a rebuild with another celebrity threshold is unfinished")
)

// Building describes views that are being built.
type Building struct {
	Progress
	// Since is when the projector began to build, or resumed.
	Since time.Time

	rate  float64   // 0 while it is not known
	moved time.Time // when Position last moved, or was first known
}

// advance returns b with a progress that was made by a given time. Its rate is that of
// the last rateOver, because events cost more the larger the views are.
func (b Building) advance(now Progress, at time.Time) Building {
	next := Building{Progress: now, Since: b.Since, rate: b.rate, moved: b.moved}
	passed := at.Sub(b.moved)
	switch {
	case b.moved.IsZero():
		next.moved = at
	case now.Position > b.Position && passed > 0:
		rate := float64(now.Position-b.Position) / passed.Seconds()
		share := min(1, passed.Seconds()/min(at.Sub(b.Since), rateOver).Seconds())
		if b.rate == 0 {
			share = 1
		}
		next.rate, next.moved = b.rate+share*(rate-b.rate), at
	}
	return next
}

// Rate returns how many events are applied in a second, of late.
func (b Building) Rate() float64 {
	if b.rate > 0 {
		return b.rate
	}
	return float64(b.Position-b.From) / max(time.Since(b.Since), time.Millisecond).Seconds()
}

// Left returns about how long building will take, without the indexes. It is 0 when
// that is not known.
func (b Building) Left() time.Duration {
	if b.Position <= b.From {
		return 0
	}
	return time.Duration(float64(b.Head-b.Position) / b.Rate() * float64(time.Second)).Round(time.Second)
}

// farBehind is the default of Config.FarBehind. Building costs the whole log, and
// applying only what is missing.
func farBehind(position, head domain.Position) bool {
	missing := head - position
	return missing >= farBehindEvents && buildingSpeedup*missing >= head
}

// Building returns the config with limits for views that are being built, which no
// reader and no push waits for.
func (c Config) Building() Config {
	c = c.withDefaults()
	c.MaxEvents, c.MaxDeliveries = buildingBatch*c.MaxEvents, buildingDeliveries*c.MaxDeliveries
	return c
}

// checkDistance ends a session whose views have fallen far behind the log. It reads
// the head of the log before it does, because the state's may be that of a log from
// before a restore.
func (p *Projector) checkDistance(ctx context.Context, at domain.Position) (end bool, err error) {
	if !p.shouldBuild(at, p.State().Head) {
		return false, nil
	}
	head, err := p.cfg.Log.Head(ctx)
	if err != nil {
		return false, err
	}
	p.setState(func(s *State) { s.Head = max(s.Position, head.Position) })
	if p.shouldBuild(at, head.Position) {
		return true, errFarBehind
	}
	return false, nil
}

// shouldBuild reports whether to build other views in place of those at a position.
// A projector that has halted does not: the event would stop the building, too.
func (p *Projector) shouldBuild(at, head domain.Position) bool {
	return p.cfg.FarBehind(at, head) && at >= p.followThrough && time.Now().After(p.buildAfter) && p.State().Failure == nil
}

// build builds a generation with the threshold of the serving one and makes it
// serve. It returns nil if the next session can go on, with whatever generation
// serves then. What another projector, or this one before a crash, has left
// unfinished is resumed. The serving generation stays where it is meanwhile.
func (p *Projector) build(ctx context.Context, serving readmodel.Generation, head domain.Position) error {
	cfg := p.cfg.Building()
	cfg.Threshold = serving.Threshold
	r := &rebuild{cfg: cfg, watch: p.cfg.Watch, report: p.reportBuilding, committed: p.builtBatch, single: p.single}
	err := p.checkUnfinished(ctx, serving)
	if err == nil {
		p.buildingStarts(serving, head)
		defer p.setState(func(s *State) { s.Building = nil })
		err = r.attempt(ctx)
	}
	var f *Failure
	switch {
	case err == nil:
		p.builtAll(r.progress.Position)
	case ctx.Err() != nil:
	case errors.Is(err, readmodel.ErrFenced), errors.Is(err, ErrOtherRebuild), errors.Is(err, errForeign):
		p.buildAfter = time.Now().Add(otherRebuildFor)
		p.cfg.Logger.Info("projector: leaves building to another rebuild, and follows the log meanwhile", "reason", err)
		return nil
	case errors.As(err, &f) && f.narrowed():
		return p.followInstead(head, r.serveThrough(ctx))
	case f == nil && p.cannotBuild(err):
		return p.followInstead(head, err)
	}
	return err
}

// cannotBuild reports whether building would fail again with an error that no event
// is known to have caused. Rows that do not fit are such an error; one of an unknown
// cause is if it returns again and again.
func (p *Projector) cannotBuild(err error) bool {
	if errors.Is(err, readmodel.ErrDoesNotFit) {
		return true
	}
	if domain.KindOf(err) == domain.Internal && !errors.As(err, new(*batchError)) {
		p.buildFailures++
	}
	return p.buildFailures >= 2*maxAttempts
}

// followInstead has the next session follow the log up to the head, where building
// stopped. It halts before an event that fits no views, as it would have without
// building, and names it. err is the error of building or of making the generation
// serve as far as it has come. After an outage nothing is decided: what was built is
// resumed.
func (p *Projector) followInstead(head domain.Position, err error) error {
	if err != nil && !p.cannotBuild(err) {
		return err
	}
	if err != nil {
		p.cfg.Logger.Warn("projector: the views cannot be built, follows the log", "error", err)
	}
	p.followThrough, p.buildFailures = head, 0
	return nil
}

// buildingStarts records that the projector is about to build.
func (p *Projector) buildingStarts(serving readmodel.Generation, head domain.Position) {
	p.setState(func(s *State) { s.Building = &Building{Since: time.Now(), Progress: Progress{Head: head}} })
	p.buildLoggedAt = time.Now()
	p.cfg.Logger.Log(context.Background(), p.phaseLevel(), "projector: the views are far behind the log, builds others, which takes less time",
		"position", serving.Checkpoint.Position, "head", head, "threshold", serving.Threshold)
}

// checkUnfinished returns errForeign if building would discard what an operator has
// begun to rebuild.
func (p *Projector) checkUnfinished(ctx context.Context, serving readmodel.Generation) error {
	g, err := p.cfg.Views.Unfinished(ctx)
	switch {
	case errors.Is(err, readmodel.ErrNotFound):
		return nil
	case err == nil && g.Epoch == serving.Epoch && g.Threshold != serving.Threshold:
		return errForeign
	}
	return err
}

// serveThrough makes the generation serve as far as it has come, if that is further
// than the serving one has.
func (r *rebuild) serveThrough(ctx context.Context) error {
	err := r.finish(ctx)
	if err == nil {
		err = r.switchOver(ctx)
	}
	if errors.Is(err, readmodel.ErrBehind) {
		return nil
	}
	return err
}

// builtBatch records that a batch was applied to views that are being built.
func (p *Projector) builtBatch(readmodel.Checkpoint) {
	p.batchFailures, p.buildFailures = 0, 0
	p.workOutage.Ended(p.cfg.Logger, "projector: continues")
}

// builtAll records that the views that were built serve.
func (p *Projector) builtAll(through domain.Position) {
	if p.cfg.Committed != nil && through > p.State().Position {
		p.cfg.Committed(through)
	}
}

// reportBuilding records the progress of building, and logs it now and then.
func (p *Projector) reportBuilding(now Progress) {
	var b Building
	p.setState(func(s *State) {
		b = s.Building.advance(now, time.Now())
		s.Building = &b
	})
	if time.Since(p.buildLoggedAt) < logBuildingEvery && !now.Done {
		return
	}
	p.buildLoggedAt = time.Now()
	p.cfg.Logger.Info("projector: "+b.doing(), "generation", b.Generation, "position", b.Position, "head", b.Head,
		"rate", int(b.Rate()), "left", b.Left())
}

// doing describes the step.
func (b Building) doing() string {
	switch {
	case b.Done:
		return "the views that were built serve"
	case b.Finishing:
		return "builds the timelines and indexes of the views"
	}
	return "builds views"
}
