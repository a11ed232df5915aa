package guard

import (
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"

	"chirp/graph/clip"
)

// literalRule reports literals that the library's rule on values accepts: an Int of
// more than 32 bits, an empty object for a scalar or an enum, and wrong values of
// the API's own scalars.
func literalRule(c coercer) core.Rule {
	return core.Rule{Name: "Literals", RuleFunc: func(observers *core.Events, addError core.AddErrFunc) {
		observers.OnValue(func(_ *core.Walker, v *ast.Value) {
			if message := c.literalError(v); message != "" {
				addError(core.Message("%s", message), core.At(v.Position))
			}
		})
	}}
}

// literalError returns what is wrong with a literal, or "" if nothing is or the
// library's rule reports it. It is called for members of lists and objects as well.
func (c coercer) literalError(v *ast.Value) string {
	def := v.Definition
	if def == nil || v.ExpectedType == nil || def.Kind != ast.Scalar && def.Kind != ast.Enum {
		return ""
	}
	switch {
	case v.Kind == ast.Variable || v.Kind == ast.NullValue:
		return ""
	case def.Name == "Int" && v.Kind == ast.IntValue:
		return intLiteralError(v.Raw)
	case v.Kind == ast.ObjectValue && len(v.Children) == 0:
		return "a " + def.Name + " is not an object"
	case def.Kind == ast.Enum || def.OneOf("Int", "Float", "String", "Boolean", "ID"):
		return ""
	case v.Kind == ast.ListValue && v.ExpectedType.Elem != nil:
		return ""
	}
	return c.scalarLiteralError(def, v)
}

// intLiteralError reports numbers of 33 to 64 bits. The library reports longer ones.
func intLiteralError(digits string) string {
	_, err64 := strconv.ParseInt(digits, 10, 64)
	if _, err32 := strconv.ParseInt(digits, 10, 32); err32 != nil && err64 == nil {
		return "Int cannot represent non 32-bit signed integer value: " + digits
	}
	return ""
}

func (c coercer) scalarLiteralError(def *ast.Definition, v *ast.Value) string {
	if v.Kind == ast.EnumValue {
		return "a " + def.Name + " is not a name"
	}
	value, err := v.Value(nil)
	if err != nil {
		return "a " + def.Name + " cannot be " + clip.Text(v.String(), 40)
	}
	if _, bad := c.scalar(def, value); bad != nil {
		return bad.reason
	}
	return ""
}

// clearVariableDefinitions removes the definitions of variables from the values of
// a validated document that has several operations. The library would look there
// for the default of an absent variable, and find that of the last operation,
// whichever is executed. The coercer has set the right defaults already.
func (v *validator) clearVariableDefinitions(doc *ast.QueryDocument) {
	observers := &core.Events{}
	observers.OnValue(func(_ *core.Walker, value *ast.Value) { value.VariableDefinition = nil })
	core.Walk(v.schema, doc, observers)
}
