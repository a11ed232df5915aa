package guard

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"

	"chirp/graph/clip"
)

// inspect looks at an operation or a fragment as it is written: it counts its
// directives and what a validator will pass, and refuses names that are too
// long.
func (s *survey) inspect(name, condition string, variables ast.VariableDefinitionList, directives ast.DirectiveList, set ast.SelectionSet) parts {
	i := inspector{survey: s}
	i.names(name, condition)
	for _, v := range variables {
		i.names(v.Variable, v.Type.Name())
		i.value(v.DefaultValue)
		i.directives(v.Directives)
	}
	i.directives(directives)
	i.selections(set)
	return i.parts
}

type inspector struct {
	*survey
	parts
}

func (i *inspector) names(names ...string) {
	i.nodes++
	for _, name := range names {
		if len(name) > maxName && i.refused == nil {
			i.refused = invalid(fmt.Sprintf("the name %s is too long, names may have %d bytes", clip.Text(name, 40), maxName))
		}
	}
}

func (i *inspector) selections(set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			i.names(sel.Alias, sel.Name)
			i.arguments(sel.Arguments)
			i.directives(sel.Directives)
			i.selections(sel.SelectionSet)
		case *ast.InlineFragment:
			i.names(sel.TypeCondition)
			i.directives(sel.Directives)
			i.selections(sel.SelectionSet)
		case *ast.FragmentSpread:
			i.names(sel.Name)
			i.directives(sel.Directives)
			i.spreads = append(i.spreads, sel.Name)
		}
	}
}

func (i *inspector) directives(list ast.DirectiveList) {
	i.written += len(list)
	for _, d := range list {
		i.names(d.Name)
		i.arguments(d.Arguments)
	}
}

func (i *inspector) arguments(list ast.ArgumentList) {
	for _, a := range list {
		i.names(a.Name)
		i.value(a.Value)
	}
}

// value inspects a value. Its text may be long, but not what names something.
func (i *inspector) value(v *ast.Value) {
	if v == nil {
		return
	}
	i.nodes++
	if v.Kind == ast.Variable || v.Kind == ast.EnumValue {
		i.names(v.Raw)
	}
	for _, child := range v.Children {
		i.names(child.Name)
		i.value(child.Value)
	}
}
