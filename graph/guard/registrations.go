package guard

import (
	"context"
	"fmt"
	"math"
	"time"

	"chirp/graph/request"
	"chirp/internal/domain"
)

// registrationShare is the rate of registrations per address as a share of the rate of
// mutations. Each hashes a password. Log-ins are limited by what is wrong about
// them, see auth.Guesses.
const registrationShare = 0.1

// registrationBurstSeconds is the burst of an address, in seconds' worth of its rate.
// It is longer than others, so that a test suite may register its users one after
// another, and a class may start behind one address.
const registrationBurstSeconds = 15

// registrationLimiter limits the rate of registrations per address, and how many
// accounts may be made from a network in a day, because each account has limits of its
// own.
type registrationLimiter struct {
	attempts *buckets // whether or not they succeed
	accounts *Budget  // made in a day; nil for no limit
	now      func() time.Time
}

// newRegistrationLimiter returns a limiter. No limit by the day is 0.
func newRegistrationLimiter(perSecond float64, perDay int, now func() time.Time) *registrationLimiter {
	l := &registrationLimiter{attempts: newBuckets(perSecond*registrationShare, registrationBurstSeconds), now: now}
	if perDay > 0 {
		const day = 24 * 60 * 60
		l.accounts = newBudget(float64(perDay)/day/networkShares[0], day, now)
	}
	return l
}

// take counts a registration, or returns the error about one too many.
func (l *registrationLimiter) take(ctx context.Context) error {
	if wait := l.attempts.take(request.From(ctx).Address(), 1, l.now()); wait > 0 {
		return RateLimited(wait)
	}
	if wait := l.accounts.takeShared(ctx, 1); wait > 0 {
		return &domain.Error{Kind: domain.RateLimited, RetryAfter: wait,
			Msg: fmt.Sprintf("too many accounts were made from this network today; try again in %d minutes", int(math.Ceil(wait.Minutes())))}
	}
	return nil
}

// failed takes back the account that a registration has not made.
func (l *registrationLimiter) failed(ctx context.Context) { l.accounts.chargeShared(ctx, -1) }

// report returns the state of the bucket of the caller's address.
func (l *registrationLimiter) report(ctx context.Context) *bucketReport {
	return &bucketReport{
		MaximumAvailable: l.attempts.burst, RestoreRate: l.attempts.perSecond,
		CurrentlyAvailable: l.attempts.left(request.From(ctx).Address(), l.now()),
	}
}
