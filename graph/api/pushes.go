package api

import (
	"context"

	"chirp/graph/guard"
	"chirp/graph/transport"
)

// pushes decides when subscriptions are sent their answers, by the limits that other
// operations have.
type pushes struct {
	limiter *guard.Limiter
	service *transport.Service
}

// Began implements graph.Pushes.
func (p *pushes) Began(ctx context.Context) { p.limiter.ChargeSubscription(ctx) }

// Wait implements graph.Pushes.
func (p *pushes) Wait(ctx context.Context) error { return p.limiter.WaitPush(ctx) }

// Turn implements graph.Pushes.
func (p *pushes) Turn(ctx context.Context) (inTurn context.Context, end func(), err error) {
	ctx, turn, err := p.service.Turn(ctx, 0)
	if err != nil {
		return ctx, nil, err
	}
	return ctx, turn.End, nil
}

// Sent implements graph.Pushes.
func (p *pushes) Sent(ctx context.Context, bytes int) { p.limiter.ChargePush(ctx, bytes) }
