package guard

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	library "github.com/vektah/gqlparser/v2/validator"

	"chirp/graph"
)

// These are internal tests because the schema does not have arguments of most kinds
// yet.

const everyKind = `
	scalar DateTime
	scalar Position
	scalar Secret
	enum Colour { RED GREEN }
	input Pet @oneOf { cat: String dog: Int }
	input Node { id: ID! colour: Colour = RED tags: [String!]! = ["a"] next: Node at: DateTime pets: [Pet!] n: Int! = 7 }
	type Query { it(node: Node, nodes: [Node!], grid: [[Int]], f: Float, b: Boolean = true, c: Colour, cs: [Colour!],
		at: DateTime, p: Position, ps: [Position!], secret: Secret, s: String, id: ID, ids: [ID!]!, pet: Pet, n: Int): Int }`

func everyKindOf(t testing.TB) (*ast.Schema, coercer) {
	t.Helper()
	s, err := gqlparser.LoadSchema(&ast.Source{Input: everyKind})
	if err != nil {
		t.Fatal(err)
	}
	return s, coercer{s, inputScalars()}
}

// coerced coerces a JSON value for a variable of a type.
func (c coercer) coerced(t testing.TB, declared, text string) (any, string) {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: `query($v: ` + declared + `) { it(ids: []) }`})
	if err != nil {
		t.Fatal(err)
	}
	op := doc.Operations[0]
	op.VariableDefinitions[0].Definition = c.schema.Types[op.VariableDefinitions[0].Type.Name()]
	d := json.NewDecoder(strings.NewReader(`{"v":` + text + `}`))
	d.UseNumber()
	var given map[string]any
	if err := d.Decode(&given); err != nil {
		t.Fatal(err)
	}
	variables, _, bad := c.variables(op, given)
	if bad != nil {
		return nil, "$v" + bad.path + ": " + bad.reason
	}
	again, err := library.VariableValues(c.schema, op, variables)
	if err != nil || !reflect.DeepEqual(again, variables) {
		t.Errorf("%s of %s: the library makes %#v of %#v, %v", text, declared, again, variables, err)
	}
	return variables["v"], ""
}

