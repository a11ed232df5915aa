// Package projector follows the log and folds its events into the read model:
// profiles with their counts, timelines, and the rule that decides whose chirps
// are pushed and whose are pulled. Of several projectors on one store, one is
// active at a time: the one that holds the lease. Each batch takes effect exactly
// once, lease or no lease, because it moves the checkpoint in the same transaction
// and only from where the batch began.
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

// Config configures a projector. Log, Views, Threshold and Holder are required.
type Config struct {
	Log   eventstore.Log
	Views readmodel.Store
	// Threshold is the number of followers at which a user becomes a celebrity.
	// It applies to views that are created from now on; existing views keep
	// theirs.
	Threshold int64
	// Holder identifies this projector among those that share the store.
	Holder string
	// LeaseTTL is how long the lease outlives a projector that died without
	// releasing it. Default: 3 s.
	LeaseTTL time.Duration
	// MaxEvents and MaxDeliveries bound a batch: its events, and the timeline
	// entries that it writes or removes. Default: 1,000 and 10,000.
	MaxEvents     int
	MaxDeliveries int
	// Backfill is how many of a followee's newest pushed chirps a follow
	// delivers; a follow delivers fewer than twice as many. Follows that were made
	// with another value keep theirs. Default: 32.
	Backfill int
	// RetryDelay is the pause after a failure. It doubles with each further
	// failure, up to 2 s. Default: 100 ms.
	RetryDelay time.Duration
	// HaltedRetryDelay is how long a halted projector waits before it tries the
	// event again. It doubles each time, up to six times as long. Default: 5 s.
	HaltedRetryDelay time.Duration
	// YieldAfter is how long a projector that cannot apply anything keeps the
	// lease before it lets another projector try. Default: 10 s.
	YieldAfter time.Duration
	// FarBehind reports whether views at a position are so far behind the head of
	// the log that building others from position 1 on is faster than applying what
	// is missing. Default: at least 50,000 events, and a third of the log.
	FarBehind func(position, head domain.Position) bool
	// Watch is how long the checkpoint of an unfinished generation is watched
	// before the projector resumes to build it, as in RebuildConfig. Default: 1 s.
	Watch time.Duration
	// Committed is called after each commit that moved the checkpoint to
	// another position, before the next batch begins; it must not block.
	// It may be nil.
	Committed func(domain.Position)
	// Logger may be nil.
	Logger *slog.Logger
}

// defaultBackfill is more than a page of a feed has if the client does not say, so that
// the first page is read from the timeline alone. It is small because a follow and an
// unfollow may cost the views nearly twice as many entries.
const defaultBackfill = 32

// withDefaults returns the config with defaults for the fields that are not set.
func (c Config) withDefaults() Config {
	setDefault(&c.LeaseTTL, 3*time.Second)
	setDefault(&c.MaxEvents, 1000)
	setDefault(&c.MaxDeliveries, 10_000)
	setDefault(&c.Backfill, defaultBackfill)
	setDefault(&c.RetryDelay, 100*time.Millisecond)
	setDefault(&c.HaltedRetryDelay, 5*time.Second)
	setDefault(&c.YieldAfter, 10*time.Second)
	setDefault(&c.Watch, time.Second)
	if c.FarBehind == nil {
		c.FarBehind = farBehind
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// rules returns the rules of a generation.
func (c Config) rules(g readmodel.Generation) rules {
	return rules{threshold: g.Threshold, backfill: int64(c.Backfill)}
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Projector keeps the views up to date with the log. Create one with New.
type Projector struct {
	cfg Config

	mu    sync.Mutex
	state State

	leaseOutage outage.Outage // requests for the lease fail
	workOutage  outage.Outage // reading the log or writing the views fails

	// The fields below belong to the goroutine of Run.

	generation      int             // generation number of the last session
	warnedThreshold bool            // logged that the generation has another threshold
	single          readmodel.Range // events that are applied one by one
	batchFailures   int             // batchErrors since the last commit
	buildAfter      time.Time       // until then another rebuild is left alone
	followThrough   domain.Position // up to here the log is followed, because building failed
	buildFailures   int             // errors of an unknown cause since the last commit
	buildLoggedAt   time.Time       // when the progress of building was last logged
	suspect         domain.Position // the event that could not be applied
	suspectFailures int             // attempts at suspect that failed
	haltedRetries   int             // retries since the projector halted
	haltedOutage    *outage.Outage  // paces the logging of those retries
	loggedHolder    string          // holder of the lease that was logged last
}

// New returns a projector. It does nothing until Run is called.
func New(cfg Config) *Projector { return &Projector{cfg: cfg.withDefaults()} }

// Run keeps the views up to date until ctx ends, then releases the lease and
// returns nil. It never returns because of an error:
//
//  1. If the log, the views or the lease cannot be used, it retries, at most 2 s
//     apart.
//  2. If an event cannot be applied, it retries a few times, then halts before the
//     event: State and the log report that, and the lease is left to others. It
//     retries from time to time, and continues once the event can be applied or
//     another projector has moved past it.
//  3. If the views were made from another log, it leaves them as they are and
//     retries, because a log that was replaced under a running server may be put
//     back.
func (p *Projector) Run(ctx context.Context) error {
	watchCtx, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.keepStateCurrent(watchCtx) })
	defer watch.Wait()
	defer stop()

	for ctx.Err() == nil {
		if !p.requestLease(ctx) {
			p.pauseBeforeLease(ctx)
			continue
		}
		err := p.runAsLeader(ctx)
		p.releaseLease(ctx)
		var failure *Failure
		switch {
		case errors.As(err, &failure):
			p.stopBefore(failure)
			p.pauseBeforeLease(ctx)
		case errors.Is(err, errYield):
			// Long enough for another projector to request the lease meanwhile.
			outage.Pause(ctx, min(p.cfg.LeaseTTL/2, outage.Longest))
		case ctx.Err() == nil:
			p.cfg.Logger.Info("projector: on standby", "reason", err)
			outage.Pause(ctx, p.cfg.RetryDelay)
		}
	}
	return nil
}
