package guard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
	"pgregory.net/rapid"

	"chirp/graph"
)

// TestOverlapRuleAgreesWithThePairwiseRule compares the rule with that of the library,
// which compares all pairs, on random documents.
func TestOverlapRuleAgreesWithThePairwiseRule(t *testing.T) {
	api, conflicts := graph.Schema(), 0
	rapid.Check(t, func(t *rapid.T) {
		text := randomDocument(t)
		pairwise, grouped := complaints(t, api, text, rules.OverlappingFieldsCanBeMergedRule), complaints(t, api, text, overlapRule())
		if (len(pairwise) > 0) != (len(grouped) > 0) {
			t.Fatalf("%s\ngot  %v\nwant %v", text, grouped, pairwise)
		}
		conflicts += min(1, strings.Count(grouped.Error(), "conflict"))
	})
	if conflicts == 0 {
		t.Error("no document had a conflict")
	}
}

// TestOverlapRuleOnInterfaces has cases for which the API's own schema is too small.
func TestOverlapRuleOnInterfaces(t *testing.T) {
	api := gqlparser.MustLoadSchema(&ast.Source{Input: `type Query { it: Named }
		interface Named { name(in: Int): String, of: Named, list: [Named] }
		type A implements Named { name(in: Int): String, of: Named, list: [Named], other: String, count: Int }
		type B implements Named { name(in: Int): String, of: Named, list: [Named], other: String, count: Int }`})
	for _, c := range []struct {
		conflict bool
		text     string
	}{
		{false, `{ it { name ... on A { name } ... on B { name } } }`},
		{false, `{ it { ... on A { x: name } ... on B { x: other } } }`},
		{true, `{ it { x: name ... on A { x: other } ... on B { y: other } } }`},
		{true, `{ it { name(in: 1) ... on A { name } } }`},
		{true, `{ it { ... on A { name(in: 1) } ... on Named { name(in: 2) } } }`},
		{true, `{ it { ... on A { x: name } ... on B { x: count } } }`},
		{true, `{ it { ... on A { x: of { name } } ... on B { x: list { name } } } }`},
		{false, `{ it { ... on A { of { x: name } } ... on B { of { x: name(in: 1) } } } }`},
		{true, `{ it { of { x: name } ... on A { of { x: name(in: 1) } } ... on B { of { y: name } } } }`},
		{true, `{ it { of { of { x: name } } ... on A { ...f } } } fragment f on A { of { ...g } } fragment g on Named { of { x: name(in: 1) } }`},
	} {
		if got := complaints(t, api, c.text, overlapRule()); (len(got) > 0) != c.conflict {
			t.Errorf("%s: got %v, want a conflict: %t", c.text, got, c.conflict)
		}
		if (len(complaints(t, api, c.text, rules.OverlappingFieldsCanBeMergedRule)) > 0) != c.conflict {
			t.Errorf("%s: the pairwise rule does not say %t", c.text, c.conflict)
		}
	}
}

func complaints(t interface{ Fatalf(string, ...any) }, api *ast.Schema, text string, rule core.Rule) (errs gqlerror.List) {
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	observers := &core.Events{}
	report := func(options ...core.ErrorOption) {
		e := &gqlerror.Error{}
		for _, o := range options {
			o(e)
		}
		errs = append(errs, e)
	}
	rule.RuleFunc(observers, report)
	rules.NoUnusedFragmentsRule.RuleFunc(observers, report) // the rule does not check unused fragments
	core.Walk(api, doc, observers)
	return errs
}

// randomDocument returns a document with few names, so that they conflict often.
func randomDocument(t *rapid.T) string {
	var b strings.Builder
	fragments := rapid.IntRange(0, 3).Draw(t, "fragments")
	b.WriteString("{ node(id: 1) {")
	selections(t, &b, "Node", 0, fragments, 4)
	b.WriteString("} viewer {")
	selections(t, &b, "User", 0, fragments, 4)
	b.WriteString("} }")
	for i := range fragments {
		on := rapid.SampledFrom([]string{"User", "Chirp", "Node"}).Draw(t, "on")
		fmt.Fprintf(&b, "\nfragment f%d on %s {", i, on)
		selections(t, &b, on, i+1, fragments, 3)
		b.WriteString("}")
	}
	return b.String()
}

// fieldsOf is some of the schema's fields, with their type if they have selections.
var fieldsOf = map[string]map[string]string{
	"Node":            {"id": ""},
	"User":            {"id": "", "username": "", "followerCount": "", "chirpCount": "", "followers(first: 1)": "UserConnection", "followers(first: 2)": "UserConnection", "chirps": "ChirpConnection"},
	"Chirp":           {"id": "", "content": "", "postedAt": "", "author": "User"},
	"UserConnection":  {"edges": "UserEdge"},
	"ChirpConnection": {"edges": "ChirpEdge"},
	"UserEdge":        {"cursor": "", "node": "User"},
	"ChirpEdge":       {"cursor": "", "node": "Chirp"},
}

func selections(t *rapid.T, b *strings.Builder, on string, from, fragments, depth int) {
	for range rapid.IntRange(1, 3).Draw(t, "selections") {
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind == 0 && from < fragments:
			fmt.Fprintf(b, " ...f%d", rapid.IntRange(from, fragments-1).Draw(t, "fragment"))
		case kind <= 2 && depth > 0 && (on == "Node" || on == "User" || on == "Chirp"):
			to := rapid.SampledFrom([]string{"User", "Chirp", "Node"}).Draw(t, "to")
			fmt.Fprintf(b, " ... on %s {", to)
			selections(t, b, to, from, fragments, depth-1)
			b.WriteString("}")
		default:
			field(t, b, on, from, fragments, depth)
		}
	}
	b.WriteString(" __typename")
}

func field(t *rapid.T, b *strings.Builder, on string, from, fragments, depth int) {
	names := make([]string, 0, len(fieldsOf[on]))
	for name, of := range fieldsOf[on] {
		if of == "" || depth > 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	name := rapid.SampledFrom(slices.Sorted(slices.Values(names))).Draw(t, "field")
	if rapid.IntRange(0, 3).Draw(t, "aliased") == 0 {
		b.WriteString(rapid.SampledFrom([]string{" a:", " id:"}).Draw(t, "alias"))
	}
	b.WriteString(" " + name)
	if of := fieldsOf[on][name]; of != "" {
		b.WriteString("{")
		selections(t, b, of, from, fragments, depth-1)
		b.WriteString("}")
	}
}
