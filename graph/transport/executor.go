package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/panics"
	"chirp/graph/request"
)

// safeExecutor is an executor that recovers panics. Each becomes an error, which is
// masked and logged, and which the transport frames like any other.
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

// DispatchOperation implements graphql.GraphExecutor. A panic ends the operation
// after a response with the error.
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
		return c.checkEncodable(oc, next(ctx))
	}, inner
}

var errNotJSON = errors.New("a response is not valid JSON")

// checkEncodable panics if a response cannot be encoded. Otherwise it returns it.
func (safeExecutor) checkEncodable(oc *graphql.OperationContext, response *graphql.Response) *graphql.Response {
	if response == nil {
		return nil
	}
	if response.Data != nil && !request.OperationOf(oc).HasWritten(response.Data) && !json.Valid(response.Data) {
		panic(errNotJSON)
	}
	if len(response.Errors) > 0 || len(response.Extensions) > 0 {
		if _, err := json.Marshal([]any{response.Errors, response.Extensions}); err != nil {
			panic(fmt.Errorf("%w: %w", errNotJSON, err))
		}
	}
	return withoutPaths(response)
}

func (c safeExecutor) errors(ctx context.Context, v any) gqlerror.List {
	err := c.present(ctx, panics.Recovered(ctx, v))
	err.Path = nil
	return gqlerror.List{err}
}

// withoutPaths removes the paths from the errors of a response without data, because
// they lead nowhere.
func withoutPaths(response *graphql.Response) *graphql.Response {
	if response == nil || response.Data != nil {
		return response
	}
	for _, err := range response.Errors {
		err.Path = nil
	}
	return response
}
