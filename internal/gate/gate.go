// Package gate bounds how many callers use at once what a store has only so
// many of, such as connections, and how long the others wait for their turn.
//
// A caller that waits at a gate must hold nothing that those inside need to
// finish. What keeps that so: a response owns one view of the read model, and
// closes it before it opens another.
package gate

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
)

// Patience is how long a caller waits for its turn.
const Patience = 2 * time.Second

// errBusy is what a caller gets whose turn does not come.
var errBusy = &domain.Error{Kind: domain.Unavailable, Msg: "the server is busy; try again", RetryAfter: time.Second}

// Gate lets callers in up to a number. A few places are reserved for the
// server's own work, so that no crowd of clients keeps it from its projector,
// its live hub or its probes.
type Gate struct {
	name     string
	patience time.Duration
	places   chan struct{}
	reserve  chan struct{}

	waiting atomic.Int64
	refused atomic.Int64
}

// New returns a gate with a number of places for clients, at least one, and of
// those that are reserved, at which a caller waits for Patience. The name is for
// operators.
func New(name string, places, reserve int) *Gate {
	return NewPatient(name, places, reserve, Patience)
}

// NewPatient is New for a gate at which a caller waits longer, or less long.
func NewPatient(name string, places, reserve int, patience time.Duration) *Gate {
	return &Gate{name: name, patience: patience, places: make(chan struct{}, max(1, places)), reserve: make(chan struct{}, max(0, reserve))}
}

// Enter waits for a place, which the caller keeps until it calls leave; calling
// it again does nothing. Three things might happen:
//
//  1. There is a place within the gate's patience: leave is returned.
//  2. There is none: kind Unavailable.
//  3. ctx ends: its error.
func (g *Gate) Enter(ctx context.Context) (leave func(), err error) {
	reserve := g.reserve
	if !isOwn(ctx) {
		reserve = nil // sending to it waits for ever
	}
	select {
	case g.places <- struct{}{}:
		return g.leaving(g.places), nil
	default:
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	timeout := time.NewTimer(g.patience)
	defer timeout.Stop()
	select {
	case g.places <- struct{}{}:
		return g.leaving(g.places), nil
	case reserve <- struct{}{}:
		return g.leaving(reserve), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait at the %s gate: %w", g.name, ctx.Err())
	case <-timeout.C:
		g.refused.Add(1)
		return nil, fmt.Errorf("wait at the %s gate: %w", g.name, errBusy)
	}
}

func (g *Gate) leaving(places chan struct{}) func() {
	return sync.OnceFunc(func() { <-places })
}

// Stats are the numbers of a gate at one moment.
type Stats struct {
	Name    string
	Places  int   // how many there are, with the reserved ones
	Inside  int   // how many are taken
	Waiting int   // how many callers wait for one
	Refused int64 // how many callers have waited in vain
}

// Stats returns the numbers of the moment.
func (g *Gate) Stats() Stats {
	return Stats{
		Name: g.name, Places: cap(g.places) + cap(g.reserve), Inside: len(g.places) + len(g.reserve),
		Waiting: int(g.waiting.Load()), Refused: g.refused.Load(),
	}
}

type ownKey struct{}

// Own returns a context whose calls are the server's own and may take reserved
// places.
func Own(ctx context.Context) context.Context { return context.WithValue(ctx, ownKey{}, true) }

func isOwn(ctx context.Context) bool { return ctx.Value(ownKey{}) != nil }
