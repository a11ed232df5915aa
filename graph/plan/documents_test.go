package plan_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// variables are what documents may use. Each is declared with its type.
var variables = []struct {
	name, typ string
	value     any
}{
	{"yes", "Boolean!", true}, {"no", "Boolean!", false}, {"n", "Int", int64(3)}, {"none", "Int", nil}, {"s", "String", "x"}, {"absent", "String", nil},
	{"id", "ID!", "user_1"}, {"content", "String!", "a text"}, {"post", "PostChirpInput!", map[string]any{"content": "from a variable", "commandId": "c"}},
}

// documents makes random valid documents.
type documents struct {
	*rand.Rand
	schema    *ast.Schema
	used      map[string]bool
	fragments []string
	left      int // how many fields may follow
}

// document returns a document with one operation of a kind.
func (d *documents) document(kind ast.Operation) string {
	d.used, d.fragments, d.left = map[string]bool{}, nil, 60
	root := map[ast.Operation]*ast.Definition{ast.Query: d.schema.Query, ast.Mutation: d.schema.Mutation, ast.Subscription: d.schema.Subscription}[kind]
	var body string
	if kind == ast.Subscription {
		body = "{ " + d.field(root, 0) + " }"
	} else {
		body = d.selections(root, 0)
	}
	var declared []string
	for _, v := range variables {
		if d.used[v.name] {
			declared = append(declared, "$"+v.name+": "+v.typ)
		}
	}
	head := string(kind) + " it"
	if len(declared) > 0 {
		head += "(" + strings.Join(declared, ", ") + ")"
	}
	return head + " " + body + "\n" + strings.Join(d.fragments, "\n")
}

func (d *documents) selections(t *ast.Definition, depth int) string {
	var b strings.Builder
	b.WriteString("{ ")
	for range 1 + d.IntN(4) {
		b.WriteString(d.selection(t, depth) + " ")
	}
	b.WriteString("}")
	return b.String()
}

func (d *documents) selection(t *ast.Definition, depth int) string {
	switch n := d.IntN(10); {
	case t.Kind == ast.Interface && n < 7:
		on := d.schema.Types[[]string{"User", "Chirp"}[d.IntN(2)]]
		return "... on " + on.Name + d.condition() + " " + d.selections(on, depth+1)
	case n == 0 && depth < 6:
		return "..." + d.condition() + " " + d.selections(t, depth+1)
	case n == 1 && depth < 6:
		return "... on " + t.Name + d.condition() + " " + d.selections(t, depth+1)
	case n == 2 && depth < 6:
		name := fmt.Sprint("f", len(d.fragments))
		d.fragments = append(d.fragments, "")
		d.fragments[len(d.fragments)-1] = "fragment " + name + " on " + t.Name + " " + d.selections(t, depth+1)
		return "..." + name + d.condition() + " ..." + name
	default:
		return d.field(t, depth)
	}
}

func (d *documents) field(t *ast.Definition, depth int) string {
	if d.IntN(8) == 0 && t != d.schema.Subscription {
		return []string{"__typename", "name: __typename"}[d.IntN(2)]
	}
	d.left--
	fields := d.candidates(t, depth)
	if len(fields) == 0 {
		return "__typename"
	}
	f := fields[d.IntN(len(fields))]
	args := d.arguments(f)
	key := f.Name
	if args != "" || d.IntN(3) == 0 {
		key = fmt.Sprintf("%s_%x: %s", f.Name, hashOf(args), f.Name)
	}
	below := d.schema.Types[f.Type.Name()]
	text := key + args + d.condition()
	if below.IsCompositeType() {
		text += " " + d.selections(below, depth+1)
	}
	return text
}

// candidates returns the fields of a type from which to choose.
func (d *documents) candidates(t *ast.Definition, depth int) []*ast.FieldDefinition {
	var fields []*ast.FieldDefinition
	for _, f := range t.Fields {
		if deep := d.left < 0 || depth > 8; !strings.HasPrefix(f.Name, "__") && (!deep || !d.schema.Types[f.Type.Name()].IsCompositeType()) {
			fields = append(fields, f)
		}
	}
	return fields
}

func hashOf(s string) uint32 {
	var h uint32
	for _, c := range s {
		h = h*31 + uint32(c)
	}
	return h
}

func (d *documents) condition() string {
	if d.IntN(6) > 0 {
		return ""
	}
	return []string{" @skip(if: ", " @include(if: "}[d.IntN(2)] + d.choose("true", "false", "$yes", "$no") + ")"
}

// choose returns one of some values, and records the variable that it is.
func (d *documents) choose(values ...string) string {
	v := values[d.IntN(len(values))]
	for _, known := range variables {
		if v == "$"+known.name {
			d.used[known.name] = true
		}
	}
	return v
}

func (d *documents) arguments(f *ast.FieldDefinition) string {
	var args []string
	for _, a := range f.Arguments {
		if !a.Type.NonNull && d.IntN(3) > 0 {
			continue
		}
		args = append(args, a.Name+": "+d.value(a.Type))
	}
	if len(args) == 0 {
		return ""
	}
	return "(" + strings.Join(args, ", ") + ")"
}

func (d *documents) value(t *ast.Type) string {
	if !t.NonNull && d.IntN(8) == 0 {
		return "null"
	}
	switch def := d.schema.Types[t.NamedType]; {
	case t.NamedType == "Int":
		return d.choose("1", "2", "$n", "$none")
	case t.NamedType == "String" && t.NonNull:
		return d.choose(`"a text"`, `"b"`, "$content")
	case t.NamedType == "String":
		return d.choose(`"x"`, `""`, "$s", "$absent")
	case t.NamedType == "ID":
		return d.choose(`"user_1"`, `"chirp_2"`, "5", "$id")
	case t.NamedType == "Boolean":
		return d.choose("true", "false", "$yes")
	case def.Kind == ast.InputObject && def.Name == "PostChirpInput" && d.IntN(3) == 0:
		return d.choose("$post")
	default:
		var members []string
		for _, f := range def.Fields {
			if f.DefaultValue != nil || !f.Type.NonNull && d.IntN(2) == 0 {
				continue
			}
			members = append(members, f.Name+": "+d.value(f.Type))
		}
		return "{" + strings.Join(members, ", ") + "}"
	}
}
