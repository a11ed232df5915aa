package guard

import (
	"context"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/internal/domain"
)

// inputStep coerces the variables of each request and checks what they put
// into its arguments, so that nothing is executed of a request whose input is
// wrong. It stands behind the step that finds the document.
type inputStep struct{ coercer }

var _ graphql.OperationParameterMutator = inputStep{}

// ExtensionName implements graphql.HandlerExtension.
func (inputStep) ExtensionName() string { return "Input" }

// Validate implements graphql.HandlerExtension.
func (inputStep) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements graphql.OperationParameterMutator. It
// replaces the variables by the coerced ones.
func (s inputStep) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	found, ok := graphql.GetOperationContext(ctx).Stats.GetExtension(foundKey).(*document)
	if !ok {
		return refusef(domain.Internal, "no document was found")
	}
	op := found.parsed.Operations.ForName(p.OperationName)
	variables, at, bad := s.variables(op, p.Variables)
	if bad != nil {
		return badVariable(at.Variable+bad.place, bad.why, at.Position)
	}
	p.Variables = variables
	if err := checkUses(found.parsed, op, variables); err != nil {
		return err
	}
	return checkStream(found.parsed, op, variables)
}

// checkStream refuses a subscription whose one field is left out by directives,
// which only the variables may tell.
func checkStream(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	if op.Operation != ast.Subscription {
		return nil
	}
	oc := &graphql.OperationContext{Doc: doc, Variables: variables}
	if len(graphql.CollectFields(oc, op.SelectionSet, []string{"Subscription"})) == 1 {
		return nil
	}
	return refusef(domain.Invalid, "the subscription must have exactly one field that is not left out by @skip or @include")
}

// badVariable refuses a variable, or a place within it.
func badVariable(place, why string, at *ast.Position) *gqlerror.Error {
	return located(refusef(domain.Invalid, "variable $%s: %s", place, why), at)
}

// checkUses refuses a null that variables put where none may be. The validator
// lets a nullable variable stand there if a default is at hand, which an
// explicit null passes over.
func checkUses(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	if !mayBeNull(op, variables) {
		return nil
	}
	u := uses{fragments: doc.Fragments, variables: variables, seen: map[spread]bool{}}
	u.selections(op.SelectionSet, false)
	return u.refused
}

// mayBeNull reports whether a variable of an operation is null or absent.
func mayBeNull(op *ast.OperationDefinition, variables map[string]any) bool {
	for _, v := range op.VariableDefinitions {
		if variables[v.Variable] == nil {
			return true
		}
	}
	return false
}

// uses walks through an operation with its fragments, and keeps the first
// refusal.
type uses struct {
	fragments ast.FragmentDefinitionList
	variables map[string]any
	seen      map[spread]bool
	refused   *gqlerror.Error
}

// spread is a fragment, under something that is left out or not.
type spread struct {
	name string
	out  bool
}

// selections checks all directives, and the arguments of all fields but those
// that directives leave out, which are not executed.
func (u *uses) selections(set ast.SelectionSet, out bool) {
	for _, sel := range set {
		if u.refused != nil {
			return
		}
		switch sel := sel.(type) {
		case *ast.Field:
			out := u.directives(sel.Directives) || out
			if !out && sel.Definition != nil {
				u.arguments(sel.Definition.Arguments, sel.Arguments)
			}
			u.selections(sel.SelectionSet, out)
		case *ast.InlineFragment:
			u.selections(sel.SelectionSet, u.directives(sel.Directives) || out)
		case *ast.FragmentSpread:
			u.fragment(sel.Name, u.directives(sel.Directives) || out)
		}
	}
}

func (u *uses) fragment(name string, out bool) {
	if here := (spread{name, out}); !u.seen[here] {
		u.seen[here] = true
		if f := u.fragments.ForName(name); f != nil {
			u.selections(f.SelectionSet, out)
		}
	}
}

// directives checks the directives at a place, and reports whether they leave
// out what they stand at.
func (u *uses) directives(list ast.DirectiveList) (out bool) {
	for _, d := range list {
		if d.Definition == nil {
			continue
		}
		u.arguments(d.Definition.Arguments, d.Arguments)
		if d.Name != "skip" && d.Name != "include" || u.refused != nil {
			continue
		}
		condition, _ := d.ArgumentMap(u.variables)["if"].(bool)
		out = out || condition == (d.Name == "skip")
	}
	return out
}

func (u *uses) arguments(defs ast.ArgumentDefinitionList, args ast.ArgumentList) {
	for _, arg := range args {
		if def := defs.ForName(arg.Name); def != nil {
			u.value(arg.Value, def.Type, def.DefaultValue != nil)
		}
	}
}

// value checks a value for a place of a type, which may have a default for a
// variable that is absent.
func (u *uses) value(v *ast.Value, t *ast.Type, hasDefault bool) {
	switch v.Kind {
	case ast.Variable:
		value, given := u.variables[v.Raw]
		if value == nil && t.NonNull && (given || !hasDefault) {
			u.refuse(v, t, given)
		}
	case ast.ListValue:
		for _, item := range v.Children {
			if t.Elem != nil {
				u.value(item.Value, t.Elem, false)
			}
		}
	case ast.ObjectValue:
		for _, member := range v.Children {
			if f := fieldOf(v.Definition, member.Name); f != nil {
				u.value(member.Value, f.Type, f.DefaultValue != nil)
			}
		}
	}
}

func fieldOf(def *ast.Definition, name string) *ast.FieldDefinition {
	if def == nil {
		return nil
	}
	return def.Fields.ForName(name)
}

func (u *uses) refuse(v *ast.Value, t *ast.Type, given bool) {
	if u.refused != nil {
		return
	}
	state := "absent"
	if given {
		state = "null"
	}
	why := fmt.Sprintf("it is %s, and stands where a %s must be", state, strings.TrimSuffix(t.String(), "!"))
	u.refused = badVariable(v.Raw, why, v.Position)
}
