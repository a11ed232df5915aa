package graph

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// onSocket is an executor for gqlgen's WebSocket transport, which has an error
// message for some errors of an operation that is not executed, by their code,
// and a response for others. With it there is one for all that have no data.
type onSocket struct{ contained }

// refusedKey is where an operation's statistics have its errors, a
// gqlerror.List, if it is not to be executed.
const refusedKey = "ChirpRefused"

// CreateOperationContext implements graphql.GraphExecutor. It leaves errors to
// DispatchOperation.
func (s onSocket) CreateOperationContext(ctx context.Context, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	oc, errs := s.contained.CreateOperationContext(ctx, params)
	if errs != nil {
		response := s.DispatchError(graphql.WithOperationContext(ctx, oc), errs)
		oc.Stats.SetExtension(refusedKey, response.Errors)
	}
	return oc, nil
}

// DispatchOperation implements graphql.GraphExecutor.
func (s onSocket) DispatchOperation(ctx context.Context, oc *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	if errs, refused := oc.Stats.GetExtension(refusedKey).(gqlerror.List); refused {
		return errorMessage(graphql.OneShot(&graphql.Response{Errors: errs})), ctx
	}
	responses, ctx := s.contained.DispatchOperation(ctx, oc)
	return errorMessage(responses), ctx
}

// errorMessage ends an operation with an error message in place of a response
// without data.
func errorMessage(responses graphql.ResponseHandler) graphql.ResponseHandler {
	return func(ctx context.Context) *graphql.Response {
		response := responses(ctx)
		if response == nil || response.Data != nil {
			return response
		}
		for _, err := range response.Errors {
			transport.AddSubscriptionError(ctx, err)
		}
		return nil
	}
}

// broken is why a socket whose own work panicked is closed.
func (t socketTransport) broken(ctx context.Context, v any) closing {
	return closing{closeInternal, clip(t.present(ctx, recovered(ctx, v)).Message)}
}

// initiateContained is initiate, and closes the socket when that panics.
func (t socketTransport) initiateContained(ctx context.Context, payload transport.InitPayload) (inner context.Context, reply *transport.InitPayload, err error) {
	defer func() {
		if v := recover(); v != nil {
			why := t.broken(ctx, v)
			inner, reply, err = deny(ctx, why.code, why.reason, domain.Errorf(domain.Internal, "%s", why.reason))
		}
	}()
	return t.initiate(ctx, payload)
}

// verify returns why a socket must end because of its caller's token, nil if it
// need not.
func (t socketTransport) verify(ctx context.Context, header string) *closing {
	err := guard(ctx, func() error { return auth.StillGood(t.tokens, header) })
	var fault panicked
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault):
		return &closing{closeInternal, clip(t.present(ctx, err).Message)}
	default:
		return &closing{closeForbidden, clip(err.Error())}
	}
}
