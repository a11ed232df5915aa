package guard

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"

	"chirp/graph/clip"
	"chirp/graph/scalar"
	"chirp/internal/domain"
)

// coercer turns what a client sends for an input type into the one value that
// stands for it afterwards, by the rules of the GraphQL specification ("Input
// Coercion"). Everything that reads a variable then sees the same value: an
// Int is an int64, an ID a string, a list a []any.
type coercer struct {
	schema  *ast.Schema
	scalars map[string]coerceFunc // by name
}

// coerceFunc coerces a JSON value, or the value of a literal, which is never nil.
// An error says what is wrong with it.
type coerceFunc func(v any) (any, error)

// inputScalars are the scalars that clients can send.
func inputScalars() map[string]coerceFunc {
	return map[string]coerceFunc{
		"Boolean":  coerceBoolean,
		"DateTime": coerceDateTime,
		"Float":    coerceFloat,
		"ID":       func(v any) (any, error) { return scalar.UnmarshalID(v) },
		"Int":      coerceInt,
		"Position": coercePosition,
		"String":   func(v any) (any, error) { return scalar.UnmarshalString(v) },
	}
}

func coerceBoolean(v any) (any, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return nil, domain.Errorf(domain.Invalid, "a Boolean is true or false, not %s", scalar.Kind(v))
}

func coerceInt(v any) (any, error) {
	n, err := scalar.UnmarshalInt(v)
	return int64(n), err
}

func coerceFloat(v any) (any, error) {
	var text string
	switch v := v.(type) {
	case json.Number, int, int64:
		text = fmt.Sprint(v)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return nil, domain.Errorf(domain.Invalid, "a Float is a number, not %s", scalar.Kind(v))
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, domain.Errorf(domain.Invalid, "%.40q is not a finite number of 64 bits", text)
	}
	return f, nil
}

func coerceDateTime(v any) (any, error) {
	if _, err := scalar.UnmarshalDateTime(v); err != nil {
		return nil, err
	}
	return v, nil
}

func coercePosition(v any) (any, error) {
	p, err := scalar.UnmarshalPosition(v)
	return p.String(), err
}

// misfit is why a value cannot be coerced.
type misfit struct {
	place string // within the value, such as .ids[2]; empty for all of it
	why   string
}

func misfitf(format string, args ...any) *misfit { return &misfit{why: fmt.Sprintf(format, args...)} }

// within adds what leads to the place.
func (m *misfit) within(step string) *misfit {
	m.place = step + m.place
	return m
}

// variables coerces the variables that a request gives to its operation. Those
// that the operation does not declare are left out, defaults are put in, and
// what has neither a value nor a default is absent.
func (c coercer) variables(op *ast.OperationDefinition, given map[string]any) (map[string]any, *ast.VariableDefinition, *misfit) {
	coerced := make(map[string]any, len(op.VariableDefinitions))
	for _, v := range op.VariableDefinitions {
		value, ok := given[v.Variable]
		if !ok && v.DefaultValue != nil {
			value, ok = constant(v.DefaultValue), true
		}
		if !ok && v.Type.NonNull {
			return nil, v, misfitf("must be given")
		}
		if !ok {
			continue
		}
		var bad *misfit
		if coerced[v.Variable], bad = c.value(v.Type, value); bad != nil {
			return nil, v, bad
		}
	}
	return coerced, nil, nil
}

// constant returns the value of a literal without variables that the validator
// has passed, which is why it has one.
func constant(literal *ast.Value) any {
	value, _ := literal.Value(nil)
	return value
}

func (c coercer) value(t *ast.Type, v any) (any, *misfit) {
	switch {
	case v == nil && t.NonNull:
		return nil, misfitf("must not be null")
	case v == nil:
		return nil, nil
	case t.Elem != nil:
		return c.list(t.Elem, v)
	}
	switch def := c.schema.Types[t.NamedType]; def.Kind {
	case ast.Enum:
		return enumValue(def, v)
	case ast.InputObject:
		return c.object(def, v)
	default:
		return c.scalar(def, v)
	}
}

// list coerces a list. What is none stands for a list of it.
func (c coercer) list(element *ast.Type, v any) (any, *misfit) {
	items, ok := v.([]any)
	if !ok {
		item, bad := c.value(element, v)
		return []any{item}, bad
	}
	coerced := make([]any, len(items))
	for i, item := range items {
		var bad *misfit
		if coerced[i], bad = c.value(element, item); bad != nil {
			return nil, bad.within("[" + strconv.Itoa(i) + "]")
		}
	}
	return coerced, nil
}

func enumValue(def *ast.Definition, v any) (any, *misfit) {
	name, ok := v.(string)
	switch {
	case !ok:
		return nil, misfitf("a value of %s is given by its name, not by %s", def.Name, scalar.Kind(v))
	case def.EnumValues.ForName(name) == nil:
		return nil, misfitf("%.40q is not a value of %s", name, def.Name)
	default:
		return name, nil
	}
}

func (c coercer) scalar(def *ast.Definition, v any) (any, *misfit) {
	coerce := c.scalars[def.Name]
	if coerce == nil {
		return nil, misfitf("a %s cannot be sent", def.Name)
	}
	coerced, err := coerce(v)
	if err != nil {
		return nil, misfitf("%s", err.Error())
	}
	return coerced, nil
}

// object coerces an input object: it has no fields but those of its type, all
// that are required, and defaults for those that are absent.
func (c coercer) object(def *ast.Definition, v any) (any, *misfit) {
	members, ok := v.(map[string]any)
	if !ok {
		return nil, misfitf("a %s is an object, not %s", def.Name, scalar.Kind(v))
	}
	if name, ok := unknownMember(def, members); ok {
		return nil, misfitf("%s has no field %q", def.Name, clip.Text(name, maxName))
	}
	if bad := checkOneOf(def, members); bad != nil {
		return nil, bad
	}
	coerced := make(map[string]any, len(members))
	for _, f := range def.Fields {
		value, ok := members[f.Name]
		if !ok && f.DefaultValue != nil {
			value, ok = constant(f.DefaultValue), true
		}
		if !ok && f.Type.NonNull {
			return nil, misfitf("must be given").within("." + f.Name)
		}
		if !ok {
			continue
		}
		var bad *misfit
		if coerced[f.Name], bad = c.value(f.Type, value); bad != nil {
			return nil, bad.within("." + f.Name)
		}
	}
	return coerced, nil
}

// unknownMember returns the first member in the alphabet that a type has no
// field for.
func unknownMember(def *ast.Definition, members map[string]any) (name string, found bool) {
	var unknown []string
	for name := range members {
		if def.Fields.ForName(name) == nil {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return "", false
	}
	return slices.Min(unknown), true
}

func checkOneOf(def *ast.Definition, members map[string]any) *misfit {
	if def.Directives.ForName("oneOf") == nil {
		return nil
	}
	if len(members) != 1 {
		return misfitf("a %s has exactly one field, not %d", def.Name, len(members))
	}
	for name, value := range members {
		if value == nil {
			return misfitf("must not be null").within("." + name)
		}
	}
	return nil
}
