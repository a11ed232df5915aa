package graph

import (
	"context"
	"iter"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/panics"
	"chirp/graph/request"
	"chirp/internal/auth"
)

// subscriptionEnd is how a subscription ends.
type subscriptionEnd struct {
	feeding sync.WaitGroup // the goroutine that sends its items

	mu  sync.Mutex
	err *gqlerror.Error // why the server ended it, if it did
}

type subscriptionEndKey struct{}

// trackSubscriptionEnd gives each subscription a subscriptionEnd, and tells the
// transport of the end only after the subscription's goroutine has returned. It
// is an operation middleware.
func trackSubscriptionEnd(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if graphql.GetOperationContext(ctx).Operation.Operation != ast.Subscription {
		return next(ctx)
	}
	end := &subscriptionEnd{}
	responses := next(context.WithValue(ctx, subscriptionEndKey{}, end))
	return func(ctx context.Context) *graphql.Response {
		response := responses(ctx)
		if response == nil {
			end.feeding.Wait()
		}
		return response
	}
}

func (e *subscriptionEnd) set(err *gqlerror.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
}

func (e *subscriptionEnd) take() *gqlerror.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.err
	e.err = nil
	return err
}

// aroundResponse gives each response its scope. When the server ended a
// subscription it adds a response that says why. It is a response middleware.
func (r *Resolver) aroundResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	viewer, _ := auth.Caller(ctx)
	end, subscription := ctx.Value(subscriptionEndKey{}).(*subscriptionEnd)
	s := &responseScope{snapshots: r.snapshots, viewer: viewer, after: request.From(ctx).After, subscription: subscription}
	defer func() { _ = s.close(ctx) }() // fails only if ctx ends, and then the last user closes it
	resp := next(withResponseScope(ctx, s))
	if resp != nil || !subscription {
		return resp
	}
	err := end.take()
	if err == nil {
		return nil
	}
	return &graphql.Response{Errors: gqlerror.List{err}}
}

// deliver sends the items of a sequence, converted, to the channel that gqlgen
// reads from, until the sequence ends or ctx does. It skips items that convert to
// nil. It takes the next item only when the transport asks for a response, so
// that a slow client slows the sequence down.
func deliver[T, M any](ctx context.Context, r *Resolver, items iter.Seq2[T, error], convert func(T) (*M, error)) <-chan *M {
	out := make(chan *M)
	end, ok := ctx.Value(subscriptionEndKey{}).(*subscriptionEnd)
	if !ok {
		close(out) // not a subscription, so that nobody reads from it
		return out
	}
	end.feeding.Go(func() {
		defer close(out)
		err := panics.Guard(ctx, func() error { return deliverAll(ctx, items, convert, out) })
		if err != nil && ctx.Err() == nil {
			presented := r.Present(ctx, resolverError{err})
			presented.Path = nil // the response has no data for it to lead through
			end.set(presented)
		}
	})
	return out
}

func deliverAll[T, M any](ctx context.Context, items iter.Seq2[T, error], convert func(T) (*M, error), out chan<- *M) error {
	for item, err := range items {
		if err != nil {
			return err
		}
		m, err := convert(item)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		select {
		case out <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
