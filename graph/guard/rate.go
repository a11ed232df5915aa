package guard

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"golang.org/x/time/rate"

	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
)

// maxBuckets bounds how many callers have a bucket. The one that called longest ago
// loses its bucket first; by then it is most likely full.
const maxBuckets = 50_000

// Other limits as shares of the rate of mutations. An account has several times
// the share of an address, so that one address cannot lock a user out, while many
// addresses together guess no faster than that.
const (
	costShare     = 500 // cost of operations, in the units of Limits.Cost
	passwordShare = 0.1 // password hashes per address
	accountShare  = 0.4 // password hashes per account, from all addresses
)

// Bursts, in seconds' worth of a rate. An address has a longer one for passwords,
// so that a test suite may register its users one after another, and a class may
// start behind one address. It is still smaller than the burst of an account.
const (
	burstSeconds         = 5
	passwordBurstSeconds = 15
)

// buckets has a token bucket for each caller.
type buckets struct {
	limit rate.Limit
	burst int

	mu     sync.Mutex // guards byName, and its buckets
	byName *simplelru.LRU[string, *rate.Limiter]
}

// newBuckets returns buckets that are refilled at a rate, up to some seconds' worth
// and at least one token.
func newBuckets(perSecond, seconds float64) *buckets {
	byName, _ := simplelru.NewLRU[string, *rate.Limiter](maxBuckets, nil) // fails only for a size of 0
	return &buckets{limit: rate.Limit(perSecond), burst: max(1, int(seconds*perSecond)), byName: byName}
}

// take takes n tokens from a caller's bucket, at most as many as it can hold. If
// there are fewer it takes none, and returns how long it takes to refill.
func (b *buckets) take(name string, n int, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter, ok := b.byName.Get(name)
	if !ok {
		limiter = rate.NewLimiter(b.limit, b.burst)
		b.byName.Add(name, limiter)
	}
	r := limiter.ReserveN(now, min(n, b.burst))
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// rateLimiter limits the rate of mutations and the cost of operations per caller,
// and the rate of password hashes per address and per account. A caller is a user,
// an external identity without an account, or an address.
type rateLimiter struct {
	commands  *buckets
	costs     *buckets
	passwords *buckets
	accounts  *buckets
	account   func(input any) (username string, ok bool)
	now       func() time.Time
}

// newRateLimiter returns a rate limiter, or for a rate of 0 nil, which limits
// nothing. account is Config.Account.
func newRateLimiter(perSecond float64, account func(input any) (string, bool), now func() time.Time) *rateLimiter {
	if perSecond <= 0 {
		return nil
	}
	return &rateLimiter{
		commands: newBuckets(perSecond, burstSeconds), costs: newBuckets(perSecond*costShare, burstSeconds),
		passwords: newBuckets(perSecond*passwordShare, passwordBurstSeconds), accounts: newBuckets(perSecond*accountShare, burstSeconds),
		account: account, now: now,
	}
}

// limitMutation is the field middleware that limits the rate of mutations. Each
// mutation of an operation counts.
func (l *rateLimiter) limitMutation(ctx context.Context, next graphql.Resolver) (any, error) {
	fc := graphql.GetFieldContext(ctx)
	if l == nil || fc.Object != "Mutation" || !fc.IsResolver {
		return next(ctx)
	}
	if wait := l.takeMutation(ctx, fc.Args["input"]); wait > 0 {
		return nil, rateLimited(wait)
	}
	return next(ctx)
}

func (l *rateLimiter) takeMutation(ctx context.Context, input any) time.Duration {
	if username, ok := l.account(input); ok {
		return l.takePassword(ctx, username)
	}
	return l.commands.take(callerKey(ctx), 1, l.now())
}

// takePassword counts an attempt to use an account, whether or not it exists. It
// counts for the caller's address first, so that refused attempts do not use up
// those that other addresses have at the account. A name that is not valid counts
// for the address only.
func (l *rateLimiter) takePassword(ctx context.Context, username string) time.Duration {
	if wait := l.passwords.take(request.From(ctx).Address, 1, l.now()); wait > 0 {
		return wait
	}
	name, err := domain.ParseUsername(username)
	if err != nil {
		return 0
	}
	return l.accounts.take(name.Folded(), 1, l.now())
}

// callerKey returns the name of the caller's bucket. Users, identities and
// addresses do not have names in common.
func callerKey(ctx context.Context) string {
	if user, ok := auth.Caller(ctx); ok {
		return string(user)
	}
	if who, ok := auth.Identity(ctx); ok {
		return string(domain.IdentityStream(who))
	}
	return request.From(ctx).Address
}

// costCharge is the extension that takes the cost of each operation from its
// caller's bucket. It relies on costLimit, which estimates the cost.
type costCharge struct{ *rateLimiter }

var _ graphql.OperationContextMutator = costCharge{}

// ExtensionName implements graphql.HandlerExtension.
func (costCharge) ExtensionName() string { return "Charge" }

// Validate implements graphql.HandlerExtension.
func (costCharge) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements graphql.OperationContextMutator.
func (c costCharge) MutateOperationContext(ctx context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	if c.rateLimiter == nil {
		return nil
	}
	wait := c.costs.take(callerKey(ctx), max(1, costOf(ctx, oc)), c.now())
	if wait == 0 {
		return nil
	}
	err := refuse(rateLimited(wait))
	if wantsCost(oc) {
		err.Extensions = map[string]any{costExtension: c.report(ctx, oc)}
	}
	return err
}

// costOf returns the cost that costLimit has estimated.
func costOf(ctx context.Context, oc *graphql.OperationContext) int {
	stats := extension.GetComplexityStats(graphql.WithOperationContext(ctx, oc))
	if stats == nil {
		return 0
	}
	return stats.Complexity
}

// rateLimited returns the error for a caller that must wait.
func rateLimited(wait time.Duration) *domain.Error {
	err := &domain.Error{Kind: domain.RateLimited, Msg: "too many calls; try again in 1 second", RetryAfter: wait}
	if seconds := int(math.Ceil(wait.Seconds())); seconds > 1 {
		err.Msg = fmt.Sprintf("too many calls; try again in %d seconds", seconds)
	}
	return err
}
