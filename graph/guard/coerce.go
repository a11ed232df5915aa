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

// coercer converts what a client sends for an input type into one canonical value,
// by the rules of the GraphQL specification ("Input Coercion"). Everything that
// reads a variable then sees the same value: an Int is an int64, an ID a string, a
// list a []any.
type coercer struct {
	schema  *ast.Schema
	scalars map[string]coerceFunc // by name
}

// coerceFunc coerces a JSON value, or the value of a literal. It is never called
// with nil. An error says what is wrong with the value.
type coerceFunc func(v any) (any, error)

// inputScalars returns the functions for all scalars that clients can send.
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

// coercionError is why a value cannot be coerced.
type coercionError struct {
	path   string // within the value, such as .ids[2]; empty for the whole value
	reason string
}

func coercionErrorf(format string, args ...any) *coercionError {
	return &coercionError{reason: fmt.Sprintf(format, args...)}
}

// inside adds a step to the beginning of the path.
func (m *coercionError) inside(step string) *coercionError {
	m.path = step + m.path
	return m
}

// variables coerces the variables of a request for its operation. It leaves out
// variables that the operation does not declare, and sets defaults. A variable with
// neither a value nor a default is absent from the result. On error it returns the
// definition of the variable that is wrong.
func (c coercer) variables(op *ast.OperationDefinition, given map[string]any) (map[string]any, *ast.VariableDefinition, *coercionError) {
	coerced := make(map[string]any, len(op.VariableDefinitions))
	for _, v := range op.VariableDefinitions {
		value, ok := given[v.Variable]
		if !ok && v.DefaultValue != nil {
			value, ok = literalValue(v.DefaultValue), true
		}
		if !ok && v.Type.NonNull {
			return nil, v, coercionErrorf("must be given")
		}
		if !ok {
			continue
		}
		var bad *coercionError
		if coerced[v.Variable], bad = c.value(v.Type, value); bad != nil {
			return nil, v, bad
		}
	}
	return coerced, nil, nil
}

// literalValue returns the value of a validated literal without variables.
func literalValue(literal *ast.Value) any {
	value, _ := literal.Value(nil)
	return value
}

func (c coercer) value(t *ast.Type, v any) (any, *coercionError) {
	switch {
	case v == nil && t.NonNull:
		return nil, coercionErrorf("must not be null")
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

// list coerces a list. A single value stands for a list of one.
func (c coercer) list(element *ast.Type, v any) (any, *coercionError) {
	items, ok := v.([]any)
	if !ok {
		item, bad := c.value(element, v)
		return []any{item}, bad
	}
	coerced := make([]any, len(items))
	for i, item := range items {
		var bad *coercionError
		if coerced[i], bad = c.value(element, item); bad != nil {
			return nil, bad.inside("[" + strconv.Itoa(i) + "]")
		}
	}
	return coerced, nil
}

func enumValue(def *ast.Definition, v any) (any, *coercionError) {
	name, ok := v.(string)
	switch {
	case !ok:
		return nil, coercionErrorf("a value of %s is its name, not %s", def.Name, scalar.Kind(v))
	case def.EnumValues.ForName(name) == nil:
		return nil, coercionErrorf("%.40q is not a value of %s", name, def.Name)
	default:
		return name, nil
	}
}

func (c coercer) scalar(def *ast.Definition, v any) (any, *coercionError) {
	coerce := c.scalars[def.Name]
	if coerce == nil {
		return nil, coercionErrorf("a %s cannot be sent", def.Name)
	}
	coerced, err := coerce(v)
	if err != nil {
		return nil, coercionErrorf("%s", err.Error())
	}
	return coerced, nil
}

// object coerces an input object. It must have all required fields of its type and
// no others; absent fields get their defaults.
func (c coercer) object(def *ast.Definition, v any) (any, *coercionError) {
	members, ok := v.(map[string]any)
	if !ok {
		return nil, coercionErrorf("a %s is an object, not %s", def.Name, scalar.Kind(v))
	}
	if name, ok := unknownMember(def, members); ok {
		return nil, coercionErrorf("%s has no field %q", def.Name, clip.Text(name, maxName))
	}
	if bad := checkOneOf(def, members); bad != nil {
		return nil, bad
	}
	coerced := make(map[string]any, len(members))
	for _, f := range def.Fields {
		value, ok := members[f.Name]
		if !ok && f.DefaultValue != nil {
			value, ok = literalValue(f.DefaultValue), true
		}
		if !ok && f.Type.NonNull {
			return nil, coercionErrorf("must be given").inside("." + f.Name)
		}
		if !ok {
			continue
		}
		var bad *coercionError
		if coerced[f.Name], bad = c.value(f.Type, value); bad != nil {
			return nil, bad.inside("." + f.Name)
		}
	}
	return coerced, nil
}

// unknownMember returns the alphabetically first member that is not a field of the
// type.
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

func checkOneOf(def *ast.Definition, members map[string]any) *coercionError {
	if def.Directives.ForName("oneOf") == nil {
		return nil
	}
	if len(members) != 1 {
		return coercionErrorf("a %s has exactly one field, not %d", def.Name, len(members))
	}
	for name, value := range members {
		if value == nil {
			return coercionErrorf("must not be null").inside("." + name)
		}
	}
	return nil
}
