package guard

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// What a source of a feed's page costs: half of it for finding the source, and half for
// merging its chirps.
const (
	findSourceCost = 1
	sourceCost     = 2 * findSourceCost
)

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
	if wait := l.Costs.takeAll(ctx, sources*sourceCost); wait > 0 {
		l.Costs.Charge(ctx, sources*findSourceCost)
		return RateLimited(wait + l.Costs.refill(sources*findSourceCost))
	}
	return nil
}
