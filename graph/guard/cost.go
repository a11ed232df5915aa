package guard

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// Costs of what is more expensive than a field, which costs 1.
const (
	listCost     = 10  // a list's own reads
	commandCost  = 50  // an append
	passwordCost = 500 // an argon2id hash
)

// maxIntrospected bounds the values that introspection may return. The usual query
// of tools, for the whole schema, is estimated at about 80,000.
const maxIntrospected = 200_000

// costLimit is the extension that estimates the cost of each operation, given its
// variables. It refuses an operation that costs too much or asks for a page that
// is too long.
type costLimit struct {
	limits        Limits
	pageSize      int // of a page whose size the request leaves out
	introspection bool
}

var _ graphql.OperationContextMutator = costLimit{}

// ExtensionName implements graphql.HandlerExtension.
func (costLimit) ExtensionName() string { return "Cost" }

// Validate implements graphql.HandlerExtension.
func (costLimit) Validate(graphql.ExecutableSchema) error { return nil }

// costKey is where extension.GetComplexityStats looks for a cost, which is this one
// in place of gqlgen's.
const costKey = "ComplexityLimit"

// MutateOperationContext implements graphql.OperationContextMutator.
func (s costLimit) MutateOperationContext(_ context.Context, oc *graphql.OperationContext) *gqlerror.Error {
	oc.DisableIntrospection = !s.introspection
	e := costEstimator{limits: s.limits, pageSize: s.pageSize, variables: oc.Variables, fragments: map[string]estimate{}}
	total := e.selections(oc.Operation.SelectionSet)
	oc.Stats.SetExtension(costKey, &extension.ComplexityStats{Complexity: total.cost + total.introspected/introspectedPerUnit, ComplexityLimit: s.limits.Cost})
	switch {
	case e.introspects && !s.introspection:
		return refusef(domain.Forbidden, "introspection is switched off on this server")
	case e.err != nil:
		return e.err
	case total.cost > s.limits.Cost:
		return limitExceeded("cost", s.limits.Cost, "the operation costs more than %d")
	case total.introspected > maxIntrospected:
		return limitExceeded("introspection", maxIntrospected, "the operation asks for more than %d values of the schema")
	}
	return nil
}

// estimate is what a selection may cost, and how many values of the schema it may
// return. Neither gets much larger than its limit.
type estimate struct{ cost, introspected int }

// costEstimator estimates the selections of an operation, each fragment once.
type costEstimator struct {
	limits      Limits
	pageSize    int
	variables   map[string]any
	fragments   map[string]estimate
	introspects bool
	err         *gqlerror.Error
}

func (e *costEstimator) selections(set ast.SelectionSet) estimate {
	var total estimate
	for _, sel := range set {
		var part estimate
		switch sel := sel.(type) {
		case *ast.Field:
			part = e.field(sel)
		case *ast.InlineFragment:
			part = e.selections(sel.SelectionSet)
		case *ast.FragmentSpread:
			part = e.fragment(sel)
		}
		total.cost = min(total.cost+part.cost, e.limits.Cost+1)
		total.introspected = min(total.introspected+part.introspected, maxIntrospected+1)
	}
	return total
}

func (e *costEstimator) fragment(s *ast.FragmentSpread) estimate {
	got, ok := e.fragments[s.Name]
	if !ok && s.Definition != nil {
		got = e.selections(s.Definition.SelectionSet)
		e.fragments[s.Name] = got
	}
	return got
}

func (e *costEstimator) field(f *ast.Field) estimate {
	inside := e.selections(f.SelectionSet)
	if f.Name != "__typename" && (strings.HasPrefix(f.Name, "__") || strings.HasPrefix(f.ObjectDefinition.Name, "__")) {
		e.introspects = true
		return estimate{introspected: 1 + schemaRows(f)*inside.introspected}
	}
	inside.cost = min(inside.cost, e.limits.Cost+1)
	return estimate{cost: ownCost(f) + e.rows(f)*inside.cost, introspected: inside.introspected}
}

// ownCost returns what a field costs without its selections.
func ownCost(f *ast.Field) int {
	switch {
	case passwords(f) > 0:
		return passwords(f) * passwordCost
	case f.ObjectDefinition.Name == "Mutation":
		return commandCost
	case isPage(f) || isSessions(f):
		return listCost
	default:
		return 1
	}
}

// passwords returns how many passwords a field hashes.
func passwords(f *ast.Field) int {
	switch {
	case f.ObjectDefinition.Name != "Mutation":
		return 0
	case f.Name == "registerUser" || f.Name == "logIn":
		return 1
	case f.Name == "changePassword":
		return 2
	default:
		return 0
	}
}

// HashesPasswords reports whether an operation, which is valid, hashes passwords.
func HashesPasswords(oc *graphql.OperationContext) bool {
	return oc.Operation.Operation == ast.Mutation && selectPasswords(oc.Operation.SelectionSet)
}

func selectPasswords(set ast.SelectionSet) bool {
	return slices.ContainsFunc(set, func(sel ast.Selection) bool {
		switch sel := sel.(type) {
		case *ast.Field:
			return passwords(sel) > 0
		case *ast.InlineFragment:
			return selectPasswords(sel.SelectionSet)
		case *ast.FragmentSpread:
			return sel.Definition != nil && selectPasswords(sel.Definition.SelectionSet)
		default:
			return false
		}
	})
}

// isSessions reports whether a field is the list of sessions, which has no pages.
func isSessions(f *ast.Field) bool {
	return f.ObjectDefinition.Name == "User" && f.Name == "sessions"
}

func isPage(f *ast.Field) bool {
	return f.Definition != nil && f.Definition.Arguments.ForName("first") != nil
}

// rows returns how often a field may return its selections: for a page its size,
// which must be within the limit.
func (e *costEstimator) rows(f *ast.Field) int {
	if isSessions(f) {
		return auth.MaxSessions
	}
	if !isPage(f) {
		return 1
	}
	rows := 0
	for _, name := range []string{"first", "last"} {
		n, given := e.number(f, name)
		switch {
		case !given:
			continue
		case rows > 0:
			e.failPage(f, "first and last are both given; leave one of them out")
			return 1
		case n < 1 || n > e.limits.Page:
			e.failPage(f, fmt.Sprintf("%s is %.40s, it must be 1 to %d", name, fmt.Sprint(e.argument(f, name)), e.limits.Page))
			return 1
		}
		rows = n
	}
	if rows == 0 {
		return min(e.pageSize, e.limits.Page)
	}
	return rows
}

// number returns an argument that is a number. It returns -1 for one that is not
// plain digits, which should not happen: Ints are coerced and literals validated.
func (e *costEstimator) number(f *ast.Field, name string) (n int, given bool) {
	value := e.argument(f, name)
	if value == nil {
		return 0, false
	}
	n, err := strconv.Atoi(fmt.Sprint(value))
	if err != nil {
		return -1, true
	}
	return n, true
}

func (e *costEstimator) argument(f *ast.Field, name string) any {
	given := f.Arguments.ForName(name)
	switch {
	case given != nil && given.Value.Kind == ast.Variable:
		if value, ok := e.variables[given.Value.Raw]; ok {
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

func (e *costEstimator) failPage(f *ast.Field, message string) {
	if e.err != nil {
		return
	}
	e.err = located(refusef(domain.Invalid, "%s", message), f.Position)
}

// schemaRows returns about how many rows a list of the schema may have.
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
