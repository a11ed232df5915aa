// Package plan executes operations by plans. A plan is what an operation selects, with
// its fragments expanded and its fields merged, as a tree of fields that each know how
// they are resolved and how their value is written. It is made once for a document and
// kept with it. Executing it writes a response's data straight into one buffer: no field
// has a context, a closure or a goroutine of its own, except that fields which read lists
// beside each other do so at the same time.
//
// What a client sees is the same, byte for byte, as from gqlgen's generated code, which
// executes what has no plan: introspection, and documents whose fragments expand to much
// more than their text. Middleware around root fields is called as gqlgen calls it.
// Middleware around fields is called for root fields only.
//
// The tables in types.go and roots.go have the fields of the schema. A test compares them
// with the schema; a field that they do not have is executed by the generated code.
package plan

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"chirp/graph/generated"
	"chirp/graph/request"
)

// Schema is an executable schema that executes operations by plans, if they have one.
type Schema struct {
	graphql.ExecutableSchema

	types types
	// failed is called with the errors of resolvers below root fields.
	failed func(error) error
}

// New returns a schema with the same resolvers as another one. The errors that resolvers
// below root fields return pass through failed.
func New(schema graphql.ExecutableSchema, resolvers generated.ResolverRoot, failed func(error) error) *Schema {
	return &Schema{ExecutableSchema: schema, types: typesOf(resolvers), failed: failed}
}

// Exec implements graphql.ExecutableSchema.
func (s *Schema) Exec(ctx context.Context) graphql.ResponseHandler {
	oc := graphql.GetOperationContext(ctx)
	x := s.execution(oc)
	switch {
	case x == nil:
		return s.ExecutableSchema.Exec(ctx)
	case oc.Operation.Operation == ast.Subscription:
		return x.subscribe(ctx)
	default:
		return x.once()
	}
}

// execution returns how to execute an operation by its plan, or nil if it has none.
func (s *Schema) execution(oc *graphql.OperationContext) *execution {
	operation := request.OperationOf(oc)
	if operation == nil {
		return nil
	}
	plans, ok := operation.Prepared.(*Plans)
	if !ok {
		return nil
	}
	p := plans.of(oc, s.types)
	if p == nil {
		return nil
	}
	args, ok := p.arguments(oc.Variables)
	if !ok {
		return nil
	}
	return &execution{schema: s, oc: oc, operation: operation, plan: p, args: args}
}

// execution is an operation that is executed by its plan.
type execution struct {
	schema    *Schema
	oc        *graphql.OperationContext
	operation *request.Operation
	plan      *plan
	args      []any // of the fields whose arguments have variables
	// foreign is whether a middleware's value wrote itself, so that it may not be JSON.
	foreign atomic.Bool
}

// once returns the handler of a query or a mutation, which has one response.
func (x *execution) once() graphql.ResponseHandler {
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		ctx = graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: x.plan.root.name})
		w := newWriter(ctx, x)
		defer w.free()
		if !w.object(&x.plan.root, nil) {
			w.null()
		}
		return x.response(w)
	}
}

// response returns the response that was written.
func (x *execution) response(w *writer) *graphql.Response {
	data := slices.Clone(w.buf)
	if !x.foreign.Load() {
		x.operation.Wrote(data)
	}
	return &graphql.Response{Data: data}
}

// subscribe starts a subscription, and returns the handler that waits for its next item.
// It returns nil if the subscription could not start, which is an error of the response
// in ctx.
func (x *execution) subscribe(ctx context.Context) graphql.ResponseHandler {
	ctx = graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: x.plan.root.name})
	f := &x.plan.root.fields[0]
	items, ok := x.resolveRoot(ctx, f)
	if !ok {
		return nil
	}
	return func(ctx context.Context) *graphql.Response {
		item, ok := f.spec.next(ctx, items)
		if !ok {
			return nil
		}
		w := newWriter(ctx, x)
		defer w.free()
		w.buf = append(append(w.buf, '{'), f.key...)
		if !f.spec.write(w, f, item) {
			w.null()
		}
		w.buf = append(w.buf, '}')
		return x.response(w)
	}
}
