package guard

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// overlapRule is the rule that fields of one name in the answer must be one
// field: see "Field Selection Merging" in the GraphQL specification, which
// compares all of them in pairs. Here the fields that fall together are put
// together, fragments and all, and each is compared with the first of its kind.
// That takes time in proportion to the operation with its fragments put in,
// which survey bounds.
func overlapRule() core.Rule {
	return core.Rule{Name: "OverlappingFieldsCanBeMerged", RuleFunc: func(observers *core.Events, report core.AddErrFunc) {
		observers.OnOperation(func(w *core.Walker, op *ast.OperationDefinition) {
			o := overlap{schema: w.Schema, report: report}
			o.shapes([]ast.SelectionSet{op.SelectionSet})
			o.fields([]ast.SelectionSet{op.SelectionSet})
		})
	}}
}

type overlap struct {
	schema *ast.Schema
	report core.AddErrFunc
}

// together is the fields that have one name in the answer.
type together []*ast.Field

// gather puts the fields of selection sets together, in the order of their
// first appearance.
func gather(sets []ast.SelectionSet) []together {
	var groups []together
	index := map[string]int{}
	seen := map[string]bool{}
	var visit func(ast.SelectionSet)
	visit = func(set ast.SelectionSet) {
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.Field:
				at, ok := index[sel.Alias]
				if !ok {
					at = len(groups)
					index[sel.Alias] = at
					groups = append(groups, nil)
				}
				groups[at] = append(groups[at], sel)
			case *ast.InlineFragment:
				visit(sel.SelectionSet)
			case *ast.FragmentSpread:
				if sel.Definition != nil && !seen[sel.Name] {
					seen[sel.Name] = true
					visit(sel.Definition.SelectionSet)
				}
			}
		}
	}
	for _, set := range sets {
		visit(set)
	}
	return groups
}

func (t together) inside() []ast.SelectionSet {
	sets := make([]ast.SelectionSet, 0, len(t))
	for _, f := range t {
		if len(f.SelectionSet) > 0 {
			sets = append(sets, f.SelectionSet)
		}
	}
	return sets
}

// shapes checks that what has one name in the answer looks alike there, also
// where the fields can never be in one object.
func (o *overlap) shapes(sets []ast.SelectionSet) {
	for _, group := range gather(sets) {
		var first *ast.Field
		for _, f := range group {
			switch {
			case f.Definition == nil: // the rule on known fields complains
			case first == nil:
				first = f
			case !o.alike(first.Definition.Type, f.Definition.Type):
				o.conflict(f, `they return conflicting types "`+first.Definition.Type.String()+`" and "`+f.Definition.Type.String()+`"`)
			}
		}
		o.shapes(group.inside())
	}
}

// alike compares lists and nulls, and the types of what has no fields; fields
// are compared by themselves.
func (o *overlap) alike(a, b *ast.Type) bool {
	if a.NonNull != b.NonNull || (a.Elem == nil) != (b.Elem == nil) {
		return false
	}
	if a.Elem != nil {
		return o.alike(a.Elem, b.Elem)
	}
	leaf := func(t *ast.Type) bool { d := o.schema.Types[t.NamedType]; return d != nil && d.IsLeafType() }
	return a.NamedType == b.NamedType || !leaf(a) && !leaf(b)
}

// fields checks that what has one name and can be in one object is one field
// with the same arguments.
func (o *overlap) fields(sets []ast.SelectionSet) {
	for _, group := range gather(sets) {
		for _, same := range perObject(group) {
			for _, f := range same[1:] {
				if f.Name != same[0].Name {
					o.conflict(f, `"`+same[0].Name+`" and "`+f.Name+`" are different fields`)
				} else if !sameArguments(same[0].Arguments, f.Arguments) {
					o.conflict(f, "they have differing arguments")
				}
			}
			o.fields(same.inside())
		}
	}
}

// perObject splits fields by the object types that they are selected on; those
// on an interface or union go with each of them.
func perObject(group together) []together {
	var anywhere together
	var types []*ast.Definition
	on := map[*ast.Definition]together{}
	for _, f := range group {
		switch t := f.ObjectDefinition; {
		case t == nil: // the rule on known types complains
		case t.Kind != ast.Object:
			anywhere = append(anywhere, f)
		default:
			if on[t] == nil {
				types = append(types, t)
			}
			on[t] = append(on[t], f)
		}
	}
	if len(types) == 0 && len(anywhere) > 0 {
		return []together{anywhere}
	}
	split := make([]together, len(types))
	for i, t := range types {
		split[i] = append(on[t], anywhere...)
	}
	return split
}

func (o *overlap) conflict(f *ast.Field, why string) {
	o.report(
		core.Message(`Fields "%s" conflict because %s. Use different aliases on the fields to fetch both if this was intentional.`, f.Alias, why),
		core.At(f.Position),
	)
}

func sameArguments(a, b ast.ArgumentList) bool {
	if len(a) != len(b) {
		return false
	}
	for _, one := range a {
		other := b.ForName(one.Name)
		if other == nil || !sameValue(one.Value, other.Value) {
			return false
		}
	}
	return true
}

// sameValue compares values as they are written, but for the order of an
// object's fields.
func sameValue(a, b *ast.Value) bool {
	if a.Kind != b.Kind || a.Raw != b.Raw || len(a.Children) != len(b.Children) {
		return false
	}
	inA, inB := a.Children, b.Children
	if a.Kind == ast.ObjectValue {
		inA, inB = byName(inA), byName(inB)
	}
	for i := range inA {
		if inA[i].Name != inB[i].Name || !sameValue(inA[i].Value, inB[i].Value) {
			return false
		}
	}
	return true
}

func byName(list ast.ChildValueList) ast.ChildValueList {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *ast.ChildValue) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}
