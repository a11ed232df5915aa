package guard

import (
	"context"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// What a source of a feed's page costs: half of it for finding the source, and half for
// merging its chirps.
const (
	findSourceCost = 1
	sourceCost     = 2 * findSourceCost
)

// consultedKey is the key of what an operation was charged for sources so far, as an
// *atomic.Int64.
type consultedKey struct{}

// Consult charges the caller for the sources that a feed page merges; their number is
// known only once the views have found them. It returns an error of kind RateLimited if
// the caller has too little left, and charges for the finding only: otherwise an
// operation could have thousands of sources found again and again, and be refused each
// time for free. A subscription is charged and goes on, because an error would end it.
func Consult(ctx context.Context, sources int) error {
	l, ok := ctx.Value(limiterKey{}).(*Limiter)
	if !ok || sources <= 0 || !graphql.HasOperationContext(ctx) {
		return nil
	}
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
		Charge(ctx, sources*sourceCost)
		return nil
	}
	cost, wait := sources*sourceCost, l.Costs.takeAll(ctx, sources*sourceCost)
	if wait > 0 {
		cost = sources * findSourceCost
		l.Costs.Charge(ctx, cost)
	}
	if sum, ok := ctx.Value(consultedKey{}).(*atomic.Int64); ok {
		sum.Add(int64(cost))
	}
	if wait > 0 {
		return RateLimited(wait + l.Costs.refill(cost))
	}
	return nil
}

// consulted returns what the operation in ctx was charged for sources so far.
func consulted(ctx context.Context) int {
	if sum, ok := ctx.Value(consultedKey{}).(*atomic.Int64); ok {
		return int(sum.Load())
	}
	return 0
}
