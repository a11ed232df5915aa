package guard

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/request"
	"chirp/internal/domain"
)

// costShare is the rate at which operations may cost, in the units of Limits.Cost,
// as a share of the rate of mutations.
const costShare = 500

// burstSeconds is the burst of most buckets, in seconds' worth of their rates.
const burstSeconds = 5

// Limiter limits what callers may cause, and how often they may register. A
// caller is a user, an external identity without an account, or an address. Its
// budgets are nil if there is no rate limit.
type Limiter struct {
	// Mutations is how many mutations may be called.
	Mutations *Budget
	// Costs is what operations may cost, in the units of Limits.Cost.
	Costs *Budget

	refusals  *Budget // requests that are refused
	accounts  *registrationLimiter
	effects   *effectLimiter
	registers func(input any) bool
}

// newLimiter returns a limiter, which for a rate of 0 limits nothing.
func newLimiter(cfg Config, now func() time.Time) *Limiter {
	perSecond := cfg.RateLimit
	if perSecond <= 0 {
		return &Limiter{registers: cfg.Registers}
	}
	return &Limiter{
		Mutations: newBudget(perSecond, burstSeconds, now), Costs: newBudget(perSecond*costShare, burstSeconds, now),
		refusals: newBudget(perSecond, burstSeconds, now), accounts: newRegistrationLimiter(perSecond, cfg.RegistrationsPerDay, now), registers: cfg.Registers,
	}
}

// limitMutation is the field middleware that limits the rate of mutations. Each
// mutation of an operation counts.
func (l *Limiter) limitMutation(ctx context.Context, next graphql.Resolver) (any, error) {
	fc := graphql.GetFieldContext(ctx)
	if fc.Object != "Mutation" || !fc.IsResolver {
		return next(ctx)
	}
	if l.accounts != nil && l.registers(fc.Args["input"]) {
		return l.register(ctx, next)
	}
	if wait := l.Mutations.Take(ctx, 1); wait > 0 {
		return nil, RateLimited(wait)
	}
	return l.effects.limit(ctx, fc.Args["input"], next)
}

// register calls a registration if its caller's network may make another account.
func (l *Limiter) register(ctx context.Context, next graphql.Resolver) (any, error) {
	if err := l.accounts.take(ctx); err != nil {
		return nil, err
	}
	result, err := next(ctx)
	if err != nil {
		l.accounts.failed(ctx)
	}
	return result, err
}

// chargeOutput is the response middleware that counts a response as unread, and charges
// for one that is larger than its operation's cost suggests.
func (l *Limiter) chargeOutput(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	if response != nil && graphql.HasOperationContext(ctx) {
		size := sizeOf(response)
		request.ReplyOf(ctx).Add(size)
		extra := size/outputPerUnit - costOf(ctx, graphql.GetOperationContext(ctx))
		l.Costs.Charge(ctx, max(0, extra))
	}
	return response
}

// errorBytes is about how many bytes an error has in a response besides its message.
const errorBytes = 128

// sizeOf returns about how many bytes a response has.
func sizeOf(response *graphql.Response) int {
	size := len(response.Data)
	for _, err := range response.Errors {
		size += errorBytes + len(err.Message)
	}
	return size
}

// costCharge is the extension that takes the cost of each operation from its
// caller's budget. It relies on costLimit, which estimates the cost.
type costCharge struct {
	*Limiter
	introspection
}

var _ graphql.OperationContextMutator = costCharge{}

// ExtensionName implements graphql.HandlerExtension.
func (costCharge) ExtensionName() string { return "Charge" }

// Validate implements graphql.HandlerExtension.
func (costCharge) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements graphql.OperationContextMutator.
func (c costCharge) MutateOperationContext(ctx context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	cost := costOf(ctx, oc)
	if size, ok := c.cached(oc); ok {
		cost = size / outputPerUnit
	}
	wait := c.Costs.Take(ctx, max(1, cost))
	if wait == 0 {
		return nil
	}
	err := refuse(RateLimited(wait))
	if request.WantsCost(oc) {
		err.Extensions = map[string]any{costExtension: c.report(ctx, oc)}
	}
	return err
}

// CostOf returns an operation's cost, which is known once it has its context.
func CostOf(ctx context.Context, oc *graphql.OperationContext) int { return costOf(ctx, oc) }

// costOf returns the cost that costLimit has estimated.
func costOf(ctx context.Context, oc *graphql.OperationContext) int {
	stats, ok := oc.Stats.GetExtension(costKey).(*extension.ComplexityStats)
	if !ok {
		return 0
	}
	return stats.Complexity
}

// RateLimited returns the error for a caller that must wait.
func RateLimited(wait time.Duration) *domain.Error { return domain.TooSoon("too many calls", wait) }
