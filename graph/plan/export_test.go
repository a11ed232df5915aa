package plan

import "chirp/graph/generated"

// Knows reports whether a field of a type has a plan.
func Knows(r generated.ResolverRoot, typ, field string) bool {
	return typesOf(r)[typ].fields[field] != nil
}

// Fields returns how many fields the plans of a document have.
func (p *Plans) Fields() int { return p.fields }
