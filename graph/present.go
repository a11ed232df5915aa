package graph

import (
	"context"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/panics"
	"chirp/graph/request"
	"chirp/internal/domain"
)

// Present returns what the client sees of an error. It recovers its own panics. It
// is a graphql.ErrorPresenterFunc.
func (p Presenter) Present(ctx context.Context, err error) (presented *gqlerror.Error) {
	defer func() {
		if v := recover(); v != nil {
			presented = p.presentPanic(ctx, v)
		}
	}()
	return p.translate(ctx, err)
}

// presentPanic returns the error to show if translating or logging one panics.
func (p Presenter) presentPanic(ctx context.Context, v any) *gqlerror.Error {
	id := request.NewID()
	func() {
		defer func() { _ = recover() }() // the logger may panic again
		p.Log.LogAttrs(ctx, slog.LevelError, "internal error", slog.String("id", id), slog.Any("error", panics.Recovered(ctx, v)))
	}()
	presented := &gqlerror.Error{Message: internalMessage + id, Path: responsePath(ctx)}
	setCode(presented, domain.Internal)
	return presented
}

// responsePath returns the path of the field that an error is about, or nil. It
// leaves out what gqlgen appends for a field's arguments, because that is no place
// in the response.
func responsePath(ctx context.Context) ast.Path {
	field := graphql.GetFieldContext(ctx)
	if field == nil {
		return nil
	}
	if path := field.Path(); len(path) > 0 {
		return path
	}
	return nil
}
