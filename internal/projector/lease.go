package projector

import (
	"context"
	"time"

	"chirp/internal/outage"
	"chirp/internal/readmodel"
)

// ask asks for the lease, and logs whom this projector waits for when that is
// another one than before.
func (p *Projector) ask(ctx context.Context) bool {
	held, err := p.cfg.Views.Lease(ctx, p.cfg.Holder, p.cfg.LeaseTTL)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		p.asking.Failed(p.cfg.Logger, "projector: cannot ask for the lease, will try again", err)
		return false
	}
	p.asking.Ended(p.cfg.Logger, "projector: can ask for the lease again")
	shared, ok := p.cfg.Views.(readmodel.LeaseHolder)
	if held || !ok {
		p.waitingOn = ""
		return held
	}
	if holder, until := shared.LeaseHolder(); holder != p.waitingOn {
		p.waitingOn = holder
		p.cfg.Logger.Info("projector: on standby, waits for the one that has the lease", "holder", holder, "until", until)
	}
	return false
}

// rest is the pause before the lease is asked for again. A projector that
// halted waits longer, unless another one moves past the event.
func (p *Projector) rest(ctx context.Context) {
	wait := p.cfg.LeaseTTL / 4
	if p.State().Phase != Halted {
		outage.Pause(ctx, min(wait, outage.Longest))
		return
	}
	const doublings, most = 3, 6
	until := time.Now().Add(min(p.cfg.LookAgain<<min(p.looks, doublings), most*p.cfg.LookAgain))
	p.looks++
	for p.State().Phase == Halted && time.Now().Before(until) {
		if !outage.Pause(ctx, min(wait, time.Until(until))) {
			return
		}
	}
}

// keepLease renews the lease, and ends the session when it is lost or cannot
// be renewed in time.
func (p *Projector) keepLease(ctx context.Context, lose context.CancelCauseFunc) {
	renewed := time.Now()
	for outage.Pause(ctx, p.cfg.LeaseTTL/4) {
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
	p.setState(func(s *State) {
		if s.Phase != Halted {
			s.Phase = Standby
		}
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveDelay)
	defer cancel()
	if err := p.cfg.Views.Release(ctx, p.cfg.Holder); err != nil {
		p.cfg.Logger.Warn("projector: the lease could not be given up and will run out", "error", err)
	}
}
