package graph

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/subscription"
)

// push is what one response of a subscription sends.
type push struct {
	// at is the position that the response shows at least.
	at domain.Position
	// latest returns the position of the newest state, if only that needs to be sent.
	// It is nil if each push must be.
	latest func() domain.Position
}

// source has the pushes of a subscription.
type source interface {
	// next returns the next push. If there is none now, and wake is not nil, it reports
	// that it rests, and calls wake once, soon after there may be one or an error.
	next(ctx context.Context, wake func()) (p push, rests bool, err error)
	// poll returns the next push if that takes no waiting.
	poll() (push, bool)
	// rest reports whether there is no push now, and then calls wake as next does.
	rest(wake func()) bool
	// send puts what the last push is about into the channel that gqlgen reads from. It
	// returns false if there is nothing to send.
	send(ctx context.Context) (bool, error)
	close()
}

// newest returns the position to show: that of the newest state, if only that needs to
// be sent.
func (p push) newest() domain.Position {
	if p.latest == nil {
		return p.at
	}
	return max(p.at, p.latest())
}

// deliver makes what a Follower yields, converted, the source of the subscription that
// is being started, and returns the channel that gqlgen reads from. It skips items
// that convert to nil.
func deliver[T, M any](ctx context.Context, follow func() *subscription.Follower[T], pushOf func(T) push, convert func(context.Context, T) (*M, error)) <-chan *M {
	out := make(chan *M, 1)
	s, ok := ctx.Value(subscribedKey{}).(*subscribed)
	if !ok {
		close(out) // not a subscription, so that nobody reads from it
		return out
	}
	s.begin = func() source {
		return &delivery[T, M]{Follower: follow(), pushOf: pushOf, convert: convert, out: out}
	}
	return out
}

// delivery is a source of what a Follower yields.
type delivery[T, M any] struct {
	*subscription.Follower[T]
	pushOf  func(T) push
	convert func(context.Context, T) (*M, error)
	out     chan<- *M
	item    T // of the last push
}

func (d *delivery[T, M]) next(ctx context.Context, wake func()) (p push, rests bool, err error) {
	if d.item, rests, err = d.Next(ctx, wake); rests || err != nil {
		return push{}, rests, err
	}
	return d.pushOf(d.item), false, nil
}

func (d *delivery[T, M]) poll() (p push, ok bool) {
	if d.item, ok = d.Poll(); ok {
		p = d.pushOf(d.item)
	}
	return p, ok
}

func (d *delivery[T, M]) rest(wake func()) bool { return d.Rest(wake) }

func (d *delivery[T, M]) send(ctx context.Context) (bool, error) {
	m, err := d.convert(ctx, d.item)
	if m == nil || err != nil {
		return false, err
	}
	d.out <- m
	return true, nil
}

func (d *delivery[T, M]) close() { d.Close() }
