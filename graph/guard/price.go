package guard

import (
	"context"
	"time"
)

// Prices of what a request costs besides its operation, which it pays whether or not
// there is one. A unit is about 3 µs of processor time, as it is for fields.
const (
	requestCost   = 10  // receiving a request, or an operation on a socket, and refusing it
	frameCost     = 3   // receiving a frame of a socket, and responding to it
	bytesPerUnit  = 64  // of a request, to read and decode
	textPerUnit   = 16  // bytes of a document, to parse and validate
	outputPerUnit = 256 // bytes of a response, to keep until the client has read them
)

// Arrive takes the price of receiving a request whose headers and URL have so many
// bytes from the networks of its caller, who is not known yet.
func (l *Limiter) Arrive(ctx context.Context, bytes int) (wait time.Duration) {
	return l.Costs.takeShared(ctx, requestCost+bytes/bytesPerUnit)
}

// TakeBytes takes the price of so many bytes that are about to be read and decoded.
func (l *Limiter) TakeBytes(ctx context.Context, bytes int64) (wait time.Duration) {
	return l.Costs.Take(ctx, priceOf(bytes))
}

// WaitFrames waits until the caller has paid for frames of a socket that it has sent. It
// returns how long the caller's own budget takes to refill by their price, and whether
// the caller waited because that budget is used up, not those of its networks.
func (l *Limiter) WaitFrames(ctx context.Context, frames, bytes int) (refill time.Duration, own bool, err error) {
	price := frames*frameCost + bytes/bytesPerUnit
	if l.Costs.Take(ctx, price) == 0 {
		return l.Costs.refill(price), false, nil
	}
	err = l.Costs.Wait(ctx, price)
	return l.Costs.refill(price), l.Costs.usedUp(ctx), err
}

// WaitOperation waits until the caller has paid for an operation on a socket that it
// has sent, besides its cost.
func (l *Limiter) WaitOperation(ctx context.Context) error {
	return l.Costs.Wait(ctx, requestCost)
}

func priceOf(bytes int64) int { return max(1, int(bytes/bytesPerUnit)) }

// Refuse takes the price of refusing a request, and returns for how long to hold the
// refusal back because the caller's networks were refused so often.
func (l *Limiter) Refuse(ctx context.Context) (hold time.Duration) {
	l.Costs.Charge(ctx, requestCost)
	return min(l.refusals.chargeShared(ctx, 1), maxHold)
}

// maxHold is how long a refusal is held back at most.
const maxHold = 2 * time.Second
