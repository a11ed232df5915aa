package api

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/guard"
	"chirp/graph/request"
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

// Pay implements graph.Pushes.
func (p *pushes) Pay(ctx context.Context) bool { return p.limiter.PayPush(ctx) }

// Payer implements graph.Pushes.
func (p *pushes) Payer(ctx context.Context) string { return strings.Join(guard.Keys(ctx), " ") }

// Turn implements graph.Pushes.
func (p *pushes) Turn(ctx context.Context) (inTurn context.Context, end func(), err error) {
	ctx, turn, err := p.service.TurnToPush(ctx, guard.CostOf(ctx, graphql.GetOperationContext(ctx)))
	if err != nil {
		return ctx, nil, err
	}
	return ctx, turn.End, nil
}

// Room implements graph.Pushes.
func (p *pushes) Room(ctx context.Context) error { return request.ReplyOf(ctx).Wait(ctx) }

// Copy implements graph.Pushes.
func (p *pushes) Copy(ctx context.Context, bytes int) bool {
	if !request.ReplyOf(ctx).TryAdd(bytes) {
		return false
	}
	p.limiter.ChargePush(ctx, bytes)
	return true
}
