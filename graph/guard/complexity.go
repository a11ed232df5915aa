package guard

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/clip"
)

// maxName is how many bytes a name in a document may have. A response repeats
// aliases in every row, so a long one would make a small request's response huge.
const maxName = 128

// maxVisits is how often validation may visit each node of a document of the
// largest size. It visits a fragment again for every operation and every fragment
// that spreads it.
const maxVisits = 4

// counts is what a selection has with its fragments expanded.
type counts struct{ depth, fields, aliases, directives int }

// complexity measures a parsed document before it is validated, so that no time is
// spent on validating one that is too large. It counts each fragment once. Counts
// stop just above their limits, because a few fragments that spread each other
// twice expand to more fields than an int can hold.
type complexity struct {
	limits         Limits
	fragments      map[string]*ast.FragmentDefinition
	totals         map[string]counts
	counting       map[string]bool // the fragments being counted, to detect cycles
	definitions    map[string]definition
	directiveCount int // without expanding fragments
	fields         int // of all operations, with their fragments expanded
	err            *gqlerror.Error
}

// definition is what a fragment or an operation has without expanding fragments.
type definition struct {
	nodes   int
	spreads []string
}

// checkComplexity returns an error for a document that is too large, or that has a
// fragment that spreads itself.
func checkComplexity(doc *ast.QueryDocument, limits Limits) *gqlerror.Error {
	c := &complexity{
		limits: limits, fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)),
		totals: map[string]counts{}, counting: map[string]bool{}, definitions: map[string]definition{},
	}
	var roots []definition
	for _, f := range doc.Fragments {
		if c.fragments[f.Name] == nil {
			c.fragments[f.Name] = f
		}
		p := c.countDefinition(f.Name, f.TypeCondition, f.VariableDefinition, f.Directives, f.SelectionSet)
		c.definitions[f.Name] = p
		roots = append(roots, p)
	}
	for _, op := range doc.Operations {
		roots = append(roots, c.countDefinition(op.Name, "", op.VariableDefinitions, op.Directives, op.SelectionSet))
	}
	if c.directiveCount > limits.Directives {
		c.exceed("directives", limits.Directives, "the document has more than %d directives")
	}
	for _, op := range doc.Operations {
		c.checkOperation(op)
	}
	for _, f := range doc.Fragments {
		c.fragment(f.Name, f.Position)
	}
	c.checkValidationWork(roots)
	return c.err
}

func (c *complexity) checkOperation(op *ast.OperationDefinition) {
	got := c.selections(op.SelectionSet)
	got.directives += len(op.Directives)
	l := c.limits
	c.fields += got.fields
	switch {
	case got.fields > l.Fields:
		c.exceed("fields", l.Fields, "the operation has more than %d fields with its fragments expanded")
	case got.depth > l.Depth:
		c.exceed("depth", l.Depth, "the operation nests fields more than %d levels deep")
	case got.aliases > l.Aliases:
		c.exceed("aliases", l.Aliases, "the operation has more than %d aliases with its fragments expanded")
	case got.directives > l.Directives:
		c.exceed("directives", l.Directives, "the operation has more than %d directives with its fragments expanded")
	case c.fields > maxVisits*l.Fields:
		c.exceed("fields", maxVisits*l.Fields, "the operations have more than %d fields in total, with their fragments expanded")
	case op.Operation == ast.Mutation && c.rootFields(op.SelectionSet) > l.Mutations:
		c.exceed("mutations", l.Mutations, "the operation has more than %d mutations with its fragments expanded")
	}
}

// exceed records that a limit is exceeded. Only the first error is kept.
func (c *complexity) exceed(limit string, most int, message string) {
	if c.err == nil {
		c.err = limitExceeded(limit, most, message)
	}
}

// selections counts a selection set.
func (c *complexity) selections(set ast.SelectionSet) counts {
	var total counts
	for _, sel := range set {
		var part counts
		switch sel := sel.(type) {
		case *ast.Field:
			part = c.field(sel)
		case *ast.InlineFragment:
			part = c.selections(sel.SelectionSet)
			part.directives += len(sel.Directives)
		case *ast.FragmentSpread:
			part = c.fragment(sel.Name, sel.Position)
			part.directives += len(sel.Directives)
		}
		total.add(part, c.limits)
	}
	return total
}

// add adds the counts of a sibling. No count gets larger than its limit plus one.
func (z *counts) add(part counts, l Limits) {
	z.depth = max(z.depth, part.depth)
	z.fields = min(z.fields+part.fields, l.Fields+1)
	z.aliases = min(z.aliases+part.aliases, l.Aliases+1)
	z.directives = min(z.directives+part.directives, l.Directives+1)
}

func (c *complexity) field(f *ast.Field) counts {
	got := c.selections(f.SelectionSet)
	got.depth++
	if strings.HasPrefix(f.Name, "__") {
		got.depth = 1 // introspection nests deeply; costLimit bounds it
	}
	got.fields++
	got.directives += len(f.Directives)
	if f.Alias != f.Name {
		got.aliases++
	}
	return got
}

// fragment counts a fragment, once. Validation reports one that is not defined.
func (c *complexity) fragment(name string, at *ast.Position) counts {
	if got, ok := c.totals[name]; ok {
		return got
	}
	f := c.fragments[name]
	if f == nil {
		return counts{}
	}
	if c.counting[name] {
		if c.err == nil {
			c.err = located(validationFailed(fmt.Sprintf("Cannot spread fragment %q within itself.", clip.Text(name, maxName))), at)
		}
		return counts{}
	}
	c.counting[name] = true
	got := c.selections(f.SelectionSet)
	got.directives += len(f.Directives)
	delete(c.counting, name)
	c.totals[name] = got
	return got
}

// rootFields counts the root fields of an operation.
func (c *complexity) rootFields(set ast.SelectionSet) int {
	counted := map[string]int{}
	var count func(ast.SelectionSet) int
	count = func(set ast.SelectionSet) (n int) {
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.Field:
				n++
			case *ast.InlineFragment:
				n += count(sel.SelectionSet)
			case *ast.FragmentSpread:
				if _, ok := counted[sel.Name]; !ok {
					counted[sel.Name] = 0 // ends the recursion if it spreads itself
					if f := c.fragments[sel.Name]; f != nil {
						counted[sel.Name] = count(f.SelectionSet)
					}
				}
				n += counted[sel.Name]
			}
			n = min(n, c.limits.Mutations+1)
		}
		return n
	}
	return count(set)
}

// checkValidationWork returns an error through exceed if validation would visit
// too many nodes.
func (c *complexity) checkValidationWork(roots []definition) {
	most := maxVisits * c.limits.Tokens
	visits := 0
	for _, root := range roots {
		seen := map[string]bool{}
		for next := []definition{root}; len(next) > 0 && visits <= most; {
			p := next[len(next)-1]
			next = next[:len(next)-1]
			visits += p.nodes
			for _, name := range p.spreads {
				if !seen[name] {
					seen[name] = true
					next = append(next, c.definitions[name])
				}
			}
		}
	}
	if visits > most {
		c.exceed("fragments", most, "the document's fragments spread each other so often that validation would visit more than %d nodes")
	}
}
