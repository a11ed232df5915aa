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

// maxBuckets bounds how many callers are remembered. The one that called
// longest ago is forgotten first, and by then its bucket is most likely full.
const maxBuckets = 50_000

// Shares of the rate of mutations that other limits have. An account gets
// several times what an address gets, so that nobody can lock somebody out from
// one address, while many addresses together guess no faster than that.
const (
	costShare     = 500 // cost of operations, in the units of the cost limit
	passwordShare = 0.1 // what costs a password hash, by each address
	accountShare  = 0.4 // the same by each account, whatever the addresses
)

// How many seconds' worth of a rate may be used at once. An address has more
// passwords, so that a test suite that registers its users one after the other,
// or a class that begins behind one address, is not refused; but still fewer at
// once than an account has.
const (
	burstSeconds         = 5
	passwordBurstSeconds = 15
)

// buckets gives each caller a token bucket.
type buckets struct {
	limit rate.Limit
	burst int

	mu     sync.Mutex // between a look for a caller's bucket and its making
	byName *simplelru.LRU[string, *rate.Limiter]
}

// newBuckets refills each bucket at a rate, up to some seconds' worth and at
// least one.
func newBuckets(perSecond, seconds float64) *buckets {
	byName, _ := simplelru.NewLRU[string, *rate.Limiter](maxBuckets, nil) // fails only for no size
	return &buckets{limit: rate.Limit(perSecond), burst: max(1, int(seconds*perSecond)), byName: byName}
}

// take takes n tokens from a caller's bucket, or all that it can hold. If there
// are not so many it takes none, and gives how long it takes until there are.
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

// throttle bounds what each caller may do: how often it calls mutations, what
// all its operations cost, and how often passwords are hashed for its address
// and for each account. A caller is a user, an outside identity without an
// account, or an address.
type throttle struct {
	commands  *buckets
	costs     *buckets
	passwords *buckets
	accounts  *buckets
	account   func(input any) (username string, ok bool)
	now       func() time.Time
}

// newThrottle gives nil, which lets everything pass, for a rate of 0. account
// returns the name of the account whose password a mutation's input is for.
func newThrottle(perSecond float64, account func(input any) (string, bool), now func() time.Time) *throttle {
	if perSecond <= 0 {
		return nil
	}
	return &throttle{
		commands: newBuckets(perSecond, burstSeconds), costs: newBuckets(perSecond*costShare, burstSeconds),
		passwords: newBuckets(perSecond*passwordShare, passwordBurstSeconds), accounts: newBuckets(perSecond*accountShare, burstSeconds),
		account: account, now: now,
	}
}

// field is the field middleware that refuses mutations that come too often.
// Each mutation counts, also where one operation has several.
func (t *throttle) field(ctx context.Context, next graphql.Resolver) (any, error) {
	fc := graphql.GetFieldContext(ctx)
	if t == nil || fc.Object != "Mutation" || !fc.IsResolver {
		return next(ctx)
	}
	if wait := t.takeMutation(ctx, fc.Args["input"]); wait > 0 {
		return nil, limited(wait)
	}
	return next(ctx)
}

func (t *throttle) takeMutation(ctx context.Context, input any) time.Duration {
	if username, ok := t.account(input); ok {
		return t.takePassword(ctx, username)
	}
	return t.commands.take(callerKeyOf(ctx), 1, t.now())
}

// takePassword counts an attempt at an account, whether or not there is such an
// account, by the caller's address first: what an address is refused does not
// use up what others may try. A name that nobody can have is no account.
func (t *throttle) takePassword(ctx context.Context, username string) time.Duration {
	if wait := t.passwords.take(request.From(ctx).Address, 1, t.now()); wait > 0 {
		return wait
	}
	name, err := domain.ParseUsername(username)
	if err != nil {
		return 0
	}
	return t.accounts.take(name.Folded(), 1, t.now())
}

// callerKeyOf names who is calling. The kinds of name cannot be mistaken for
// each other.
func callerKeyOf(ctx context.Context) string {
	if user, ok := auth.Caller(ctx); ok {
		return string(user)
	}
	if who, ok := auth.Identity(ctx); ok {
		return string(domain.IdentityStream(who))
	}
	return request.From(ctx).Address
}

// charge is the extension that makes each operation's caller pay for what the
// operation costs, before it is executed. It stands behind the one that
// computes the cost and refuses what costs too much at once.
type charge struct{ *throttle }

var _ graphql.OperationContextMutator = charge{}

// ExtensionName implements graphql.HandlerExtension.
func (charge) ExtensionName() string { return "Charge" }

// Validate implements graphql.HandlerExtension.
func (charge) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements graphql.OperationContextMutator.
func (c charge) MutateOperationContext(ctx context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	if c.throttle == nil {
		return nil
	}
	wait := c.costs.take(callerKeyOf(ctx), max(1, costOf(ctx, oc)), c.now())
	if wait == 0 {
		return nil
	}
	err := refuse(limited(wait))
	if asksForCost(oc) {
		err.Extensions = map[string]any{costExtension: c.cost(ctx, oc)}
	}
	return err
}

// costOf gives what the extension before has computed.
func costOf(ctx context.Context, oc *graphql.OperationContext) int {
	stats := extension.GetComplexityStats(graphql.WithOperationContext(ctx, oc))
	if stats == nil {
		return 0
	}
	return stats.Complexity
}

// limited is the error for a caller who is to wait.
func limited(wait time.Duration) *domain.Error {
	err := &domain.Error{Kind: domain.RateLimited, Msg: "too many calls; try again in 1 second", RetryAfter: wait}
	if seconds := int(math.Ceil(wait.Seconds())); seconds > 1 {
		err.Msg = fmt.Sprintf("too many calls; try again in %d seconds", seconds)
	}
	return err
}
