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

// inputCoercion is the extension that coerces the variables of each request and
// checks the arguments that they are used in, so that no part of a request with
// wrong input is executed. It relies on documentFinder.
type inputCoercion struct{ coercer }

var _ graphql.OperationParameterMutator = inputCoercion{}

// ExtensionName implements graphql.HandlerExtension.
func (inputCoercion) ExtensionName() string { return "Input" }

// Validate implements graphql.HandlerExtension.
func (inputCoercion) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements graphql.OperationParameterMutator. It
// replaces the variables with the coerced ones.
func (s inputCoercion) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	found, ok := graphql.GetOperationContext(ctx).Stats.GetExtension(documentKey).(*document)
	if !ok {
		return refusef(domain.Internal, "no document was found")
	}
	op := found.parsed.Operations.ForName(p.OperationName)
	variables, at, bad := s.variables(op, p.Variables)
	if bad != nil {
		return invalidVariable(at.Variable+bad.path, bad.reason, at.Position)
	}
	p.Variables = variables
	if err := checkNulls(found.parsed, op, variables); err != nil {
		return err
	}
	return checkSubscriptionField(found.parsed, op, variables)
}

// checkSubscriptionField returns an error if directives leave out the field of a
// subscription, which may depend on variables.
func checkSubscriptionField(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	if op.Operation != ast.Subscription {
		return nil
	}
	oc := &graphql.OperationContext{Doc: doc, Variables: variables}
	if len(graphql.CollectFields(oc, op.SelectionSet, []string{"Subscription"})) == 1 {
		return nil
	}
	return refusef(domain.Invalid, "the subscription must have exactly one field that @skip or @include does not leave out")
}

// invalidVariable returns the error about a variable, or a path within one.
func invalidVariable(path, reason string, at *ast.Position) *gqlerror.Error {
	return located(refusef(domain.Invalid, "variable $%s: %s", path, reason), at)
}

// checkNulls returns an error if a variable is null where null is not allowed. The
// validator accepts a nullable variable there if it or the argument has a default,
// but a request can still set it to null.
func checkNulls(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	if !mayBeNull(op, variables) {
		return nil
	}
	u := nullChecker{fragments: doc.Fragments, variables: variables, visited: map[visit]bool{}}
	u.selections(op.SelectionSet, false)
	return u.err
}

// mayBeNull reports whether any variable of an operation is null or absent.
func mayBeNull(op *ast.OperationDefinition, variables map[string]any) bool {
	for _, v := range op.VariableDefinitions {
		if variables[v.Variable] == nil {
			return true
		}
	}
	return false
}

// nullChecker walks an operation and its fragments, and keeps the first error.
type nullChecker struct {
	fragments ast.FragmentDefinitionList
	variables map[string]any
	visited   map[visit]bool
	err       *gqlerror.Error
}

// visit is a fragment, spread in a selection that is skipped or not.
type visit struct {
	name    string
	skipped bool
}

// selections checks all directives, and the arguments of all fields that are not
// skipped.
func (u *nullChecker) selections(set ast.SelectionSet, skipped bool) {
	for _, sel := range set {
		if u.err != nil {
			return
		}
		switch sel := sel.(type) {
		case *ast.Field:
			skipped := u.directives(sel.Directives) || skipped
			if !skipped && sel.Definition != nil {
				u.arguments(sel.Definition.Arguments, sel.Arguments)
			}
			u.selections(sel.SelectionSet, skipped)
		case *ast.InlineFragment:
			u.selections(sel.SelectionSet, u.directives(sel.Directives) || skipped)
		case *ast.FragmentSpread:
			u.fragment(sel.Name, u.directives(sel.Directives) || skipped)
		}
	}
}

func (u *nullChecker) fragment(name string, skipped bool) {
	if here := (visit{name, skipped}); !u.visited[here] {
		u.visited[here] = true
		if f := u.fragments.ForName(name); f != nil {
			u.selections(f.SelectionSet, skipped)
		}
	}
}

// directives checks the directives of a selection, and reports whether they skip
// it.
func (u *nullChecker) directives(list ast.DirectiveList) (skipped bool) {
	for _, d := range list {
		if d.Definition == nil {
			continue
		}
		u.arguments(d.Definition.Arguments, d.Arguments)
		if d.Name != "skip" && d.Name != "include" || u.err != nil {
			continue
		}
		condition, _ := d.ArgumentMap(u.variables)["if"].(bool)
		skipped = skipped || condition == (d.Name == "skip")
	}
	return skipped
}

func (u *nullChecker) arguments(defs ast.ArgumentDefinitionList, args ast.ArgumentList) {
	for _, arg := range args {
		if def := defs.ForName(arg.Name); def != nil {
			u.value(arg.Value, def.Type, def.DefaultValue != nil)
		}
	}
}

// value checks a value where a type is expected. hasDefault is whether there is a
// default in case the value is an absent variable.
func (u *nullChecker) value(v *ast.Value, t *ast.Type, hasDefault bool) {
	switch v.Kind {
	case ast.Variable:
		value, given := u.variables[v.Raw]
		if value == nil && t.NonNull && (given || !hasDefault) {
			u.fail(v, t, given)
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

func (u *nullChecker) fail(v *ast.Value, t *ast.Type, given bool) {
	if u.err != nil {
		return
	}
	state := "absent"
	if given {
		state = "null"
	}
	reason := fmt.Sprintf("it is %s, but is used where a %s is required", state, strings.TrimSuffix(t.String(), "!"))
	u.err = invalidVariable(v.Raw, reason, v.Position)
}
