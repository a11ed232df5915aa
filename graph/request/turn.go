package request

import (
	"context"
	"sync"
)

// Turn is the place that an operation has among those that are executed at once.
type Turn struct {
	rejoin func() (leave func()) // takes a place again, without waiting

	mu    sync.Mutex
	leave func() // leaves the place
	away  int    // fields of the operation that wait for something else
	ended bool
}

// NewTurn returns the turn of an operation that has a place until leave. rejoin
// takes a place without waiting.
func NewTurn(leave func(), rejoin func() (leave func())) *Turn {
	return &Turn{leave: leave, rejoin: rejoin}
}

// End gives the place up for good. Further calls do nothing.
func (t *Turn) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && t.away == 0 {
		t.leave()
	}
	t.ended = true
}

// Renew gives the place up for the one that enter waits for, and that rejoin takes again
// without waiting. If enter returns an error the turn has ended.
func (t *Turn) Renew(enter func() (leave func(), err error), rejoin func() (leave func())) error {
	t.goAway()
	leave, err := enter()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away--
	t.rejoin = rejoin
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

// AwayAtMost returns a function that calls Away for at most n callers at a time. Others
// wait in their places, so that there is a limit to what operations hold while they wait.
func AwayAtMost(n int) func(ctx context.Context, wait func()) {
	away := make(chan struct{}, n)
	return func(ctx context.Context, wait func()) {
		select {
		case away <- struct{}{}:
			defer func() { <-away }()
			Away(ctx, wait)
		default:
			wait()
		}
	}
}
