package projector

import (
	"context"
	"time"

	"chirp/internal/outage"
	"chirp/internal/readmodel"
)

// releaseTimeout bounds the release of the lease.
const releaseTimeout = 2 * time.Second

// requestLease requests the lease and reports whether the projector holds it. If
// another projector does, its name is logged once.
func (p *Projector) requestLease(ctx context.Context) bool {
	held, err := p.cfg.Views.Lease(ctx, p.cfg.Holder, p.cfg.LeaseTTL)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		p.leaseOutage.Failed(p.cfg.Logger, "projector: cannot request the lease, will try again", err)
		return false
	}
	p.leaseOutage.Ended(p.cfg.Logger, "projector: can request the lease again")
	shared, ok := p.cfg.Views.(readmodel.LeaseHolder)
	if held || !ok {
		p.loggedHolder = ""
		return held
	}
	if holder, until := shared.LeaseHolder(); holder != p.loggedHolder {
		p.loggedHolder = holder
		p.cfg.Logger.Info("projector: on standby, another server holds the lease", "holder", holder, "until", until)
	}
	return false
}

// pauseBeforeLease pauses before the lease is requested again. A halted projector
// waits longer, unless another one moves past the event.
func (p *Projector) pauseBeforeLease(ctx context.Context) {
	wait := p.cfg.LeaseTTL / 4
	if p.State().Phase != Halted {
		outage.Pause(ctx, min(wait, outage.Longest))
		return
	}
	const doublings, most = 3, 6
	until := time.Now().Add(min(p.cfg.HaltedRetryDelay<<min(p.haltedRetries, doublings), most*p.cfg.HaltedRetryDelay))
	p.haltedRetries++
	for p.State().Phase == Halted && time.Now().Before(until) {
		if !outage.Pause(ctx, min(wait, time.Until(until))) {
			return
		}
	}
}

// renewLease renews the lease until ctx ends, and calls lose when another
// projector holds the lease or it could not be renewed in time.
func (p *Projector) renewLease(ctx context.Context, lose context.CancelCauseFunc) {
	renewed := time.Now()
	for outage.Pause(ctx, p.cfg.LeaseTTL/4) {
		// The store grants the lease at some time between the request and its
		// answer. Counted from the request it never ends later than in the store.
		requested := time.Now()
		requestCtx, cancel := context.WithTimeout(ctx, p.cfg.LeaseTTL/2)
		held, err := p.cfg.Views.Lease(requestCtx, p.cfg.Holder, p.cfg.LeaseTTL)
		cancel()
		switch {
		case err == nil && held:
			renewed = requested
		case err == nil || time.Since(renewed) > p.cfg.LeaseTTL:
			lose(errLeaseLost)
			return
		}
	}
}

// releaseLease releases the lease, so that another projector need not wait until
// it expires.
func (p *Projector) releaseLease(ctx context.Context) {
	p.setState(func(s *State) {
		if s.Phase != Halted {
			s.Phase = Standby
		}
	})
	// ctx may have ended, and the lease must be released all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := p.cfg.Views.Release(ctx, p.cfg.Holder); err != nil {
		p.cfg.Logger.Warn("projector: could not release the lease, which will expire", "error", err)
	}
}
