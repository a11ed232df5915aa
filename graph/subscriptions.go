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

// ending is how a subscription ends.
type ending struct {
	work sync.WaitGroup // the goroutine that feeds it

	mu  sync.Mutex
	why *gqlerror.Error // set if it ended by itself
}

type endingKey struct{}

// watchEnd gives each subscription a place to leave the reason of its end. A
// transport is told of the end when nothing works for the subscription any
// more.
func watchEnd(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if graphql.GetOperationContext(ctx).Operation.Operation != ast.Subscription {
		return next(ctx)
	}
	end := &ending{}
	responses := next(context.WithValue(ctx, endingKey{}, end))
	return func(ctx context.Context) *graphql.Response {
		response := responses(ctx)
		if response == nil {
			end.work.Wait()
		}
		return response
	}
}

func (e *ending) set(why *gqlerror.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.why = why
}

func (e *ending) take() *gqlerror.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	why := e.why
	e.why = nil
	return why
}

// respond gives each response a scope of its own, and tells the client by one
// more response why a subscription ended by itself.
func (r *Resolver) respond(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	viewer, _ := auth.Caller(ctx)
	end, pushed := ctx.Value(endingKey{}).(*ending)
	s := &scope{views: r.views, viewer: viewer, after: request.From(ctx).After, pushed: pushed}
	defer func() { _ = s.close(ctx) }() // fails only with ctx, and then the view goes with its last user
	resp := next(withScope(ctx, s))
	if resp != nil || !pushed {
		return resp
	}
	why := end.take()
	if why == nil {
		return nil
	}
	return &graphql.Response{Errors: gqlerror.List{why}}
}

// push sends what a sequence gives to gqlgen, until it ends or ctx does. A
// nil model is passed over. It takes the next one only when the
// transport asks for it, so a slow client slows the sequence down.
func push[T, M any](ctx context.Context, r *Resolver, items iter.Seq2[T, error], convert func(T) (*M, error)) <-chan *M {
	out := make(chan *M)
	end, ok := ctx.Value(endingKey{}).(*ending)
	if !ok {
		close(out) // no subscription, so nobody listens
		return out
	}
	end.work.Go(func() {
		defer close(out)
		err := panics.Guard(ctx, func() error { return pour(ctx, items, convert, out) })
		if err != nil && ctx.Err() == nil {
			told := r.Present(ctx, fault{err})
			told.Path = nil // there is no data that it could lead through
			end.set(told)
		}
	})
	return out
}

func pour[T, M any](ctx context.Context, items iter.Seq2[T, error], convert func(T) (*M, error), out chan<- *M) error {
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
