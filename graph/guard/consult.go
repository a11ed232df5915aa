package guard

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// What a source of a feed's page costs: half of it for finding the source, and half for
// merging its chirps.
const (
	findSourceCost = 1
	sourceCost     = 2 * findSourceCost
)

// rowCost is what a row costs that a subscription reads before it is sent anything.
const rowCost = 1

// charged is an operation that is being executed, as it is charged for what could not
// be estimated before.
type charged struct {
	*Limiter

	mu      sync.Mutex
	sources int   // what it was charged for sources so far
	refused error // because of its sources
}

type chargedKey struct{}

// carry is the operation middleware that lets Charge and Consult find the operation.
func (l *Limiter) carry(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	return next(context.WithValue(ctx, chargedKey{}, &charged{Limiter: l}))
}

func chargedFrom(ctx context.Context) (*charged, bool) {
	o, ok := ctx.Value(chargedKey{}).(*charged)
	return o, ok
}

// Charge adds to the cost of the operation that is being executed what could not be
// estimated before. If its caller has less left, later operations wait.
func Charge(ctx context.Context, cost int) {
	if o, ok := chargedFrom(ctx); ok && cost > 0 {
		o.Costs.Charge(ctx, cost)
	}
}

// ChargeRows charges for rows that a subscription has read: its viewer's followees, and
// the chirps that it catches up with.
func ChargeRows(ctx context.Context, rows int) { Charge(ctx, rows*rowCost) }

// Consult calls find, which finds the sources that a feed page merges, and charges the
// caller for them. It returns an error of kind RateLimited if the caller has too little
// left, and charges for the finding only. Then no more sources are found for the
// operation: it is refused, however many pages it asks for. A subscription is charged and
// goes on, because an error would end it.
func Consult(ctx context.Context, find func() (sources int, err error)) error {
	o, ok := chargedFrom(ctx)
	if !ok || !graphql.HasOperationContext(ctx) {
		_, err := find()
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refused != nil {
		return o.refused
	}
	sources, err := find()
	if err != nil || sources == 0 {
		return err
	}
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
		o.Costs.Charge(ctx, sources*sourceCost)
		return nil
	}
	return o.take(ctx, sources)
}

// take takes the cost of sources from the caller's budget.
func (o *charged) take(ctx context.Context, sources int) error {
	cost, wait := sources*sourceCost, o.Costs.takeAll(ctx, sources*sourceCost)
	if wait > 0 {
		cost = sources * findSourceCost
		o.Costs.Charge(ctx, cost)
		o.refused = RateLimited(wait + o.Costs.refill(cost))
	}
	o.sources += cost
	return o.refused
}

// consulted returns what the operation in ctx was charged for sources so far.
func consulted(ctx context.Context) int {
	o, ok := chargedFrom(ctx)
	if !ok {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sources
}
