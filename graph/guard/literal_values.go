package guard

import (
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"

	"chirp/graph/clip"
)

// literalRule judges the literals that the library's rule on values lets pass:
// an Int of more than 32 bits, an empty object for a scalar or an enum, and
// whatever stands for one of our own scalars.
func literalRule(c coercer) core.Rule {
	return core.Rule{Name: "Literals", RuleFunc: func(observers *core.Events, addError core.AddErrFunc) {
		observers.OnValue(func(_ *core.Walker, v *ast.Value) {
			if why := c.badLiteral(v); why != "" {
				addError(core.Message("%s", why), core.At(v.Position))
			}
		})
	}}
}

// badLiteral says what is wrong with a literal, empty if nothing is or the
// library's rule says it. Members of lists and objects are judged on their own.
func (c coercer) badLiteral(v *ast.Value) string {
	def := v.Definition
	if def == nil || v.ExpectedType == nil || def.Kind != ast.Scalar && def.Kind != ast.Enum {
		return ""
	}
	switch {
	case v.Kind == ast.Variable || v.Kind == ast.NullValue:
		return ""
	case def.Name == "Int" && v.Kind == ast.IntValue:
		return badIntLiteral(v.Raw)
	case v.Kind == ast.ObjectValue && len(v.Children) == 0:
		return "a " + def.Name + " is not an object"
	case def.Kind == ast.Enum || def.OneOf("Int", "Float", "String", "Boolean", "ID"):
		return ""
	case v.Kind == ast.ListValue && v.ExpectedType.Elem != nil:
		return ""
	}
	return c.badScalarLiteral(def, v)
}

// badIntLiteral judges the numbers of 33 to 64 bits.
func badIntLiteral(digits string) string {
	_, err64 := strconv.ParseInt(digits, 10, 64)
	if _, err32 := strconv.ParseInt(digits, 10, 32); err32 != nil && err64 == nil {
		return "Int cannot represent non 32-bit signed integer value: " + digits
	}
	return ""
}

func (c coercer) badScalarLiteral(def *ast.Definition, v *ast.Value) string {
	if v.Kind == ast.EnumValue {
		return "a " + def.Name + " is not a name"
	}
	value, err := v.Value(nil)
	if err != nil {
		return "a " + def.Name + " cannot be " + clip.Text(v.String(), 40)
	}
	if _, bad := c.scalar(def, value); bad != nil {
		return bad.why
	}
	return ""
}

// forgetDefaults takes the variables' definitions out of a document that was
// validated. The library looks there for the default of a variable that is
// absent, and finds that of the last operation, whichever is executed; the
// variables have had their own defaults put in by then.
func (v *validator) forgetDefaults(doc *ast.QueryDocument) {
	observers := &core.Events{}
	observers.OnValue(func(_ *core.Walker, value *ast.Value) { value.VariableDefinition = nil })
	core.Walk(v.schema, doc, observers)
}