func TestValuesAreCoercedToTheirCanonicalForm(t *testing.T) {
	_, c := everyKindOf(t)
	type list = []any
	type object = map[string]any
	node := func(id string, more object) object {
		o := object{"id": id, "colour": "RED", "tags": list{"a"}, "n": int64(7)}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	for _, x := range []struct {
		declared, text string
		want           any
	}{
		{"Int", `2147483647`, int64(2147483647)}, {"Int", `-2147483648`, int64(-2147483648)}, {"Int", `2e1`, int64(20)}, {"Int = 5", `null`, nil},
		{"Float", `1`, 1.0}, {"Float", `1e-3`, 0.001}, {"Float", `99999999999999999999`, 1e20},
		{"Boolean", `false`, false}, {"String", `""`, ""}, {"String", `null`, nil},
		{"ID", `"x"`, "x"}, {"ID", `7`, "7"}, {"ID", `-7`, "-7"}, {"ID", `9223372036854775807`, "9223372036854775807"},
		{"Colour", `"GREEN"`, "GREEN"}, {"[Colour!]", `"RED"`, list{"RED"}},
		{"DateTime", `"2026-01-31T12:00:00.000Z"`, "2026-01-31T12:00:00.000Z"},
		{"Position", `"9"`, "9"}, {"Position", `9`, "9"}, {"[Position!]!", `[1,"2"]`, list{"1", "2"}},
		{"[ID!]", `1`, list{"1"}}, {"[ID!]", `[]`, list{}}, {"[ID!]", `null`, nil}, {"[ID]", `[null]`, list{nil}}, {"[ID]", `["a",2]`, list{"a", "2"}},
		{"[[Int]]", `1`, list{list{int64(1)}}}, {"[[Int]]", `[1,[2.0],null]`, list{list{int64(1)}, list{int64(2)}, nil}},
		{"Node", `{"id":1}`, node("1", nil)},
		{"[Node!]", `{"id":"a","next":{"id":"b","n":8.0}}`, list{node("a", object{"next": node("b", object{"n": int64(8)})})}},
		{"Node", `{"id":"a","colour":null,"next":null,"tags":"b","pets":{"dog":1e0}}`, node("a", object{"colour": nil, "next": nil, "tags": list{"b"}, "pets": list{object{"dog": int64(1)}}})},
		{"Pet", `{"cat":"x"}`, object{"cat": "x"}},
	} {
		if got, bad := c.coerced(t, x.declared, x.text); bad != "" || !reflect.DeepEqual(got, x.want) {
			t.Errorf("%s of %s: got %#v, %q, want %#v", x.text, x.declared, got, bad, x.want)
		}
	}
}

func TestErrorsOfCoercionHaveThePath(t *testing.T) {
	_, c := everyKindOf(t)
	for _, x := range []struct{ declared, text, want string }{
		{"Int", `2147483648`, "$v: "}, {"Int", `1e10`, "$v: "}, {"Int", `1.5`, "$v: "}, {"Int", `"1"`, "$v: "}, {"Int", `{}`, "$v: "}, {"Int!", `null`, "$v: must not be null"},
		{"Float", `"1"`, "$v: a Float is a number, not a string"}, {"Float", `1e999`, "$v: "}, {"Float", `true`, "$v: "},
		{"Boolean", `0`, "$v: "}, {"Boolean", `"true"`, "$v: "}, {"String", `1`, "$v: "}, {"String", `["a"]`, "$v: "},
		{"ID", `1.0`, "$v: "}, {"ID", `1e3`, "$v: "}, {"ID", `true`, "$v: "}, {"ID", `99999999999999999999`, "$v: "},
		{"Colour", `"green"`, `$v: "green" is not a value of Colour`}, {"Colour", `1`, "$v: a value of Colour is its name, not a number"}, {"Colour", `""`, "$v: "},
		{"DateTime", `"2026-01-31"`, "$v: "}, {"DateTime", `5`, "$v: "}, {"Position", `"-1"`, "$v: "}, {"Position", `1.5`, "$v: "}, {"Position", `"01"`, "$v: "}, {"Position", `{}`, "$v: "},
		{"Secret", `"x"`, "$v: a Secret cannot be sent"},
		{"[ID!]", `[1,null]`, "$v[1]: must not be null"}, {"[ID!]!", `null`, "$v: must not be null"}, {"[[Int]]", `[[1],[2,"3"]]`, "$v[1][1]: "},
		{"Node", `{}`, "$v.id: must be given"}, {"Node", `{"id":null}`, "$v.id: must not be null"}, {"Node", `[{"id":1},{"id":2}]`, "$v: a Node is an object, not a list"},
		{"Node", `{"id":1,"n":null}`, "$v.n: must not be null"}, {"Node", `{"id":1,"tags":[null]}`, "$v.tags[0]: must not be null"},
		{"[Node!]", `[{"id":1},{"id":2,"next":{"id":3,"colour":"BLUE"}}]`, `$v[1].next.colour: "BLUE" is not`},
		{"Node", `{"id":1,"z":1,"y":2}`, `$v: Node has no field "y"`}, {"Node", `{"id":1,"__typename":"Node"}`, `$v: Node has no field "__typename"`},
		{"Node", `{"id":1,"pets":[{"cat":"x"},{}]}`, "$v.pets[1]: a Pet has exactly one field, not 0"},
		{"Pet", `{"cat":"x","dog":1}`, "$v: a Pet has exactly one field, not 2"}, {"Pet", `{"cat":"x","dog":null}`, "$v: a Pet has exactly"}, {"Pet", `{"cat":null}`, "$v.cat: must not be null"},
	} {
		if got, bad := c.coerced(t, x.declared, x.text); !strings.HasPrefix(bad, x.want) || bad == "" {
			t.Errorf("%s of %s: got %#v, %q, want %q", x.text, x.declared, got, bad, x.want)
		}
	}
}

func TestLiteralsOfEveryKindAreChecked(t *testing.T) {
	schema, c := everyKindOf(t)
	v := newValidator(graph.Schema(), Limits{}.withDefaults(), true)
	v.schema = schema
	v.rules = append(v.rules[:0:0], v.rules...)
	for i, rule := range v.rules {
		if rule.Name == literalRule(c).Name {
			v.rules[i] = literalRule(c)
		}
	}
	for arguments, valid := range map[string]bool{
		`c: RED`: true, `c: "RED"`: false, `c: BLUE`: false, `c: {}`: false, `c: 1`: false, `cs: RED`: true, `cs: [RED, null]`: false, `cs: ["RED"]`: false,
		`at: "2026-01-31T12:00:00.000Z"`: true, `at: "2026-01-31"`: false, `at: 5`: false, `at: NOW`: false, `at: {}`: false, `at: [1]`: false, `at: null`: true,
		`p: "5"`: true, `p: 5`: true, `p: -5`: false, `p: 1.5`: false, `p: {a: 1}`: false, `p: 99999999999999999999`: false, `ps: ["1", 2]`: true, `ps: ["x"]`: false, `ps: 3`: true,
		`secret: "x"`: false, `f: 1`: true, `f: 1.5`: true, `f: "1"`: false, `f: {}`: false, `f: 1e999`: false, `b: "true"`: false, `b: {}`: false,
		`n: 2147483647`: true, `n: 2147483648`: false, `n: -2147483648`: true, `n: 1.0`: false, `s: {}`: false, `id: 1.0`: false, `id: 1`: true,
		`grid: [[1], 2]`: true, `grid: [[2147483648]]`: false, `grid: [["1"]]`: false,
		`node: {id: 1, n: 2147483648}`: false, `node: {id: 1, next: {id: 2, at: "x"}}`: false, `node: {id: 1, next: {id: 2, at: null}}`: true,
		`pet: {cat: "x"}`: true, `pet: {}`: false, `pet: {cat: "x", dog: 1}`: false, `pet: {cat: null}`: false,
	} {
		_, errs := v.document(`{ it(ids: [], ` + arguments + `) }`)
		if (len(errs) == 0) != valid || len(errs) > 1 {
			t.Errorf("%s: got errors %v, want it valid: %t, with one error if not", arguments, errs, valid)
		}
	}
}

func TestEveryScalarOfTheSchemaHasACoerceFunc(t *testing.T) {
	rules := inputScalars()
	for name, def := range graph.Schema().Types {
		if def.Kind == ast.Scalar && rules[name] == nil {
			t.Errorf("the scalar %s has no rule by which clients can send it", name)
		}
	}
}

// FuzzVariables coerces values for a type of each kind. Nothing panics, a coerced
// value stays the same if it is coerced again, and so it does in the library's own
// coercion.
func FuzzVariables(f *testing.F) {
	_, c := everyKindOf(f)
	types := []string{"Int", "Int!", "Float", "String", "Boolean!", "ID", "Colour", "DateTime", "Position", "[ID!]!", "[[Int]]", "Node", "[Node!]", "Pet", "[Pet]", "Secret"}
	for _, text := range []string{`1`, `1e2`, `"a"`, `null`, `[1,[2]]`, `{"id":1,"next":{"id":2,"tags":["x"]}}`, `{"cat":"x"}`, `1e400`, `-0.0`, `[{"id":"x","pets":{"dog":1}}]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckJSON([]byte(text)) != "" || !json.Valid([]byte(text)) {
			return
		}
		for _, declared := range types {
			value, bad := c.coerced(t, declared, text)
			if bad != "" {
				continue
			}
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			again, bad := c.coerced(t, declared, string(encoded))
			if bad != "" || !reflect.DeepEqual(again, value) {
				t.Fatalf("%s of %s became %#v, and that %#v, %s", text, declared, value, again, bad)
			}
		}
	})
}
