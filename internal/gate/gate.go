// Package gate limits how many callers use a scarce resource at the same time,
// such as connections, and how long the others wait.
//
// Those who wait take turns by their keys, so that one client that calls often
// delays itself and not the others. Keys form a path, for example a network, an
// address in it and a user at that address: the networks take turns, in each turn
// of a network its addresses take turns, and so on. Callers of the same path are
// served in the order in which they came, as are callers without keys.
//
// A caller that waits at a gate must hold nothing that the callers inside need to
// finish. So a response owns one view of the read model, and closes it before it
// opens another one.
package gate

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
)

// Patience is how long a caller waits for a place.
const Patience = 2 * time.Second

// errBusy is the error for a caller that did not get a place in time.
var errBusy = &domain.Error{Kind: domain.Unavailable, Msg: "the server is busy; try again", RetryAfter: time.Second}

// Limits are the limits of a gate.
type Limits struct {
	Places   int           // for any caller, at least one
	Reserve  int           // further places, for the server's own work, see Own
	Patience time.Duration // how long a caller waits; Patience if 0
	// Waiting limits how many callers wait, unless it is 0. Beyond it the gate
	// refuses the caller that came last among those of the key that has the most
	// callers waiting. The server's own calls count, but are never refused.
	Waiting int
	// WaitingPerKey limits how many callers with the same first key wait, unless
	// it is 0.
	WaitingPerKey int
	// PlacesPerKey limits how many places callers with the same first key have,
	// unless it is 0. Those that wait for it do not keep others waiting.
	PlacesPerKey int
}

// Gate admits a limited number of callers. A few places are reserved for the
// server's own work, so that clients cannot starve its projector, its live hub or
// its probes.
type Gate struct {
	name   string
	limits Limits

	mu      sync.Mutex     // guards what follows
	places  int            // taken by any caller
	reserve int            // taken of the reserve
	perKey  map[string]int // taken by callers with the same first key; without zeros
	turns   turns
	own     list.List // of *caller: the server's own calls among those that wait
	refused int64
}

// New returns a gate with a number of places for any caller, at least one, and a
// number of reserved places. Callers wait for Patience. The name is for operators.
func New(name string, places, reserve int) *Gate {
	return NewLimited(name, Limits{Places: places, Reserve: reserve})
}

// NewLimited returns a gate with other limits than New's.
func NewLimited(name string, l Limits) *Gate {
	l.Places, l.Reserve = max(1, l.Places), max(0, l.Reserve)
	if l.Patience == 0 {
		l.Patience = Patience
	}
	return &Gate{name: name, limits: l, perKey: map[string]int{}}
}

// Enter waits for a place, which the caller keeps until it calls leave. Further
// calls of leave do nothing. Callers that wait take turns by their keys. Three
// things might happen:
//
//  1. A place becomes free within the gate's patience: Enter returns leave.
//  2. None does, or too many wait: the error is of kind Unavailable.
//  3. ctx ends: the error is ctx's.
func (g *Gate) Enter(ctx context.Context, keys ...string) (leave func(), err error) {
	return g.EnterN(ctx, 1, keys...)
}

// EnterN is Enter for a caller that needs n places at once, or all that it may have
// if those are fewer. While it waits for others to leave, none of those behind it
// overtakes it.
func (g *Gate) EnterN(ctx context.Context, n int, keys ...string) (leave func(), err error) {
	c := g.caller(ctx, n, keys)
	if !g.arrive(c, keys) {
		if err := g.wait(ctx, c); err != nil {
			return nil, fmt.Errorf("wait at the %s gate: %w", g.name, err)
		}
	}
	return sync.OnceFunc(func() { g.leave(c) }), nil
}

// TryEnter is Enter for a caller that does not wait. It reports whether the caller is
// inside.
func (g *Gate) TryEnter(ctx context.Context, keys ...string) (leave func(), ok bool) {
	c := g.caller(ctx, 1, keys)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.fits(c) {
		return nil, false
	}
	g.take(c)
	return sync.OnceFunc(func() { g.leave(c) }), true
}

// Rejoin takes n places again for a caller that gave them up for a while. It does not
// wait, even if they are not free, because the caller may hold what those inside need.
func (g *Gate) Rejoin(ctx context.Context, n int, keys ...string) (leave func()) {
	c := g.caller(ctx, n, keys)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.take(c)
	return sync.OnceFunc(func() { g.leave(c) })
}

// caller returns a caller that needs n places.
func (g *Gate) caller(ctx context.Context, n int, keys []string) *caller {
	c := &caller{n: min(max(n, 1), g.limits.Places), own: isOwn(ctx)}
	if len(keys) > 0 && !c.own && g.limits.PlacesPerKey > 0 {
		c.n, c.first, c.limited = min(c.n, g.limits.PlacesPerKey), keys[0], true
	}
	return c
}

