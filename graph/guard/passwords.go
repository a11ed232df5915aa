package guard

import (
	"context"
	"time"

	"chirp/graph/request"
	"chirp/internal/domain"
)

// Rates of password hashes as shares of the rate of mutations. An account has
// several times the share of an address, so that one address cannot lock a user out,
// while many addresses together guess no faster than that.
const (
	passwordShare = 0.1 // per address
	accountShare  = 0.4 // per account, from all addresses
)

// passwordBurstSeconds is the burst of an address, in seconds' worth of its rate. It
// is longer than others, so that a test suite may register its users one after
// another, and a class may start behind one address. It is still smaller than the
// burst of an account.
const passwordBurstSeconds = 15

// passwordLimiter limits the rate of password hashes per address and per account.
type passwordLimiter struct {
	addresses *buckets
	accounts  *buckets
	now       func() time.Time
}

func newPasswordLimiter(perSecond float64, now func() time.Time) *passwordLimiter {
	return &passwordLimiter{
		addresses: newBuckets(perSecond*passwordShare, passwordBurstSeconds),
		accounts:  newBuckets(perSecond*accountShare, burstSeconds), now: now,
	}
}

// take counts an attempt to use an account, whether or not it exists. It counts for
// the caller's address first, so that refused attempts do not use up those that
// other addresses have at the account. A name that is not valid counts for the
// address only.
func (l *passwordLimiter) take(ctx context.Context, username string) time.Duration {
	if wait := l.addresses.take(request.From(ctx).Address(), 1, l.now()); wait > 0 {
		return wait
	}
	name, err := domain.ParseUsername(username)
	if err != nil {
		return 0
	}
	return l.accounts.take(name.Folded(), 1, l.now())
}

// report returns the state of the bucket of the caller's address.
func (l *passwordLimiter) report(ctx context.Context) *bucketReport {
	return &bucketReport{
		MaximumAvailable: l.addresses.burst, RestoreRate: l.addresses.perSecond,
		CurrentlyAvailable: l.addresses.left(request.From(ctx).Address(), l.now()),
	}
}
