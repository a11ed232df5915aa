package guard

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Consult adds to the cost of the operation that is being executed the sources that a
// page of a feed merges, of which only the views know how many there are. It returns an
// error of kind RateLimited if the caller has not as much left. A subscription, which
// would end by that, is charged nevertheless.
func Consult(ctx context.Context, sources int) error {
	l, ok := ctx.Value(limiterKey{}).(*Limiter)
	if !ok || sources <= 0 || !graphql.HasOperationContext(ctx) {
		return nil
	}
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
		Charge(ctx, sources)
		return nil
	}
	if wait := l.Costs.Take(ctx, sources); wait > 0 {
		return RateLimited(wait)
	}
	return nil
}
