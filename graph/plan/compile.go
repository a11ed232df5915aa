package plan

import (
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Plans has the plans of a document's operations. They are made when they are needed,
// for each choice that the operation's variables make in @skip and @include.
type Plans struct {
	mu   sync.Mutex
	made map[choice]*plan // nil for what has no plan
	// limit is how many fields the plans may have, so that they take no more memory than
	// the document, which is counted by its text. They have fields.
	limit, fields int
	conditions    map[*ast.OperationDefinition][]string
}

// choice identifies a plan among those of a document.
type choice struct {
	operation  *ast.OperationDefinition
	conditions string // the values of the variables in @skip and @include
}

// bytesPerField is how many bytes of text a document has for each field of its plans.
const bytesPerField = 2

// Prepare returns the plans of a document that has been validated.
func Prepare(text string) any {
	return &Plans{made: map[choice]*plan{}, limit: len(text) / bytesPerField, conditions: map[*ast.OperationDefinition][]string{}}
}

// of returns the plan of an operation, or nil if it has none.
func (p *Plans) of(oc *graphql.OperationContext, known types) *plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.choice(oc)
	if !ok {
		return nil
	}
	made, ok := p.made[c]
	if ok {
		return made
	}
	made, fields := p.compile(oc, known)
	if p.fields += fields; p.fields > p.limit {
		// There are more choices than there is room for. Those in use are made again.
		clear(p.made)
		p.fields = fields
	}
	p.made[c] = made
	return made
}

// choice returns the choice of an operation's variables. It returns false if one is not a
// boolean.
func (p *Plans) choice(oc *graphql.OperationContext) (choice, bool) {
	names, ok := p.conditions[oc.Operation]
	if !ok {
		names = conditions(oc.Operation.SelectionSet)
		p.conditions[oc.Operation] = names
	}
	if len(names) == 0 {
		return choice{operation: oc.Operation}, true
	}
	values := make([]byte, 0, len(names))
	for _, name := range names {
		switch oc.Variables[name] {
		case true:
			values = append(values, 't')
		case false:
			values = append(values, 'f')
		default:
			return choice{}, false
		}
	}
	return choice{oc.Operation, string(values)}, true
}

// conditions returns the variables in the directives of selections, each once.
func conditions(set ast.SelectionSet) []string {
	c := conditionFinder{fragments: map[string]bool{}, names: map[string]bool{}}
	c.selections(set)
	return c.found
}

type conditionFinder struct {
	fragments, names map[string]bool // that were found
	found            []string
}

func (c *conditionFinder) selections(set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			c.directives(sel.Directives)
			c.selections(sel.SelectionSet)
		case *ast.InlineFragment:
			c.directives(sel.Directives)
			c.selections(sel.SelectionSet)
		case *ast.FragmentSpread:
			c.directives(sel.Directives)
			if sel.Definition != nil && !c.fragments[sel.Name] {
				c.fragments[sel.Name] = true
				c.selections(sel.Definition.SelectionSet)
			}
		}
	}
}

func (c *conditionFinder) directives(list ast.DirectiveList) {
	for _, d := range list {
		for _, arg := range d.Arguments {
			if name := arg.Value.Raw; arg.Value.Kind == ast.Variable && !c.names[name] {
				c.names[name] = true
				c.found = append(c.found, name)
			}
		}
	}
}

// plan is the plan of an operation.
type plan struct {
	root object
	// variable are the fields whose arguments have variables, by field.arg.
	variable []*ast.Field
	specs    []*spec // of the same fields
}

// object is what is selected of objects of one type.
type object struct {
	name   string // of the type
	fields []field
	// lists is how many of the fields read lists. If there are several, they are read at
	// the same time.
	lists int
	// reads is whether a field below reads a list, so that the items of a list of such
	// objects are written at the same time.
	reads bool
}

