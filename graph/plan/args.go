package plan

import (
	"chirp/graph/scalar"
	"chirp/internal/domain"
)

// members parses arguments or the members of an input object, which the guards have
// coerced. It keeps the first error.
type members struct {
	raw map[string]any
	err error
}

func parse[V any](m *members, name string, unmarshal func(any) (V, error)) V {
	v, err := unmarshal(m.raw[name])
	if err != nil && m.err == nil {
		m.err = err
	}
	return v
}

// parseOptional returns nil for a value that is absent or null.
func parseOptional[V any](m *members, name string, unmarshal func(any) (V, error)) *V {
	if m.raw[name] == nil {
		return nil
	}
	v := parse(m, name, unmarshal)
	return &v
}

func (m *members) text(name string) string { return parse(m, name, scalar.UnmarshalString) }

func (m *members) id(name string) string { return parse(m, name, scalar.UnmarshalID) }

func (m *members) optional(name string) *string {
	return parseOptional(m, name, scalar.UnmarshalString)
}

// boolean returns false for a value that is absent.
func (m *members) boolean(name string) bool {
	v, _ := m.raw[name].(bool)
	return v
}

// page is the arguments of a page of a list.
type page struct {
	first, last   *int
	after, before *string
}

func pageArgs(raw map[string]any) (any, error) {
	m := &members{raw: raw}
	p := page{
		first: parseOptional(m, "first", scalar.UnmarshalInt), last: parseOptional(m, "last", scalar.UnmarshalInt),
		after: m.optional("after"), before: m.optional("before"),
	}
	return p, m.err
}

// idArg returns a parser of one argument, an ID.
func idArg(name string) func(map[string]any) (any, error) {
	return func(raw map[string]any) (any, error) {
		m := &members{raw: raw}
		return m.id(name), m.err
	}
}

// whichUser is the arguments of the root field user.
type whichUser struct{ id, username *string }

func userArgs(raw map[string]any) (any, error) {
	m := &members{raw: raw}
	return whichUser{parseOptional(m, "id", scalar.UnmarshalID), m.optional("username")}, m.err
}

func afterArg(raw map[string]any) (any, error) {
	m := &members{raw: raw}
	return m.optional("after"), m.err
}

// inputArg returns a parser of the argument of a mutation.
func inputArg[I any](input func(*members) I) func(map[string]any) (any, error) {
	return func(raw map[string]any) (any, error) {
		object, ok := raw["input"].(map[string]any)
		if !ok {
			return nil, domain.Errorf(domain.Invalid, "an input is an object, not %s", scalar.Kind(raw["input"]))
		}
		m := &members{raw: object}
		return input(m), m.err
	}
}