// may reports whether the limit of a caller's first key allows it in.
func (g *Gate) may(c *caller) bool {
	return !c.limited || g.perKey[c.first]+c.n <= g.limits.PlacesPerKey
}

// fits reports whether a caller that comes now need not wait.
func (g *Gate) fits(c *caller) bool {
	return g.turns.waiting == 0 && g.may(c) && g.places+c.n <= g.limits.Places
}

// take gives a caller its places, and release takes them back.
func (g *Gate) take(c *caller) {
	g.places += c.n
	if c.limited {
		g.perKey[c.first] += c.n
	}
}

func (g *Gate) release(c *caller) {
	g.places -= c.n
	if !c.limited {
		return
	}
	if g.perKey[c.first] -= c.n; g.perKey[c.first] == 0 {
		delete(g.perKey, c.first)
	}
}

// wait waits for the answer to a caller, who leaves the queue if ctx ends or the
// patience does.
func (g *Gate) wait(ctx context.Context, c *caller) error {
	timeout := time.NewTimer(g.limits.Patience)
	defer timeout.Stop()
	select {
	case err := <-c.answer:
		return err
	case <-ctx.Done():
		g.giveUp(c, ctx.Err())
	case <-timeout.C:
		g.giveUp(c, errBusy)
	}
	return <-c.answer
}

// arrive reports whether a caller is inside already. If not, it adds the caller to
// the queue, and refuses one if too many wait.
func (g *Gate) arrive(c *caller, keys []string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fits(c) {
		g.take(c)
		return true
	}
	c.answer = make(chan error, 1)
	if c.own {
		c.inOwn, keys = g.own.PushBack(c), nil
	}
	g.turns.add(c, keys)
	g.admit()
	if c.at != nil && !c.own {
		g.keepWithin(c, keys)
	}
	return false
}

// keepWithin refuses a client if too many wait since c came.
func (g *Gate) keepWithin(c *caller, keys []string) {
	perKey, all := g.limits.WaitingPerKey, g.limits.Waiting
	switch {
	case perKey > 0 && len(keys) > 0 && g.turns.byKey[keys[0]].waiting > perKey:
		g.refuse(c, errBusy)
	case all > 0 && g.turns.waiting > all:
		g.refuse(g.turns.last(), errBusy)
	}
}

// admit admits the callers who have the next turns, as long as there are places,
// and then the server's own to the reserve.
func (g *Gate) admit() {
	for c := g.turns.next(g.may); c != nil && g.places+c.n <= g.limits.Places; c = g.turns.next(g.may) {
		g.take(c)
		g.turns.take(c)
		g.answer(c, nil)
	}
	for e := g.own.Front(); e != nil && g.reserve+e.Value.(*caller).n <= g.limits.Reserve; e = g.own.Front() {
		c := e.Value.(*caller)
		g.reserve += c.n
		c.reserved = true
		g.turns.remove(c)
		g.answer(c, nil)
	}
}

// giveUp refuses a caller unless it has its answer already.
func (g *Gate) giveUp(c *caller, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.at != nil {
		g.refuse(c, err)
	}
}

// refuse refuses a caller that waits. Those behind it may fit where it did not.
func (g *Gate) refuse(c *caller, err error) {
	if domain.KindOf(err) == domain.Unavailable {
		g.refused++
	}
	g.turns.remove(c)
	g.answer(c, err)
	g.admit()
}

func (g *Gate) answer(c *caller, err error) {
	if c.inOwn != nil {
		g.own.Remove(c.inOwn)
	}
	c.answer <- err
}

func (g *Gate) leave(c *caller) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.reserved {
		g.reserve -= c.n
	} else {
		g.release(c)
	}
	g.admit()
}

// Stats describes a gate at one moment.
type Stats struct {
	Name    string
	Places  int   // all places, including the reserved ones
	Inside  int   // places that are taken
	Waiting int   // callers that wait for one
	Refused int64 // callers that have waited in vain since the start
}

// Stats returns the current numbers.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Stats{
		Name: g.name, Places: g.limits.Places + g.limits.Reserve, Inside: g.places + g.reserve,
		Waiting: g.turns.waiting, Refused: g.refused,
	}
}

type ownKey struct{}

// Own returns a context that marks calls as the server's own, which may take
// reserved places.
func Own(ctx context.Context) context.Context { return context.WithValue(ctx, ownKey{}, true) }

func isOwn(ctx context.Context) bool { return ctx.Value(ownKey{}) != nil }
