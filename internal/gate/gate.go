// Package gate limits how many callers use a scarce resource at the same time,
// such as connections, and how long the others wait.
//
// A caller that waits at a gate must hold nothing that the callers inside need to
// finish. So a response owns one view of the read model, and closes it before it
// opens another one.
package gate

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
)

// Patience is how long a caller waits for a place.
const Patience = 2 * time.Second

// errBusy is the error for a caller that did not get a place in time.
var errBusy = &domain.Error{Kind: domain.Unavailable, Msg: "the server is busy; try again", RetryAfter: time.Second}

// Gate admits a limited number of callers. A few places are reserved for the
// server's own work, so that clients cannot starve its projector, its live hub or
// its probes.
type Gate struct {
	name     string
	patience time.Duration
	places   chan struct{}
	reserve  chan struct{}

	waiting atomic.Int64
	refused atomic.Int64
}

// New returns a gate with a number of places for any caller, at least one, and a
// number of reserved places. Callers wait for Patience. The name is for operators.
func New(name string, places, reserve int) *Gate {
	return NewPatient(name, places, reserve, Patience)
}

// NewPatient is New with another patience.
func NewPatient(name string, places, reserve int, patience time.Duration) *Gate {
	return &Gate{name: name, patience: patience, places: make(chan struct{}, max(1, places)), reserve: make(chan struct{}, max(0, reserve))}
}

// Enter waits for a place, which the caller keeps until it calls leave. Further
// calls of leave do nothing. Three things might happen:
//
//  1. A place becomes free within the gate's patience: Enter returns leave.
//  2. None does: the error is of kind Unavailable.
//  3. ctx ends: the error is ctx's.
func (g *Gate) Enter(ctx context.Context) (leave func(), err error) {
	reserve := g.reserve
	if !isOwn(ctx) {
		reserve = nil // sending to nil blocks for ever
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

// Stats describes a gate at one moment.
type Stats struct {
	Name    string
	Places  int   // all places, including the reserved ones
	Inside  int   // callers that have a place
	Waiting int   // callers that wait for one
	Refused int64 // callers that have waited in vain since the start
}

// Stats returns the current numbers.
func (g *Gate) Stats() Stats {
	return Stats{
		Name: g.name, Places: cap(g.places) + cap(g.reserve), Inside: len(g.places) + len(g.reserve),
		Waiting: int(g.waiting.Load()), Refused: g.refused.Load(),
	}
}

type ownKey struct{}

// Own returns a context that marks calls as the server's own, which may take
// reserved places.
func Own(ctx context.Context) context.Context { return context.WithValue(ctx, ownKey{}, true) }

func isOwn(ctx context.Context) bool { return ctx.Value(ownKey{}) != nil }
