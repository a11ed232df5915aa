package guard

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/internal/domain"
)

// Costs of what is dearer than a field.
const (
	listCost     = 10  // a list's own reads
	commandCost  = 50  // an append
	passwordCost = 500 // an argon2id hash
)

// maxIntrospected bounds the values that introspection may give. The query of
// the usual tools, which ask for the whole schema, comes to about 80,000.
const maxIntrospected = 200_000

// costStep refuses operations that ask for too much with their variables, and
// pages that are too long, before anything of them is executed.
type costStep struct {
	limits        Limits
	pageSize      int // of a page for which the request names none
	introspection bool
}

var _ graphql.OperationContextMutator = costStep{}

// ExtensionName implements graphql.HandlerExtension.
func (costStep) ExtensionName() string { return "Cost" }

// Validate implements graphql.HandlerExtension.
func (costStep) Validate(graphql.ExecutableSchema) error { return nil }

// costKey is where gqlgen keeps its own count, which extension.GetComplexityStats
// looks up; this one takes its place.
const costKey = "ComplexityLimit"

// MutateOperationContext implements graphql.OperationContextMutator.
func (s costStep) MutateOperationContext(_ context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	oc.DisableIntrospection = !s.introspection
	p := pricer{limits: s.limits, pageSize: s.pageSize, variables: oc.Variables, fragments: map[string]price{}}
	total := p.selections(oc.Operation.SelectionSet)
	oc.Stats.SetExtension(costKey, &extension.ComplexityStats{Complexity: total.cost, ComplexityLimit: s.limits.Cost})
	switch {
	case p.introspects && !s.introspection:
		return refusef(domain.Forbidden, "introspection is switched off on this server")
	case p.refused != nil:
		return p.refused
	case total.cost > s.limits.Cost:
		return tooMuch("cost", s.limits.Cost, "the operation costs more than %d")
	case total.introspected > maxIntrospected:
		return tooMuch("introspection", maxIntrospected, "the operation asks for more than %d values of the schema")
	}
	return nil
}

// price is what a selection may cost, and how many values of the schema it may
// give. Neither goes much beyond its limit.
type price struct{ cost, introspected int }

// pricer prices the selections of an operation, each fragment once.
type pricer struct {
	limits      Limits
	pageSize    int
	variables   map[string]any
	fragments   map[string]price
	introspects bool
	refused     *gqlerror.Error
}

func (p *pricer) selections(set ast.SelectionSet) price {
	var total price
	for _, sel := range set {
		var part price
		switch sel := sel.(type) {
		case *ast.Field:
			part = p.field(sel)
		case *ast.InlineFragment:
			part = p.selections(sel.SelectionSet)
		case *ast.FragmentSpread:
			part = p.fragment(sel)
		}
		total.cost = min(total.cost+part.cost, p.limits.Cost+1)
		total.introspected = min(total.introspected+part.introspected, maxIntrospected+1)
	}
	return total
}

func (p *pricer) fragment(s *ast.FragmentSpread) price {
	got, ok := p.fragments[s.Name]
	if !ok && s.Definition != nil {
		got = p.selections(s.Definition.SelectionSet)
		p.fragments[s.Name] = got
	}
	return got
}

func (p *pricer) field(f *ast.Field) price {
	inside := p.selections(f.SelectionSet)
	if f.Name != "__typename" && (strings.HasPrefix(f.Name, "__") || strings.HasPrefix(f.ObjectDefinition.Name, "__")) {
		p.introspects = true
		return price{introspected: 1 + schemaRows(f)*inside.introspected}
	}
	inside.cost = min(inside.cost, p.limits.Cost+1)
	return price{cost: ownCost(f) + p.rows(f)*inside.cost, introspected: inside.introspected}
}

// ownCost is what a field costs without what is inside.
func ownCost(f *ast.Field) int {
	switch {
	case f.ObjectDefinition.Name == "Mutation" && (f.Name == "registerUser" || f.Name == "logIn"):
		return passwordCost
	case f.ObjectDefinition.Name == "Mutation":
		return commandCost
	case isPage(f):
		return listCost
	default:
		return 1
	}
}

func isPage(f *ast.Field) bool {
	return f.Definition != nil && f.Definition.Arguments.ForName("first") != nil
}

// rows is how often a field may give what is inside of it. A page has one
// length, which must be within the limit.
func (p *pricer) rows(f *ast.Field) int {
	if !isPage(f) {
		return 1
	}
	rows := 0
	for _, name := range []string{"first", "last"} {
		n, given := p.number(f, name)
		switch {
		case !given:
			continue
		case rows > 0:
			p.refusePage(f, "first and last are both given; leave one of them out")
			return 1
		case n < 1 || n > p.limits.Page:
			p.refusePage(f, fmt.Sprintf("%s is %.40s, it must be 1 to %d", name, fmt.Sprint(p.argument(f, name)), p.limits.Page))
			return 1
		}
		rows = n
	}
	if rows == 0 {
		return min(p.pageSize, p.limits.Page)
	}
	return rows
}

// number returns an argument that is a number, -1 for one that cannot be read:
// coerced Ints and validated literals are plain digits, so none should come.
func (p *pricer) number(f *ast.Field, name string) (n int, given bool) {
	value := p.argument(f, name)
	if value == nil {
		return 0, false
	}
	n, err := strconv.Atoi(fmt.Sprint(value))
	if err != nil {
		return -1, true
	}
	return n, true
}

func (p *pricer) argument(f *ast.Field, name string) any {
	given := f.Arguments.ForName(name)
	switch {
	case given != nil && given.Value.Kind == ast.Variable:
		if value, ok := p.variables[given.Value.Raw]; ok {
			return value
		}
	case given != nil && given.Value.Kind == ast.NullValue:
		return nil
	case given != nil:
		return given.Value.Raw
	}
	if d := f.Definition.Arguments.ForName(name); d != nil && d.DefaultValue != nil && d.DefaultValue.Kind != ast.NullValue {
		return d.DefaultValue.Raw
	}
	return nil
}

func (p *pricer) refusePage(f *ast.Field, message string) {
	if p.refused != nil {
		return
	}
	p.refused = located(refusef(domain.Invalid, "%s", message), f.Position)
}

// schemaRows is how many rows a list of the schema's may have, about.
func schemaRows(f *ast.Field) int {
	switch {
	case f.Definition == nil || f.Definition.Type.Elem == nil:
		return 1
	case f.Name == "types":
		return 50
	default:
		return 5
	}
}
