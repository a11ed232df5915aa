package plan

import (
	"context"
	"time"

	"chirp/graph/model"
	"chirp/internal/domain"
)

// types are the object types of the schema that have plans, by name.
type types map[string]typ

type typ struct {
	interfaces []string
	fields     map[string]*spec
}

// spec is how a field is resolved and written.
type spec struct {
	// args parses the arguments. It is nil if there are none.
	args func(raw map[string]any) (any, error)
	// resolve returns the value of the field of an object, which is nil for root fields. It
	// is nil for a field that write reads from the object.
	resolve func(ctx context.Context, object, args any) (any, error)
	// write writes the value, or that of an object's field if there is no resolve. It
	// returns false if the value is null. What it wrote is removed then.
	write func(w *writer, f *field, v any) bool
	// types are the types that the value may have, if it is an object or a list of objects.
	types []string
	// plain is whether it has neither a resolver nor selections.
	plain bool
	// list is whether it may be worth while to read it beside other fields.
	list bool

	// The rest is for root fields: input is whether the argument is that of a mutation,
	// fits reports whether a value has the type that resolve returns, which it returns
	// too, and next waits for the next item of a subscription.
	input bool
	fits  func(v any) (want any, ok bool)
	next  func(ctx context.Context, items any) (item any, ok bool)
}

func is[T any](v any) (want any, ok bool) {
	want, ok = v.(T)
	return want, ok
}

// plain returns the spec of a field of T that write appends.
func plain[T, V any](get func(*T) V, write func(b []byte, v V) []byte) *spec {
	return &spec{plain: true, write: func(w *writer, _ *field, v any) bool {
		w.buf = write(w.buf, get(v.(*T)))
		return true
	}}
}

// optional is plain for a value that is null if it is a nil pointer.
func optional[T any](get func(*T) *string) *spec {
	return &spec{plain: true, write: func(w *writer, _ *field, v any) bool {
		text := get(v.(*T))
		if text == nil {
			return false
		}
		w.buf = appendString(w.buf, *text)
		return true
	}}
}

func id[T any](get func(*T) string) *spec                { return plain(get, appendString) }
func text[T any](get func(*T) string) *spec              { return plain(get, appendString) }
func boolean[T any](get func(*T) bool) *spec             { return plain(get, appendBool) }
func dateTime[T any](get func(*T) time.Time) *spec       { return plain(get, appendTime) }
func position[T any](get func(*T) domain.Position) *spec { return plain(get, appendPosition) }

// inner returns the spec of a field of T that is an object.
func inner[T, V any](name string, get func(*T) *V) *spec {
	return &spec{types: []string{name}, write: func(w *writer, f *field, v any) bool { return w.object(&f.on[0], get(v.(*T))) }}
}

// edges returns the spec of a field of T that is a list of objects.
func edges[T, E any](name string, get func(*T) []E) *spec {
	return &spec{types: []string{name}, write: func(w *writer, f *field, v any) bool { return list(w, f, get(v.(*T))) }}
}

// resolved returns the spec of a field of T that resolve returns and write appends.
func resolved[T, V any](resolve func(context.Context, *T) (V, error), write func(b []byte, v V) []byte) *spec {
	return &spec{
		resolve: func(ctx context.Context, object, _ any) (any, error) { return resolve(ctx, object.(*T)) },
		write: func(w *writer, _ *field, v any) bool {
			w.buf = write(w.buf, v.(V))
			return true
		},
	}
}

// resolvedObject returns the spec of a field of T that resolve returns, an object.
func resolvedObject[T, V any](name string, resolve func(context.Context, *T) (*V, error)) *spec {
	return &spec{
		resolve: func(ctx context.Context, object, _ any) (any, error) { return resolve(ctx, object.(*T)) },
		types:   []string{name}, write: writeObject[V],
	}
}

// resolvedList returns the spec of a field of T that resolve returns, a list of objects
// that is null if it is nil.
func resolvedList[T, E any](name string, resolve func(context.Context, *T) ([]E, error)) *spec {
	return &spec{
		resolve: func(ctx context.Context, object, _ any) (any, error) { return resolve(ctx, object.(*T)) },
		types:   []string{name}, list: true,
		write: func(w *writer, f *field, v any) bool {
			items := v.([]E)
			return items != nil && list(w, f, items)
		},
	}
}

func writeObject[V any](w *writer, f *field, v any) bool {
	object := v.(*V)
	if object == nil {
		return w.isNull(f)
	}
	return w.object(&f.on[0], object)
}

// connection returns the spec of a field of T that is a page of a list.
func connection[T, C any](name string, resolve func(ctx context.Context, object *T, first *int, after *string, last *int, before *string) (*C, error)) *spec {
	return &spec{
		args: pageArgs, types: []string{name}, list: true, write: writeObject[C],
		resolve: func(ctx context.Context, object, args any) (any, error) {
			p := args.(page)
			return resolve(ctx, object.(*T), p.first, p.after, p.last, p.before)
		},
	}
}

// query returns the spec of a root field of a query, an object or null.
func query[V any](name string, args func(map[string]any) (any, error), resolve func(ctx context.Context, args any) (*V, error)) *spec {
	return &spec{
		args: args, types: []string{name}, list: true, write: writeObject[V], fits: is[*V],
		resolve: func(ctx context.Context, _, args any) (any, error) { return resolve(ctx, args) },
	}
}

// rootConnection is connection for a root field.
func rootConnection[C any](name string, resolve func(ctx context.Context, first *int, after *string, last *int, before *string) (*C, error)) *spec {
	return query(name, pageArgs, func(ctx context.Context, args any) (*C, error) {
		p := args.(page)
		return resolve(ctx, p.first, p.after, p.last, p.before)
	})
}

// mutation returns the spec of a mutation.
func mutation[I, P any](name string, input func(*members) I, resolve func(context.Context, I) (*P, error)) *spec {
	s := query(name, inputArg(input), func(ctx context.Context, args any) (*P, error) { return resolve(ctx, args.(I)) })
	s.input = true
	return s
}

// subscription returns the spec of a subscription.
func subscription[V any](name string, args func(map[string]any) (any, error), resolve func(ctx context.Context, args any) (<-chan *V, error)) *spec {
	return &spec{
		args: args, types: []string{name}, write: writeObject[V], fits: is[<-chan *V],
		resolve: func(ctx context.Context, _, args any) (any, error) { return resolve(ctx, args) },
		next: func(ctx context.Context, items any) (any, bool) {
			select {
			case item, ok := <-items.(<-chan *V):
				return item, ok
			case <-ctx.Done():
				return nil, false
			}
		},
	}
}

// node returns the spec of a root field that is a user or a chirp.
func node(resolve func(ctx context.Context, id string) (model.Node, error)) *spec {
	return &spec{
		args: idArg("id"), types: []string{"User", "Chirp"}, list: true, fits: is[model.Node],
		resolve: func(ctx context.Context, _, args any) (any, error) {
			v, err := resolve(ctx, args.(string))
			if v == nil || err != nil {
				return nil, err
			}
			return v, nil
		},
		write: func(w *writer, f *field, v any) bool {
			switch v := v.(type) {
			case *model.User:
				return v != nil && w.object(&f.on[0], v)
			case *model.Chirp:
				return v != nil && w.object(&f.on[1], v)
			default:
				return false
			}
		},
	}
}
