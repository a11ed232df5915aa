package request

import (
	"context"
	"sync"
)

// Turn is the place that an operation has among those that are executed at once, or the
// places, if it is expensive or large.
type Turn struct {
	mu     sync.Mutex
	places int
	leave  func()                // leaves the places
	rejoin func() (leave func()) // takes them again, without waiting
	away   int                   // fields of the operation that wait for something else
	ended  bool
}

// NewTurn returns the turn of an operation that has places until leave. rejoin takes as
// many again without waiting.
func NewTurn(places int, leave func(), rejoin func() (leave func())) *Turn {
	return &Turn{places: places, leave: leave, rejoin: rejoin}
}

// Places returns how many places the turn has, or had before it was given up.
func (t *Turn) Places() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.places
}

// End gives the places up for good. Further calls do nothing.
func (t *Turn) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && t.away == 0 {
		t.leave()
	}
	t.ended = true
}

// Renew gives the places up for those that enter waits for, and that rejoin takes again
// without waiting. If enter returns an error the turn has ended.
func (t *Turn) Renew(places int, enter func() (leave func(), err error), rejoin func() (leave func())) error {
	t.goAway()
	leave, err := enter()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away--
	t.places, t.rejoin = places, rejoin
	switch {
	case err != nil:
		t.ended = true
	case t.ended:
		leave()
	default:
		t.leave = leave
	}
	return err
}

func (t *Turn) goAway() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.away++; t.away == 1 && !t.ended {
		t.leave()
	}
}

func (t *Turn) comeBack() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.away--; t.away == 0 && !t.ended {
		t.leave = t.rejoin()
	}
}

type turnKey struct{}

// WithTurn returns a context that carries an operation's turn.
func WithTurn(ctx context.Context, t *Turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}

// Away calls wait, which waits for something that may take long, without a place
// among the operations that are executed: others are executed meanwhile. The
// operation then continues at once, because it may hold what others wait for.
func Away(ctx context.Context, wait func()) {
	t, ok := ctx.Value(turnKey{}).(*Turn)
	if !ok {
		wait()
		return
	}
	t.goAway()
	defer t.comeBack()
	wait()
}

// AwayInside returns a function that calls Away for an operation that enter admits, without
// waiting, to those that are away. One that it does not admit waits in its place, so that
// there is a limit to what operations hold while they wait. So does one that has several
// places, because what it holds may be large.
func AwayInside(enter func(ctx context.Context) (leave func(), ok bool)) func(ctx context.Context, wait func()) {
	return func(ctx context.Context, wait func()) {
		if t, ok := ctx.Value(turnKey{}).(*Turn); !ok || t.Places() > 1 {
			wait()
			return
		}
		leave, ok := enter(ctx)
		if !ok {
			wait()
			return
		}
		defer leave()
		Away(ctx, wait)
	}
}
