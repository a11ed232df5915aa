package plan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph"
	"chirp/graph/generated"
	"chirp/graph/plan"
	"chirp/graph/request"
)

// prepared keeps plans with the operations' statistics, as the guards do.
type prepared struct{ plans any }

func (prepared) ExtensionName() string                   { return "Prepared" }
func (prepared) Validate(graphql.ExecutableSchema) error { return nil }
func (p prepared) MutateOperationParameters(ctx context.Context, raw *graphql.RawParams) *gqlerror.Error {
	request.WithOperation(graphql.GetOperationContext(ctx), &request.Operation{Prepared: p.plans})
	return nil
}

// counted counts the operations that the generated code executes.
type counted struct {
	graphql.ExecutableSchema
	executed *int
}

func (c counted) Exec(ctx context.Context) graphql.ResponseHandler {
	*c.executed++
	return c.ExecutableSchema.Exec(ctx)
}

// failure marks an error that passed through the schema's function for it.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// newExecutor returns an executor with middleware like that of the API.
func newExecutor(schema graphql.ExecutableSchema) *executor.Executor {
	e := executor.New(schema)
	e.SetRecoverFunc(func(_ context.Context, v any) error { return fmt.Errorf("recovered: %v", v) })
	e.SetErrorPresenter(func(ctx context.Context, err error) *gqlerror.Error {
		p := graphql.DefaultErrorPresenter(ctx, err)
		var marked failure
		if e, ok := err.(*gqlerror.Error); ok && !asFailure(e.Err, &marked) && e.Err != nil {
			p.Message = "not marked: " + p.Message
		}
		return p
	})
	e.AroundRootFields(func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
		if root := graphql.GetRootFieldContext(ctx); root.Field.Alias != root.Field.Name && len(root.Field.Alias)%7 == 0 {
			graphql.AddErrorf(ctx, "the middleware refused %s", root.Object)
			return graphql.Null
		}
		return next(ctx)
	})
	e.AroundFields(func(ctx context.Context, next graphql.Resolver) (any, error) {
		v, err := next(ctx)
		if fc := graphql.GetFieldContext(ctx); err == nil && fc.Field.Name == "viewer" && len(fc.Field.Alias)%5 == 0 {
			return 5, nil
		}
		if err != nil {
			err = failure{err}
		}
		return v, err
	})
	return e
}

func asFailure(err error, into *failure) bool {
	for err != nil {
		if f, ok := err.(failure); ok {
			*into = f
			return true
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = u.Unwrap()
	}
	return false
}

// executeAll returns all responses of an operation, with sorted errors, because gqlgen
// resolves fields at the same time.
func executeAll(t *testing.T, e *executor.Executor, document string) (responses []string) {
	t.Helper()
	values := map[string]any{}
	for _, v := range variables {
		if v.name != "absent" {
			values[v.name] = v.value
		}
	}
	return executeWith(t, e, document, values)
}

func executeWith(t *testing.T, e *executor.Executor, document string, values map[string]any) (responses []string) {
	t.Helper()
	ctx := graphql.StartOperationTrace(t.Context())
	oc, errs := e.CreateOperationContext(ctx, &graphql.RawParams{Query: document, Variables: values})
	if len(errs) > 0 {
		t.Fatalf("%s\nis not valid: %v", document, errs)
	}
	next, ctx := e.DispatchOperation(ctx, oc)
	for range 10 {
		response := next(ctx)
		if response == nil {
			break
		}
		responses = append(responses, textOf(response))
	}
	return responses
}

func textOf(r *graphql.Response) string {
	var errs []string
	for _, err := range r.Errors {
		text, _ := json.Marshal(err)
		errs = append(errs, string(text))
	}
	slices.Sort(errs)
	return string(r.Data) + "\n" + strings.Join(errs, "\n")
}

// compare executes a random document by a plan and by the generated code. It reports
// whether there was a plan.
func compare(t *testing.T, seed uint64) (planned bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	w := world{seed: seed, faults: []uint64{0, 3, 20}[r.IntN(3)]}
	schema := generated.NewExecutableSchema(generated.Config{Schema: graph.Schema(), Resolvers: w})
	d := &documents{Rand: r, schema: schema.Schema()}
	document := d.document([]ast.Operation{ast.Query, ast.Query, ast.Mutation, ast.Subscription}[r.IntN(4)])
	fallen := 0
	plans := newExecutor(plan.New(counted{schema, &fallen}, w, func(err error) error { return failure{err} }))
	plans.Use(prepared{plan.Prepare(document)})
	want := executeAll(t, newExecutor(schema), document)
	for range 2 { // the second time with a plan that has been made before
		if got := executeAll(t, plans, document); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %s\n\ngot  %s\n\nwant %s", seed, document, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	return fallen == 0
}

func TestPlansAnswerLikeTheGeneratedCode(t *testing.T) {
	const documents = 800
	planned := 0
	for seed := range uint64(documents) {
		if compare(t, seed) {
			planned++
		}
	}
	if planned < documents*8/10 {
		t.Errorf("%d of %d documents had a plan, want most", planned, documents)
	}
}

func FuzzPlans(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, seed) })
}

