package plan

import (
	"context"
	"io"

	"github.com/99designs/gqlgen/graphql"
)

// written is the result of a root field whose value is in the writer's buffer.
type written struct{}

// MarshalGQL implements graphql.Marshaler. It is not called.
func (written) MarshalGQL(io.Writer) {}

// root writes a root field's value, as field does, in the middleware around root fields.
func (w *writer) root(f *field) bool {
	start, outer := len(w.buf), w.ctx
	defer func() { w.ctx = outer }()
	ctx := graphql.WithRootFieldContext(w.ctx, &graphql.RootFieldContext{Object: f.ast.Name, Field: graphql.CollectedField{Field: f.ast}})
	result := w.execution.oc.RootResolverMiddleware(ctx, func(ctx context.Context) graphql.Marshaler { return w.rootValue(ctx, f) })
	switch result.(type) {
	case written:
		return true
	default:
		w.buf = w.buf[:start]
		if result == graphql.Null {
			return false
		}
		w.execution.foreign.Store(true)
		result.MarshalGQL(w)
		return true
	}
}

// rootValue resolves a root field and writes its value.
func (w *writer) rootValue(ctx context.Context, f *field) (result graphql.Marshaler) {
	x := w.execution
	ctx = x.withField(ctx, f)
	defer func() {
		if r := recover(); r != nil {
			x.oc.Error(ctx, x.oc.Recover(ctx, r))
			result = graphql.Null
		}
	}()
	value, ok := x.resolve(&ctx, f)
	if !ok {
		return graphql.Null
	}
	if marshaler, ok := value.(graphql.Marshaler); ok {
		return marshaler
	}
	w.ctx, w.path = ctx, w.path[:0]
	if !f.spec.write(w, f, value) {
		return graphql.Null
	}
	return written{}
}

// resolveRoot resolves the root field of a subscription.
func (x *execution) resolveRoot(ctx context.Context, f *field) (value any, ok bool) {
	ctx = x.withField(ctx, f)
	defer func() {
		if r := recover(); r != nil {
			x.oc.Error(ctx, x.oc.Recover(ctx, r))
			ok = false
		}
	}()
	return x.resolve(&ctx, f)
}

// withField returns a context for a root field and its errors.
func (x *execution) withField(ctx context.Context, f *field) context.Context {
	fc := &graphql.FieldContext{Object: f.ast.ObjectDefinition.Name, Field: graphql.CollectedField{Field: f.ast}, IsMethod: true, IsResolver: true}
	if f.spec.input {
		fc.Args = map[string]any{"input": x.argumentsOf(f)}
	}
	return graphql.WithFieldContext(ctx, fc)
}

// resolve resolves a root field in the middleware around fields, which may replace the
// context and the value. It returns false if the value is null.
func (x *execution) resolve(ctx *context.Context, f *field) (value any, ok bool) {
	value, err := x.oc.ResolverMiddleware(*ctx, func(inner context.Context) (any, error) {
		*ctx = inner
		return f.spec.resolve(inner, nil, x.argumentsOf(f))
	})
	switch {
	case err != nil:
		x.oc.Error(*ctx, graphql.AddFieldLocationToError(*ctx, err))
		return nil, false
	case value == nil:
		if f.nonNull {
			graphql.AddInvalidNullError(*ctx, "")
		}
		return nil, false
	}
	if want, ok := f.spec.fits(value); !ok {
		if _, ok := value.(graphql.Marshaler); !ok {
			graphql.AddErrorf(*ctx, "unexpected type %T from middleware/directive chain, should be %T", value, want)
			return nil, false
		}
	}
	return value, true
}
