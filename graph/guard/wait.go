package guard

import (
	"context"
	"time"
)

// turnsPerSecond is into how many turns those who wait for a network's bucket divide a
// second's worth of it.
const turnsPerSecond = 100

// Wait takes n tokens when there are enough. Waits of one caller end in the order in
// which they began. Then callers of a network take turns, of a few tokens each, so that
// none who needs many keeps the others waiting for long; and half of what comes is saved
// for them, so that calls which do not wait, and need few, cannot take all of it. Wait
// returns the error of ctx if that ends first.
func (b *Budget) Wait(ctx context.Context, n int) error {
	if b == nil {
		return ctx.Err()
	}
	all := b.payers(ctx)
	leave, err := b.callers.waiting.Enter(ctx, all[0].name)
	if err != nil {
		return err
	}
	defer leave()
	if take(all, n, b.now()) == 0 {
		return nil
	}
	if err := b.waitForCaller(ctx, all[0], n); err != nil {
		return err
	}
	if err := b.waitForNetworks(ctx, all[1:], n); err != nil {
		giveBack(all[:1], n, b.now())
		return err
	}
	return nil
}

// takeAtOnce is Wait if that takes no waiting. It reports whether it took the tokens.
func (b *Budget) takeAtOnce(ctx context.Context, n int) bool {
	if b == nil {
		return true
	}
	all := b.payers(ctx)
	return !b.callers.waiting.Has(all[0].name) && take(all, n, b.now()) == 0
}

// waitForCaller takes n tokens from a caller's own bucket.
func (b *Budget) waitForCaller(ctx context.Context, p payer, n int) error {
	return await(ctx, func() time.Duration { return p.take(p.name, n, b.now()) })
}

// waitForNetworks takes n tokens from each of the buckets of a caller's networks, the
// narrowest of which is first.
func (b *Budget) waitForNetworks(ctx context.Context, networks []payer, n int) error {
	if len(networks) == 0 {
		return nil
	}
	n = min(n, networks[0].burst)
	atOnce := max(1, int(networks[0].perSecond/turnsPerSecond))
	for paid := 0; paid < n; {
		some := min(n-paid, atOnce)
		if err := b.takeTurn(ctx, networks, some); err != nil {
			giveBack(networks, paid, b.now())
			return err
		}
		paid += some
	}
	return nil
}

// takeTurn takes n tokens from each of some buckets when it is the caller's turn, which
// it keeps for the wider networks: there its own network has one turn.
func (b *Budget) takeTurn(ctx context.Context, networks []payer, n int) error {
	if len(networks) == 0 {
		return nil
	}
	p := networks[0]
	leave, err := p.waiting.Enter(ctx, p.name)
	if err != nil {
		return err
	}
	defer leave()
	if err := await(ctx, func() time.Duration { return p.takeSaved(p.name, n, b.now()) }); err != nil {
		p.stopSaving(p.name, b.now())
		return err
	}
	if err := b.takeTurn(ctx, networks[1:], n); err != nil {
		giveBack(networks[:1], n, b.now())
		return err
	}
	return nil
}

// await calls try, which returns for how long to wait before it is called again, until
// that is 0 or ctx ends.
func await(ctx context.Context, try func() time.Duration) error {
	for {
		wait := try()
		if wait == 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
