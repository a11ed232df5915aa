package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/panics"
)

// contained is an executor out of which no panic comes: each becomes an error
// that is masked, logged, and framed by the transport as any other.
type safeExecutor struct {
	graphql.GraphExecutor
	present graphql.ErrorPresenterFunc
}

// CreateOperationContext implements graphql.GraphExecutor.
func (c safeExecutor) CreateOperationContext(ctx context.Context, params *graphql.RawParams) (oc *graphql.OperationContext, errs gqlerror.List) {
	defer func() {
		if v := recover(); v != nil {
			oc, errs = &graphql.OperationContext{RecoverFunc: panics.Recovered}, c.errors(ctx, v)
		}
	}()
	return c.GraphExecutor.CreateOperationContext(ctx, params)
}

// DispatchError implements graphql.GraphExecutor.
func (c safeExecutor) DispatchError(ctx context.Context, list gqlerror.List) (response *graphql.Response) {
	defer func() {
		if v := recover(); v != nil {
			response = &graphql.Response{Errors: c.errors(ctx, v)}
		}
	}()
	return withoutPaths(c.GraphExecutor.DispatchError(ctx, list))
}

// DispatchOperation implements graphql.GraphExecutor. A panic is the last
// response of an operation.
func (c safeExecutor) DispatchOperation(ctx context.Context, oc *graphql.OperationContext) (responses graphql.ResponseHandler, inner context.Context) {
	defer func() {
		if v := recover(); v != nil {
			responses, inner = graphql.OneShot(&graphql.Response{Errors: c.errors(ctx, v)}), ctx
		}
	}()
	next, inner := c.GraphExecutor.DispatchOperation(ctx, oc)
	ended := false
	return func(ctx context.Context) (response *graphql.Response) {
		if ended {
			return nil
		}
		defer func() {
			if v := recover(); v != nil {
				ended, response = true, &graphql.Response{Errors: c.errors(ctx, v)}
			}
		}()
		return c.checkEncodable(next(ctx))
	}, inner
}

var errNoJSON = errors.New("a response is not JSON")

// judged panics for a response that cannot be written.
func (safeExecutor) checkEncodable(response *graphql.Response) *graphql.Response {
	if response == nil {
		return nil
	}
	if response.Data != nil && !json.Valid(response.Data) {
		panic(errNoJSON)
	}
	if len(response.Errors) > 0 || len(response.Extensions) > 0 {
		if _, err := json.Marshal([]any{response.Errors, response.Extensions}); err != nil {
			panic(fmt.Errorf("%w: %w", errNoJSON, err))
		}
	}
	return withoutPaths(response)
}

func (c safeExecutor) errors(ctx context.Context, v any) gqlerror.List {
	err := c.present(ctx, panics.Recovered(ctx, v))
	err.Path = nil
	return gqlerror.List{err}
}

// withoutPaths takes the paths from the errors of a response without data:
// there is nothing that they could lead through.
func withoutPaths(response *graphql.Response) *graphql.Response {
	if response == nil || response.Data != nil {
		return response
	}
	for _, err := range response.Errors {
		err.Path = nil
	}
	return response
}
