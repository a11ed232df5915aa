package guard

import (
	"context"
	"time"
)

// A user may cause deliveries to timelines at a share of the rate of mutations. The
// burst lets an author with nearly as many followers as a celebrity post several
// times in a row.
const (
	deliveriesShare        = 100
	deliveriesBurstSeconds = 25
)

// A user may change whether they follow another at a share of the rate of mutations,
// so that no pair of users keeps the views busy by itself.
const (
	pairShare        = 1.0 / 120
	pairBurstSeconds = 60
)

// Effect returns what a mutation with an input makes the views do besides storing its
// own rows: how many timeline entries it adds or removes, and whom it lets the caller
// follow or unfollow, empty if it is another mutation.
type Effect func(ctx context.Context, input any) (deliveries int64, followee string)

// effectLimiter limits the effects of mutations.
type effectLimiter struct {
	of         Effect
	deliveries *Budget
	pairs      *buckets
	now        func() time.Time
}

// newEffectLimiter returns a limiter of the effects that of returns, which is
// Config.Effect. Without it or a rate, it returns nil, which limits nothing.
func newEffectLimiter(perSecond float64, of Effect, now func() time.Time) *effectLimiter {
	if of == nil || perSecond <= 0 {
		return nil
	}
	return &effectLimiter{
		of: of, deliveries: newBudget(perSecond*deliveriesShare, deliveriesBurstSeconds, now),
		pairs: newBuckets(perSecond*pairShare, pairBurstSeconds), now: now,
	}
}

// take takes what a mutation causes from the budgets of its caller. If one has less
// left it takes nothing, and returns how long to wait.
func (l *effectLimiter) take(ctx context.Context, input any) time.Duration {
	if l == nil {
		return 0
	}
	deliveries, followee := l.of(ctx, input)
	pair := callerKey(ctx) + " " + followee
	if followee != "" {
		if wait := l.pairs.take(pair, 1, l.now()); wait > 0 {
			return wait
		}
	}
	wait := l.deliveries.Take(ctx, int(deliveries))
	if wait > 0 && followee != "" {
		l.pairs.charge(pair, -1, l.now())
	}
	return wait
}
