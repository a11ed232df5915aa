package guard

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// overlapRule is the rule that fields with the same response name can be merged:
// see "Field Selection Merging" in the GraphQL specification. The algorithm of the
// specification compares all pairs of fields. This one groups the fields by response
// name, with fragments expanded, and compares each with the first of its group. Its
// time is proportional to the expanded size of the operation, which checkComplexity
// bounds.
func overlapRule() core.Rule {
	return core.Rule{Name: "OverlappingFieldsCanBeMerged", RuleFunc: func(observers *core.Events, report core.AddErrFunc) {
		observers.OnOperation(func(w *core.Walker, op *ast.OperationDefinition) {
			o := overlapChecker{schema: w.Schema, report: report}
			o.shapes([]ast.SelectionSet{op.SelectionSet})
			o.fields([]ast.SelectionSet{op.SelectionSet})
		})
	}}
}

// overlapChecker reports the fields of one operation that cannot be merged.
type overlapChecker struct {
	schema *ast.Schema
	report core.AddErrFunc
}

// fieldGroup is fields that have the same response name.
type fieldGroup []*ast.Field

// groupFields groups the fields of selection sets by their response name, in order
// of first appearance.
func groupFields(sets []ast.SelectionSet) []fieldGroup {
	var groups []fieldGroup
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

// selectionSets returns the selection sets of the fields.
func (g fieldGroup) selectionSets() []ast.SelectionSet {
	sets := make([]ast.SelectionSet, 0, len(g))
	for _, f := range g {
		if len(f.SelectionSet) > 0 {
			sets = append(sets, f.SelectionSet)
		}
	}
	return sets
}

// shapes checks that fields with the same response name have values of the same
// shape, even if they can never be in the same object.
func (o *overlapChecker) shapes(sets []ast.SelectionSet) {
	for _, group := range groupFields(sets) {
		var first *ast.Field
		for _, f := range group {
			switch {
			case f.Definition == nil: // the rule on known fields reports it
			case first == nil:
				first = f
			case !o.sameShape(first.Definition.Type, f.Definition.Type):
				o.conflict(f, `they return conflicting types "`+first.Definition.Type.String()+`" and "`+f.Definition.Type.String()+`"`)
			}
		}
		o.shapes(group.selectionSets())
	}
}

// sameShape reports whether two types are equal in lists, in nullability, and in
// scalars and enums. Selections of objects are compared on their own.
func (o *overlapChecker) sameShape(a, b *ast.Type) bool {
	if a.NonNull != b.NonNull || (a.Elem == nil) != (b.Elem == nil) {
		return false
	}
	if a.Elem != nil {
		return o.sameShape(a.Elem, b.Elem)
	}
	leaf := func(t *ast.Type) bool { d := o.schema.Types[t.NamedType]; return d != nil && d.IsLeafType() }
	return a.NamedType == b.NamedType || !leaf(a) && !leaf(b)
}

// fields checks that fields with the same response name that can be in the same
// object are the same field with the same arguments.
func (o *overlapChecker) fields(sets []ast.SelectionSet) {
	for _, group := range groupFields(sets) {
		for _, same := range splitByObject(group) {
			for _, f := range same[1:] {
				if f.Name != same[0].Name {
					o.conflict(f, `"`+same[0].Name+`" and "`+f.Name+`" are different fields`)
				} else if !sameArguments(same[0].Arguments, f.Arguments) {
					o.conflict(f, "they have differing arguments")
				}
			}
			o.fields(same.selectionSets())
		}
	}
}

// splitByObject splits fields by the object type that they are selected on. Fields
// selected on an interface or a union are in each part.
func splitByObject(group fieldGroup) []fieldGroup {
	var anywhere fieldGroup
	var types []*ast.Definition
	on := map[*ast.Definition]fieldGroup{}
	for _, f := range group {
		switch t := f.ObjectDefinition; {
		case t == nil: // the rule on known types reports it
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
		return []fieldGroup{anywhere}
	}
	split := make([]fieldGroup, len(types))
	for i, t := range types {
		split[i] = append(on[t], anywhere...)
	}
	return split
}

func (o *overlapChecker) conflict(f *ast.Field, reason string) {
	o.report(
		core.Message(`Fields "%s" conflict because %s. Use different aliases on the fields to fetch both if this was intentional.`, f.Alias, reason),
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

// sameValue reports whether two values are written the same, except for the order
// of an object's fields.
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
