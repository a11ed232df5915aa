package guard

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/clip"
)

// maxName is how many bytes a name in a document may have. An answer repeats
// aliases in every row, so a long one would make a small request's answer huge.
const maxName = 128

// maxWalks is how often a validator may pass each part of a document that is as
// large as is allowed. It passes a fragment again for every operation and every
// fragment that leads there.
const maxWalks = 4

// size is what a selection holds with its fragments put in.
type size struct{ depth, fields, aliases, directives int }

// survey counts a document that was parsed and not yet validated, so that what
// is too large costs no validation. Each fragment is counted once, and the
// counts end just above their limits: a few fragments that spread each other
// twice make more fields than can be counted.
type survey struct {
	limits    Limits
	fragments map[string]*ast.FragmentDefinition
	counted   map[string]size
	counting  map[string]bool // fragments that lead to where the count is
	parts     map[string]parts
	written   int // directives, each where it is written
	fields    int // of all operations, with their fragments put in
	refused   *gqlerror.Error
}

// parts is what a fragment or operation holds itself.
type parts struct {
	nodes   int
	spreads []string
}

// take refuses a document that is too large, or whose fragments contain
// themselves.
func take(doc *ast.QueryDocument, limits Limits) *gqlerror.Error {
	s := &survey{
		limits: limits, fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)),
		counted: map[string]size{}, counting: map[string]bool{}, parts: map[string]parts{},
	}
	var roots []parts
	for _, f := range doc.Fragments {
		if s.fragments[f.Name] == nil {
			s.fragments[f.Name] = f
		}
		p := s.inspect(f.Name, f.TypeCondition, f.VariableDefinition, f.Directives, f.SelectionSet)
		s.parts[f.Name] = p
		roots = append(roots, p)
	}
	for _, op := range doc.Operations {
		roots = append(roots, s.inspect(op.Name, "", op.VariableDefinitions, op.Directives, op.SelectionSet))
	}
	if s.written > limits.Directives {
		s.refuse("directives", limits.Directives, "the document has more than %d directives")
	}
	for _, op := range doc.Operations {
		s.checkOperation(op)
	}
	for _, f := range doc.Fragments {
		s.fragment(f.Name, f.Position)
	}
	s.checkWalk(roots)
	return s.refused
}

func (s *survey) checkOperation(op *ast.OperationDefinition) {
	got := s.selections(op.SelectionSet)
	got.directives += len(op.Directives)
	l := s.limits
	s.fields += got.fields
	switch {
	case got.fields > l.Fields:
		s.refuse("fields", l.Fields, "the operation has more than %d fields with its fragments put in")
	case got.depth > l.Depth:
		s.refuse("depth", l.Depth, "the operation has fields more than %d deep")
	case got.aliases > l.Aliases:
		s.refuse("aliases", l.Aliases, "the operation has more than %d aliases with its fragments put in")
	case got.directives > l.Directives:
		s.refuse("directives", l.Directives, "the operation has more than %d directives with its fragments put in")
	case s.fields > maxWalks*l.Fields:
		s.refuse("fields", maxWalks*l.Fields, "the operations have more than %d fields together, with their fragments put in")
	case op.Operation == ast.Mutation && s.roots(op.SelectionSet) > l.Mutations:
		s.refuse("mutations", l.Mutations, "the operation has more than %d mutations with its fragments put in")
	}
}

// refuse keeps the first refusal.
func (s *survey) refuse(limit string, most int, message string) {
	if s.refused == nil {
		s.refused = tooMuch(limit, most, message)
	}
}

// selections counts what a set of selections holds.
func (s *survey) selections(set ast.SelectionSet) size {
	var total size
	for _, sel := range set {
		var part size
		switch sel := sel.(type) {
		case *ast.Field:
			part = s.field(sel)
		case *ast.InlineFragment:
			part = s.selections(sel.SelectionSet)
			part.directives += len(sel.Directives)
		case *ast.FragmentSpread:
			part = s.fragment(sel.Name, sel.Position)
			part.directives += len(sel.Directives)
		}
		total.add(part, s.limits)
	}
	return total
}

// add adds what stands beside it. No count goes further than one above its
// limit.
func (z *size) add(part size, l Limits) {
	z.depth = max(z.depth, part.depth)
	z.fields = min(z.fields+part.fields, l.Fields+1)
	z.aliases = min(z.aliases+part.aliases, l.Aliases+1)
	z.directives = min(z.directives+part.directives, l.Directives+1)
}

func (s *survey) field(f *ast.Field) size {
	got := s.selections(f.SelectionSet)
	got.depth++
	if strings.HasPrefix(f.Name, "__") {
		got.depth = 1 // introspection is deep by nature; its cost is bounded
	}
	got.fields++
	got.directives += len(f.Directives)
	if f.Alias != f.Name {
		got.aliases++
	}
	return got
}

// fragment counts a fragment once. One that is unknown is left to validation.
func (s *survey) fragment(name string, at *ast.Position) size {
	if got, ok := s.counted[name]; ok {
		return got
	}
	f := s.fragments[name]
	if f == nil {
		return size{}
	}
	if s.counting[name] {
		if s.refused == nil {
			s.refused = located(invalid(fmt.Sprintf("Cannot spread fragment %q within itself.", clip.Text(name, maxName))), at)
		}
		return size{}
	}
	s.counting[name] = true
	got := s.selections(f.SelectionSet)
	got.directives += len(f.Directives)
	delete(s.counting, name)
	s.counted[name] = got
	return got
}

// roots counts the fields right inside of an operation.
func (s *survey) roots(set ast.SelectionSet) int {
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
					counted[sel.Name] = 0 // for one that contains itself
					if f := s.fragments[sel.Name]; f != nil {
						counted[sel.Name] = count(f.SelectionSet)
					}
				}
				n += counted[sel.Name]
			}
			n = min(n, s.limits.Mutations+1)
		}
		return n
	}
	return count(set)
}

// checkWalk refuses a document that a validator would walk through too often.
func (s *survey) checkWalk(roots []parts) {
	most := maxWalks * s.limits.Tokens
	walked := 0
	for _, root := range roots {
		seen := map[string]bool{}
		for next := []parts{root}; len(next) > 0 && walked <= most; {
			p := next[len(next)-1]
			next = next[:len(next)-1]
			walked += p.nodes
			for _, name := range p.spreads {
				if !seen[name] {
					seen[name] = true
					next = append(next, s.parts[name])
				}
			}
		}
	}
	if walked > most {
		s.refuse("fragments", most, "the document's fragments lead to each other in so many ways that validation would pass more than %d words")
	}
}
