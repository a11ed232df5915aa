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

// Present returns what the client is told of an error. It survives its own panics,
// and is a graphql.ErrorPresenterFunc.
func (p Presenter) Present(ctx context.Context, err error) (told *gqlerror.Error) {
	defer func() {
		if v := recover(); v != nil {
			told = p.unpresentable(ctx, v)
		}
	}()
	return p.tell(ctx, err)
}

// unpresentable stands for an error that cannot even be looked at or logged.
func (p Presenter) unpresentable(ctx context.Context, v any) *gqlerror.Error {
	id := request.NewID()
	func() {
		defer func() { _ = recover() }() // the logger may be what panics
		p.Log.LogAttrs(ctx, slog.LevelError, "internal error", slog.String("id", id), slog.Any("error", panics.Recovered(ctx, v)))
	}()
	told := &gqlerror.Error{Message: internalMessage + id, Path: responsePath(ctx)}
	setCode(told, domain.Internal)
	return told
}

// responsePath is the path of the field that an error is about, nil for none.
// Within its arguments gqlgen goes on with their names, which are no places of
// a response.
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
