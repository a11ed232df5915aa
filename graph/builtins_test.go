package graph_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"chirp/graph/graphtest"
)

var update = flag.Bool("update", false, "write the golden files again")

// builtinsQuery asks what a client asks about the built-ins.
const builtinsQuery = `{ __schema {
  directives { name isRepeatable locations args(includeDeprecated: true) { ...input } }
  types { kind name isOneOf specifiedByURL
    fields(includeDeprecated: true) { name isDeprecated type { ...type } args(includeDeprecated: true) { ...input } }
    enumValues(includeDeprecated: true) { name isDeprecated } } } }
  fragment input on __InputValue { name defaultValue type { ...type } }
  fragment type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`

// Parts of the introspected schema.
type (
	shownType struct {
		Kind, Name     string
		IsOneOf        *bool
		SpecifiedByURL *string
		Fields         []shownField
		EnumValues     []struct{ Name string }
		OfType         *shownType
	}
	shownField struct {
		Name         string
		Type         shownType
		Args         []shownField
		DefaultValue *string
	}
	shownDirective struct {
		Name         string
		IsRepeatable bool
		Locations    []string
		Args         []shownField
	}
)

func (t shownType) String() string {
	switch t.Kind {
	case "NON_NULL":
		return t.OfType.String() + "!"
	case "LIST":
		return "[" + t.OfType.String() + "]"
	default:
		return t.Name
	}
}

func (f shownField) String() string {
	text := f.Name + arguments(f.Args) + ": " + f.Type.String()
	if f.DefaultValue != nil {
		text += " = " + *f.DefaultValue
	}
	return text
}

func arguments(args []shownField) string {
	if len(args) == 0 {
		return ""
	}
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = a.String()
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

func (d shownDirective) String() string {
	repeatable := ""
	if d.IsRepeatable {
		repeatable = " repeatable"
	}
	return fmt.Sprintf("directive @%s%s%s on %s\n", d.Name, arguments(d.Args), repeatable, strings.Join(d.Locations, " | "))
}

// definition prints a type in the schema language.
func (t shownType) definition() string {
	var b strings.Builder
	kind := map[string]string{"OBJECT": "type", "ENUM": "enum", "SCALAR": "scalar"}[t.Kind]
	fmt.Fprintf(&b, "%s %s", kind, t.Name)
	if t.Kind == "SCALAR" {
		return b.String() + "\n"
	}
	b.WriteString(" {\n")
	for _, f := range t.Fields {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	for _, v := range t.EnumValues {
		fmt.Fprintf(&b, "  %s\n", v.Name)
	}
	return b.String() + "}\n"
}

func TestIntrospectionShowsTheBuiltInsOfThePublishedSpecification(t *testing.T) {
	var shown struct {
		Data struct {
			Schema struct {
				Directives []shownDirective
				Types      []shownType
			} `json:"__schema"`
		}
	}
	if err := json.Unmarshal([]byte(graphtest.New(t).Must("", builtinsQuery, nil).Body), &shown); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, d := range shown.Data.Schema.Directives {
		got.WriteString(d.String())
	}
	for _, typ := range shown.Data.Schema.Types {
		if strings.HasPrefix(typ.Name, "__") || strings.Contains(" Boolean Float ID Int String ", " "+typ.Name+" ") {
			got.WriteString(typ.definition())
		}
	}
	const path = "testdata/builtins.graphql"
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant, as clients of old know them,\n%s", got.String(), want)
	}
}
