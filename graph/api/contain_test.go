package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/graph/transport"
)

// marked reports whether an operation is to panic.
func marked(ctx context.Context) bool {
	return strings.Contains(graphql.GetOperationContext(ctx).RawQuery, "boom")
}

func explode(ctx context.Context) {
	if marked(ctx) {
		panic(graphtest.Secret)
	}
}

// mutators panic before an operation is executed.
type mutators struct{ parameters, operation bool }

func (mutators) ExtensionName() string { return "Panics" }

func (mutators) Validate(graphql.ExecutableSchema) error { return nil }

func (m mutators) MutateOperationParameters(_ context.Context, p *graphql.RawParams) *gqlerror.Error {
	if m.parameters && strings.Contains(p.Query, "boom") {
		panic(graphtest.Secret)
	}
	return nil
}

func (m mutators) MutateOperationContext(_ context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	if m.operation && strings.Contains(oc.RawQuery, "boom") {
		panic(graphtest.Secret)
	}
	return nil
}

// stages are the places where a panic may happen while an operation is created and
// executed. At some the response has data besides the error.
func stages() []stage {
	return []stage{
		{"parameters", false, func(e *executor.Executor) { e.Use(mutators{parameters: true}) }},
		{"the operation's context", false, func(e *executor.Executor) { e.Use(mutators{operation: true}) }},
		{"dispatching", false, func(e *executor.Executor) {
			e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
				explode(ctx)
				return next(ctx)
			})
		}},
		{"the handler of responses", false, func(e *executor.Executor) {
			e.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
				responses := next(ctx)
				return func(ctx context.Context) *graphql.Response { explode(ctx); return responses(ctx) }
			})
		}},
		{"a response", false, func(e *executor.Executor) {
			e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
				explode(ctx)
				return next(ctx)
			})
		}},
		{"after a response", false, func(e *executor.Executor) {
			e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
				defer explode(ctx)
				return next(ctx)
			})
		}},
		{"a response that is no JSON", false, func(e *executor.Executor) {
			e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
				response := next(ctx)
				if marked(ctx) && response != nil {
					response.Data = json.RawMessage(`{"boom":NaN}`)
				}
				return response
			})
		}},
		{"extensions that are no JSON", false, func(e *executor.Executor) {
			e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
				response := next(ctx)
				if marked(ctx) && response != nil {
					response.Extensions = map[string]any{"boom": math.NaN()}
				}
				return response
			})
		}},
		{"an operation's errors", false, func(e *executor.Executor) {
			e.Use(mutators{operation: true})
			e.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
				explode(ctx)
				return next(ctx)
			})
		}},
		{"writing a value", false, func(e *executor.Executor) {
			e.AroundRootFields(func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
				if !marked(ctx) {
					return next(ctx)
				}
				return graphql.WriterFunc(nil)
			})
		}},
		{"a root field", true, func(e *executor.Executor) {
			e.AroundRootFields(func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
				explode(ctx)
				return next(ctx)
			})
		}},
		{"a field", true, func(e *executor.Executor) {
			e.AroundFields(func(ctx context.Context, next graphql.Resolver) (any, error) {
				explode(ctx)
				return next(ctx)
			})
		}},
		{"a field's value", true, func(e *executor.Executor) {
			e.AroundFields(func(ctx context.Context, next graphql.Resolver) (any, error) {
				if marked(ctx) {
					return 5, nil
				}
				return next(ctx)
			})
		}},
	}
}

type stage struct {
	name string
	data bool
	put  func(*executor.Executor)
}

// masked checks the answers to an operation that panicked: one masked error, which
// is logged once, under its id and with the stack.
func masked(t *testing.T, w *graphtest.World, way string, got []graphtest.Answer, data bool) {
	t.Helper()
	if len(got) != 1 || len(got[0].Errors) == 0 {
		t.Errorf("%s: got %+v, want one answer with an error", way, got)
		return
	}
	a := got[0]
	for _, e := range a.Errors {
		id, ok := strings.CutPrefix(e.Message, "internal error, id ")
		if !ok || e.Extensions["code"] != "INTERNAL" {
			t.Errorf("%s: got %s, want INTERNAL and an id alone", way, a.Body)
		}
		if logged := w.Logged.String(); strings.Count(logged, "id="+id) != 1 {
			t.Errorf("%s: the log has the id %s %d times, want once: %s", way, id, strings.Count(logged, "id="+id), logged)
		}
	}
	if strings.Contains(a.Body, "10.0.0.1") || strings.Contains(a.Body, "goroutine") {
		t.Errorf("%s: got %s, which shows the panic", way, a.Body)
	}
	if data != strings.Contains(a.Body, `"data":`) {
		t.Errorf("%s: got %s, want data: %t", way, a.Body, data)
	}
	if wantFault := !data && (way == "JSON" || way == "GET" || way == "graphql-response+json"); a.Status != 0 && wantFault != (a.Status == http.StatusInternalServerError) {
		t.Errorf("%s: got status %d, want 500: %t", way, a.Status, wantFault)
	}
}

func TestPanicsStayWithinTheirOperation(t *testing.T) {
	for _, s := range stages() {
		t.Run(s.name, func(t *testing.T) {
			var exec *executor.Executor
			w := graphtest.NewWith(t, func(cfg api.Config) (handler *transport.Handler) {
				handler, exec = api.Build(cfg)
				return handler
			})
			ada := w.Person("ada")
			w.Must("", `{ user(username: "ada") { id } }`, nil)
			s.put(exec)
			for _, way := range graphtest.Ways() {
				masked(t, w, way.Name, way.Send(t, w, graphtest.Request{Token: ada.Token, Operation: `query boom { viewer { username } user(username: "ada") { id } }`}), s.data)
				if !way.Queries {
					masked(t, w, way.Name, way.Send(t, w, graphtest.Request{Token: ada.Token, Operation: `mutation boom { postChirp(input: {content: "x"}) { position } }`}), s.data)
				}
				if way.Subscribes && !strings.Contains(s.name, "root field") && s.name != "writing a value" {
					got := way.Send(t, w, graphtest.Request{Token: ada.Token, Operation: fmt.Sprintf(`subscription boom { profileUpdated(userId: %q) { username } }`, ada.ID)})
					masked(t, w, way.Name+", subscribed", got, false)
				}
			}
		})
	}
}
