package guard

import (
	"context"
	"time"

	"chirp/graph/request"
)

// passwordShare is the rate of registrations per address as a share of the rate of
// mutations. Each hashes a password. Log-ins are limited by what is wrong about
// them, see auth.Guesses.
const passwordShare = 0.1

// passwordBurstSeconds is the burst of an address, in seconds' worth of its rate. It
// is longer than others, so that a test suite may register its users one after
// another, and a class may start behind one address.
const passwordBurstSeconds = 15

// passwordLimiter limits the rate of registrations per address.
type passwordLimiter struct {
	addresses *buckets
	now       func() time.Time
}

func newPasswordLimiter(perSecond float64, now func() time.Time) *passwordLimiter {
	return &passwordLimiter{addresses: newBuckets(perSecond*passwordShare, passwordBurstSeconds), now: now}
}

// take counts a registration, whether or not it succeeds.
func (l *passwordLimiter) take(ctx context.Context) time.Duration {
	return l.addresses.take(request.From(ctx).Address(), 1, l.now())
}

// report returns the state of the bucket of the caller's address.
func (l *passwordLimiter) report(ctx context.Context) *bucketReport {
	return &bucketReport{
		MaximumAvailable: l.addresses.burst, RestoreRate: l.addresses.perSecond,
		CurrentlyAvailable: l.addresses.left(request.From(ctx).Address(), l.now()),
	}
}
