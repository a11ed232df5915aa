package guard

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/domain"
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

// effect is what a mutation takes from the budgets.
type effect struct {
	deliveries int
	pair       string // the caller and the followee, or empty
}

// limit calls a mutation if its caller has enough left for its effect. One that is
// refused has no effect, and its caller gets back what it took.
func (l *effectLimiter) limit(ctx context.Context, input any, next graphql.Resolver) (any, error) {
	if l == nil {
		return next(ctx)
	}
	e := l.effect(ctx, input)
	if wait := l.take(ctx, e); wait > 0 {
		return nil, RateLimited(wait)
	}
	result, err := next(ctx)
	if changedNothing(err) {
		l.giveBack(ctx, e)
	}
	return result, err
}

func (l *effectLimiter) effect(ctx context.Context, input any) effect {
	deliveries, followee := l.of(ctx, input)
	if followee == "" {
		return effect{deliveries: int(deliveries)}
	}
	return effect{int(deliveries), callerKey(ctx) + " " + followee}
}

// take takes an effect from the budgets of its caller. If one has less left it takes
// nothing, and returns how long to wait.
func (l *effectLimiter) take(ctx context.Context, e effect) time.Duration {
	if e.pair != "" {
		if wait := l.pairs.take(e.pair, 1, l.now()); wait > 0 {
			return wait
		}
	}
	wait := l.deliveries.Take(ctx, e.deliveries)
	if wait > 0 && e.pair != "" {
		l.pairs.charge(e.pair, -1, l.now())
	}
	return wait
}

// giveBack returns what take took.
func (l *effectLimiter) giveBack(ctx context.Context, e effect) {
	l.deliveries.giveBack(ctx, e.deliveries)
	if e.pair != "" {
		l.pairs.charge(e.pair, -1, l.now())
	}
}

// changedNothing reports whether an error shows that a mutation did nothing. After
// most others that is not known.
func changedNothing(err error) bool {
	switch domain.KindOf(err) {
	case domain.Invalid, domain.NotFound, domain.Conflict, domain.AlreadyFollowing, domain.NotFollowing, domain.Unauthenticated, domain.Forbidden:
		return true
	default:
		return false
	}
}
