package graph

import (
	"maps"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"chirp/graph/generated"
)

// Schema returns the API's schema, with the built-in directives and types of the
// published specification (September 2025). The parser adds some from its draft,
// and clients refuse a schema that has a directive where they do not know it.
func Schema() *ast.Schema {
	s := *generated.NewExecutableSchema(generated.Config{}).Schema()
	s.Directives, s.Types = maps.Clone(s.Directives), maps.Clone(s.Types)
	// A snapshot is closed when its response is complete, and not every transport
	// can send the rest later.
	delete(s.Directives, "defer")
	s.Directives["deprecated"] = withoutDraft(s.Directives["deprecated"])
	locations := *s.Types["__DirectiveLocation"]
	locations.EnumValues = slices.DeleteFunc(slices.Clone(locations.EnumValues),
		func(v *ast.EnumValueDefinition) bool { return v.Name == string(ast.LocationDirectiveDefinition) })
	s.Types["__DirectiveLocation"] = &locations
	return &s
}

// withoutDraft returns a directive without the locations that only the draft
// allows.
func withoutDraft(d *ast.DirectiveDefinition) *ast.DirectiveDefinition {
	published := *d
	published.Locations = slices.DeleteFunc(slices.Clone(d.Locations),
		func(l ast.DirectiveLocation) bool { return l == ast.LocationDirectiveDefinition })
	return &published
}
