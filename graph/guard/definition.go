package guard

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"

	"chirp/graph/clip"
)

// countDefinition counts the nodes, spreads and directives of an operation or a
// fragment, and checks the length of its names.
func (s *complexity) countDefinition(name, condition string, variables ast.VariableDefinitionList, directives ast.DirectiveList, set ast.SelectionSet) definition {
	c := definitionCounter{complexity: s}
	c.names(name, condition)
	for _, v := range variables {
		c.names(v.Variable, v.Type.Name())
		c.value(v.DefaultValue)
		c.directives(v.Directives)
	}
	c.directives(directives)
	c.selections(set)
	return c.definition
}

// definitionCounter counts one definition.
type definitionCounter struct {
	*complexity
	definition
}

func (c *definitionCounter) names(names ...string) {
	c.nodes++
	for _, name := range names {
		if len(name) > maxName && c.err == nil {
			c.err = validationFailed(fmt.Sprintf("the name %s is too long: names may have %d bytes", clip.Text(name, 40), maxName))
		}
	}
}

func (c *definitionCounter) selections(set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			c.names(sel.Alias, sel.Name)
			c.arguments(sel.Arguments)
			c.directives(sel.Directives)
			c.selections(sel.SelectionSet)
		case *ast.InlineFragment:
			c.names(sel.TypeCondition)
			c.directives(sel.Directives)
			c.selections(sel.SelectionSet)
		case *ast.FragmentSpread:
			c.names(sel.Name)
			c.directives(sel.Directives)
			c.spreads = append(c.spreads, sel.Name)
		}
	}
}

func (c *definitionCounter) directives(list ast.DirectiveList) {
	c.directiveCount += len(list)
	for _, d := range list {
		c.names(d.Name)
		c.arguments(d.Arguments)
	}
}

func (c *definitionCounter) arguments(list ast.ArgumentList) {
	for _, a := range list {
		c.names(a.Name)
		c.value(a.Value)
	}
}

// value counts a value. Its text may be long, but not a name in it.
func (c *definitionCounter) value(v *ast.Value) {
	if v == nil {
		return
	}
	c.nodes++
	if v.Kind == ast.Variable || v.Kind == ast.EnumValue {
		c.names(v.Raw)
	}
	for _, child := range v.Children {
		c.names(child.Name)
		c.value(child.Value)
	}
}
