package plan

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
)

// writer writes the data of a response, or a part of it.
type writer struct {
	ctx       context.Context // of the resolvers below, and of errors
	execution *execution
	buf       []byte
	path      []step // from ctx to the field that is being written
}

// step is a field, or an item of a list, on the way to a field.
type step struct {
	field *field // nil for an item
	on    string // the type that has the field
	index int
}

// maxPooled is how many bytes the buffers of writers have at most that are used again.
const maxPooled = 64 << 10

var writers = sync.Pool{New: func() any { return &writer{buf: make([]byte, 0, 4<<10)} }}

func newWriter(ctx context.Context, x *execution) *writer {
	w := writers.Get().(*writer)
	w.ctx, w.execution = ctx, x
	return w
}

// free lets another response use the writer's memory.
func (w *writer) free() {
	if cap(w.buf) > maxPooled {
		return
	}
	clear(w.path[:cap(w.path)]) // its steps point to plans
	*w = writer{buf: w.buf[:0], path: w.path[:0]}
	writers.Put(w)
}

func (w *writer) null() { w.buf = append(w.buf, "null"...) }

// Write implements io.Writer, for values that write themselves.
func (w *writer) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	return len(b), nil
}

// object writes what is selected of an object. If it returns false the object is null,
// because a field is that may not be, and nothing is written.
func (w *writer) object(o *object, v any) bool {
	start, valid := len(w.buf), true
	var ahead []*part
	if o.lists > 1 {
		ahead = w.readFields(o, v)
		defer wait(ahead)
	}
	w.buf = append(w.buf, '{')
	for i := range o.fields {
		f := &o.fields[i]
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.buf = append(w.buf, f.key...)
		end := len(w.buf)
		var ok bool
		if ahead != nil && ahead[i] != nil {
			ok = ahead[i].appendTo(w, ahead)
		} else {
			ok = w.field(o, f, v)
		}
		if !ok {
			w.buf = w.buf[:end]
			w.null()
			valid = valid && !f.nonNull
		}
	}
	if !valid {
		w.buf = w.buf[:start]
		return false
	}
	w.buf = append(w.buf, '}')
	return true
}

// field writes a field's value. If it returns false the value is null, and what was written
// is to be removed.
func (w *writer) field(o *object, f *field, v any) bool {
	switch {
	case f.spec.plain:
		return f.spec.write(w, f, v)
	case v == nil: // only root fields have no object
		return w.root(f)
	}
	depth := len(w.path)
	w.path = append(w.path, step{field: f, on: o.name})
	ok := w.resolve(f, v)
	w.path = w.path[:depth]
	return ok
}

// resolve resolves a field and writes its value. Its path ends with the field.
func (w *writer) resolve(f *field, v any) (ok bool) {
	depth := len(w.path)
	defer func() {
		if r := recover(); r != nil {
			w.path = w.path[:depth]
			ctx := w.at()
			w.execution.oc.Error(ctx, w.execution.oc.Recover(ctx, r))
			ok = false
		}
	}()
	if f.spec.resolve == nil {
		return f.spec.write(w, f, v)
	}
	value, err := f.spec.resolve(w.ctx, v, w.execution.argumentsOf(f))
	if err != nil {
		ctx := w.at()
		w.execution.oc.Error(ctx, graphql.AddFieldLocationToError(ctx, w.execution.schema.failed(err)))
		return false
	}
	return f.spec.write(w, f, value)
}

// isNull adds the error about a field that may not be null, unless it may be.
func (w *writer) isNull(f *field) bool {
	if f.nonNull {
		graphql.AddInvalidNullError(w.at(), f.ast.Definition.Type.String())
	}
	return false
}

// at returns a context for errors of the field that is being written.
func (w *writer) at() context.Context {
	ctx := w.ctx
	for _, s := range w.path {
		fc := &graphql.FieldContext{Object: s.on}
		if s.field != nil {
			fc.Field, fc.IsResolver = graphql.CollectedField{Field: s.field.ast}, s.field.spec.resolve != nil
		} else {
			fc.Index = &s.index
		}
		ctx = graphql.WithFieldContext(ctx, fc)
	}
	return ctx
}

// list writes a list of objects that may not be null. It returns false if one is.
func list[T any](w *writer, f *field, items []T) bool {
	on := &f.on[0]
	if on.reads && len(items) > 1 {
		return w.joined(readItems(w, on, items))
	}
	w.buf = append(w.buf, '[')
	depth, valid := len(w.path), true
	for i := range items {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.path = append(w.path[:depth], step{index: i})
		valid = w.object(on, &items[i]) && valid
	}
	w.path = w.path[:depth]
	w.buf = append(w.buf, ']')
	return valid
}

func (x *execution) argumentsOf(f *field) any {
	if f.arg >= 0 {
		return x.args[f.arg]
	}
	return f.constant
}