// field is a field of a plan.
type field struct {
	ast  *ast.Field
	spec *spec
	key  []byte // the name in the response, quoted, and a colon
	// on is what is selected of its value, for each of spec.types.
	on       []object
	nonNull  bool
	constant any // the arguments, if they have no variables
	arg      int // where the arguments are among those of the execution, or -1
}

// compiler makes a plan.
type compiler struct {
	oc     *graphql.OperationContext
	known  types
	plan   *plan
	budget int
}

// compile makes the plan of an operation, and returns how many fields it has, at least one.
// It returns nil if there is no plan, or only one beyond the limit.
func (p *Plans) compile(oc *graphql.OperationContext, known types) (*plan, int) {
	root := map[ast.Operation]string{ast.Query: "Query", ast.Mutation: "Mutation", ast.Subscription: "Subscription"}[oc.Operation.Operation]
	c := &compiler{oc: oc, known: known, plan: &plan{}, budget: p.limit}
	ok := c.object(&c.plan.root, root, oc.Operation.SelectionSet)
	if !ok || oc.Operation.Operation == ast.Subscription && (len(c.plan.root.fields) != 1 || c.plan.root.fields[0].spec.next == nil) {
		return nil, 1
	}
	return c.plan, max(1, p.limit-c.budget)
}

// object plans what is selected of objects of a type. It returns false if that has a field
// that is not known, or too many.
func (c *compiler) object(o *object, typ string, set ast.SelectionSet) bool {
	collected := graphql.CollectFields(c.oc, set, append([]string{typ}, c.known[typ].interfaces...))
	if c.budget -= len(collected); c.budget < 0 {
		return false
	}
	o.name, o.fields = typ, make([]field, 0, len(collected))
	written := make(map[string]bool, len(collected))
	for _, f := range collected {
		if written[f.Alias] {
			return false
		}
		written[f.Alias] = true
		planned, ok := c.field(c.known[typ].fields, f)
		if !ok {
			return false
		}
		o.fields = append(o.fields, planned)
		if planned.spec.list && typ != "Mutation" {
			o.lists++
		}
		o.reads = o.reads || planned.spec.list || slices.ContainsFunc(planned.on, func(below object) bool { return below.reads })
	}
	return true
}

func (c *compiler) field(known map[string]*spec, collected graphql.CollectedField) (field, bool) {
	s := known[collected.Name]
	if s == nil {
		return field{}, false
	}
	f := field{ast: collected.Field, spec: s, key: append(appendString(nil, collected.Alias), ':'), arg: -1}
	if collected.Definition != nil {
		f.nonNull = collected.Definition.Type.NonNull
	}
	if !c.arguments(&f) {
		return f, false
	}
	f.on = make([]object, len(s.types))
	for i, typ := range s.types {
		if !c.object(&f.on[i], typ, collected.Selections) {
			return f, false
		}
	}
	return f, true
}

// arguments plans a field's arguments: those without variables are parsed now.
func (c *compiler) arguments(f *field) bool {
	if f.spec.args == nil {
		return true
	}
	for _, arg := range f.ast.Arguments {
		if hasVariable(arg.Value) {
			f.arg = len(c.plan.variable)
			c.plan.variable = append(c.plan.variable, f.ast)
			c.plan.specs = append(c.plan.specs, f.spec)
			return true
		}
	}
	var err error
	f.constant, err = f.spec.args(f.ast.ArgumentMap(nil))
	return err == nil
}

func hasVariable(v *ast.Value) bool {
	if v.Kind == ast.Variable {
		return true
	}
	for _, child := range v.Children {
		if hasVariable(child.Value) {
			return true
		}
	}
	return false
}

// arguments returns the arguments of the fields that have variables in them. It returns
// false if some cannot be parsed, which should not happen, because guards check them.
func (p *plan) arguments(variables map[string]any) (args []any, ok bool) {
	if len(p.variable) == 0 {
		return nil, true
	}
	args = make([]any, len(p.variable))
	for i, f := range p.variable {
		var err error
		if args[i], err = p.specs[i].args(f.ArgumentMap(variables)); err != nil {
			return nil, false
		}
	}
	return args, true
}
