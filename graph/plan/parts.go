package plan

// part is a part of a response that is written beside others, because it reads lists: they
// are read at the same time.
type part struct {
	writer   *writer
	ok       bool
	panicked any
	done     chan struct{}
}

// begin starts to write a part in a goroutine of its own.
func (w *writer) begin(write func(*writer) bool) *part {
	p := &part{writer: newWriter(w.ctx, w.execution), done: make(chan struct{})}
	p.writer.path = append(p.writer.path, w.path...)
	go func() {
		defer close(p.done)
		defer func() { p.panicked = recover() }()
		p.ok = write(p.writer)
	}()
	return p
}

// appendTo waits until a part is written, and appends it unless it is null. It panics if
// the part did, once the others are written too: they read from what the response holds.
func (p *part) appendTo(w *writer, all []*part) bool {
	<-p.done
	if p.panicked != nil {
		for _, other := range all {
			if other != nil {
				<-other.done
			}
		}
		panic(p.panicked)
	}
	if p.ok {
		w.buf = append(w.buf, p.writer.buf...)
	}
	p.writer.free()
	return p.ok
}

// wait waits until parts are written, so that none outlives its response, whatever happens
// to the others.
func wait(parts []*part) {
	for _, p := range parts {
		if p != nil {
			<-p.done
		}
	}
}

// readFields begins all fields of an object that read lists, except the first one, and
// returns them by the field's index.
func (w *writer) readFields(o *object, v any) []*part {
	parts, first := make([]*part, len(o.fields)), true
	for i := range o.fields {
		f := &o.fields[i]
		switch {
		case !f.spec.list:
		case first:
			first = false
		default:
			parts[i] = w.begin(func(w *writer) bool { return w.field(o, f, v) })
		}
	}
	return parts
}

// readItems begins all items of a list.
func readItems[T any](w *writer, on *object, items []T) []*part {
	parts := make([]*part, len(items))
	depth := len(w.path)
	for i := range items {
		w.path = append(w.path[:depth], step{index: i})
		parts[i] = w.begin(func(w *writer) bool { return w.object(on, &items[i]) })
	}
	w.path = w.path[:depth]
	return parts
}

// joined writes a list of parts. It returns false if one is null.
func (w *writer) joined(parts []*part) bool {
	defer wait(parts)
	w.buf = append(w.buf, '[')
	valid := true
	for i, p := range parts {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		valid = p.appendTo(w, parts) && valid
	}
	w.buf = append(w.buf, ']')
	return valid
}