// planless returns a document and how often the generated code executed it.
func planless(t *testing.T, document string) int {
	t.Helper()
	fallen := 0
	schema := generated.NewExecutableSchema(generated.Config{Schema: graph.Schema(), Resolvers: world{}})
	e := newExecutor(plan.New(counted{schema, &fallen}, world{}, func(err error) error { return err }))
	e.Use(prepared{plan.Prepare(document)})
	executeAll(t, e, document)
	return fallen
}

func TestEveryFieldOfTheSchemaHasAPlan(t *testing.T) {
	for name, typ := range graph.Schema().Types {
		if typ.Kind != ast.Object || strings.HasPrefix(name, "__") {
			continue
		}
		for _, f := range typ.Fields {
			if !strings.HasPrefix(f.Name, "__") && !plan.Knows(world{}, name, f.Name) {
				t.Errorf("%s.%s has no plan", name, f.Name)
			}
		}
	}
}

func TestWhatHasNoPlanIsExecutedByTheGeneratedCode(t *testing.T) {
	var doubling bytes.Buffer
	doubling.WriteString("{ viewer { ...f0 } }")
	for i := range 7 {
		fmt.Fprintf(&doubling, " fragment f%d on User { a: followers { edges { node { ...f%d } } } b: followers { edges { node { ...f%d } } } }", i, i+1, i+1)
	}
	doubling.WriteString(" fragment f7 on User { id }")
	for name, document := range map[string]string{
		"the schema":          "{ __schema { queryType { name } } }",
		"much in little text": doubling.String(),
		"the schema besides":  "{ viewer { id } __type(name: \"User\") { name } }",
	} {
		if planless(t, document) == 0 {
			t.Errorf("%s has a plan", name)
		}
	}
	if planless(t, "{ viewer { id } }") > 0 {
		t.Error("a small query has no plan")
	}
}

// However many choices the callers of a document have made, those in use have plans.
func TestManyChoicesLeaveRoomForOthers(t *testing.T) {
	var head, body strings.Builder
	for i := range 8 {
		fmt.Fprintf(&head, "$v%d: Boolean! ", i)
		fmt.Fprintf(&body, "a%d: viewer @include(if: $v%d) { id username } ", i, i)
	}
	document := "query it(" + head.String() + ") { " + body.String() + "}"
	fallen := 0
	schema := generated.NewExecutableSchema(generated.Config{Schema: graph.Schema(), Resolvers: world{}})
	e := newExecutor(plan.New(counted{schema, &fallen}, world{}, func(err error) error { return err }))
	plans := plan.Prepare(document).(*plan.Plans)
	e.Use(prepared{plans})
	for choice := range 1 << 8 {
		values := map[string]any{}
		for i := range 8 {
			values[fmt.Sprint("v", i)] = choice>>i&1 == 1
		}
		want := executeWith(t, newExecutor(schema), document, values)
		if got := executeWith(t, e, document, values); !slices.Equal(got, want) {
			t.Fatalf("choice %b: got %s, want %s", choice, got, want)
		}
		if fields := plans.Fields(); fields > len(document)/2 {
			t.Fatalf("the plans have %d fields, for a text of %d bytes", fields, len(document))
		}
	}
	if fallen > 0 {
		t.Errorf("%d of 256 choices had no plan, want none", fallen)
	}
}
