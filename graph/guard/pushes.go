package guard

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// subscriptionBytes is about what a subscription holds while it waits. The followees of
// a feed's viewer are held once for all of the viewer's feeds.
const subscriptionBytes = 10 << 10

// ChargeSubscription charges for what a subscription holds.
func (l *Limiter) ChargeSubscription(ctx context.Context) {
	l.Costs.Charge(ctx, subscriptionBytes/outputPerUnit)
}

// pushCost is the least that an answer of a subscription costs, because it is sent.
const pushCost = 10

// WaitPush waits until the caller of the operation in ctx has paid for another answer
// of its subscription. It costs as much as the operation.
func (l *Limiter) WaitPush(ctx context.Context) error {
	return l.Costs.Wait(ctx, pushPrice(ctx))
}

// PayPush is WaitPush if that takes no waiting. It reports whether the caller has paid.
func (l *Limiter) PayPush(ctx context.Context) bool { return l.Costs.takeAtOnce(ctx, pushPrice(ctx)) }

func pushPrice(ctx context.Context) int {
	return max(pushCost, costOf(ctx, graphql.GetOperationContext(ctx)))
}

// ChargePush charges for an answer of so many bytes that was computed for another
// caller's subscription, if it is larger than its operation's cost suggests.
func (l *Limiter) ChargePush(ctx context.Context, bytes int) {
	l.Costs.Charge(ctx, max(0, bytes/outputPerUnit-pushPrice(ctx)))
}
