package subscription

import (
	"context"
	"iter"
)

// Follower is one subscription. It starts no goroutine, and is for one goroutine at a
// time.
type Follower[T any] struct {
	source[T]
	bell *bell
	// history is the log's history in which it began, with which it ends.
	history context.Context //nolint:containedctx // the hub's, not the caller's
}

// source is what a Follower yields.
type source[T any] interface {
	// step returns the next item, or false if there is none now.
	step(ctx context.Context) (item T, ok bool, err error)
	// poll is step for an item that is there without reading the views.
	poll() (item T, ok bool)
	// idle reports whether step would return false.
	idle() bool
	// stop is called once, at the end.
	stop()
}

// Next returns the next item. Four things might happen:
//
//  1. There is an item: Next returns it.
//  2. There is none now, and wake is not nil: Next reports that the Follower rests. It
//     calls wake once, soon after there may be an item or an error.
//  3. There is none now, and wake is nil: Next waits.
//  4. The hub ends the subscription, the feed cannot be read, or ctx ends: Next
//     returns the error.
func (f *Follower[T]) Next(ctx context.Context, wake func()) (item T, rests bool, err error) {
	for {
		item, ok, err := f.advance(ctx)
		switch {
		case ok || err != nil:
			return item, false, err
		case wake == nil:
			f.wait(ctx)
		case f.Rest(wake):
			return item, true, nil
		}
	}
}

// advance is step for a subscription that may have ended.
func (f *Follower[T]) advance(ctx context.Context) (item T, ok bool, err error) {
	if err = f.ended(ctx); err == nil {
		item, ok, err = f.step(ctx)
	}
	if ended := f.ended(ctx); err != nil && ended != nil {
		err = ended
	}
	return item, ok, err
}

// ended returns why the subscription has ended, if it has.
func (f *Follower[T]) ended(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case f.history.Err() != nil:
		return context.Cause(f.history)
	default:
		return nil
	}
}

func (f *Follower[T]) wait(ctx context.Context) {
	select {
	case <-f.bell.rung:
	case <-ctx.Done():
	case <-f.history.Done():
	}
}

// Poll returns the next item if it is in memory. It does not wait.
func (f *Follower[T]) Poll() (item T, ok bool) {
	if f.history.Err() != nil {
		return item, false
	}
	return f.poll()
}

// Rest reports whether there is nothing now. Then wake is called once, soon after there
// may be an item or an error.
func (f *Follower[T]) Rest(wake func()) bool {
	f.bell.rest(wake)
	if f.idle() && f.history.Err() == nil {
		return true
	}
	return f.bell.take() == nil // it has been rung meanwhile
}

// Close ends the subscription. It must be called once, after the last other call.
func (f *Follower[T]) Close() { f.stop() }

// all returns an iterator over what a Follower yields, which begin begins.
func all[T any](ctx context.Context, begin func() *Follower[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		f := begin()
		defer f.Close()
		for {
			item, _, err := f.Next(ctx, nil)
			if err != nil && ctx.Err() != nil || !yield(item, err) || err != nil {
				return
			}
		}
	}
}
