package guard

import "cmp"

// Limits bound what one operation may ask for. The zero value of a field means its
// default; a negative value means 1. Fields, aliases, mutations and directives are
// counted with fragments expanded.
type Limits struct {
	Tokens     int // per document; 5,000
	Depth      int // nesting depth of fields; 15
	Aliases    int // per operation; 50
	Mutations  int // per operation; 10
	Directives int // per operation; 50
	Fields     int // per operation; 1,000
	Page       int // rows per page; 100
	Cost       int // per operation, where each row of a list counts; 10,000
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Tokens:     limit(l.Tokens, 5_000),
		Depth:      limit(l.Depth, 15),
		Aliases:    limit(l.Aliases, 50),
		Mutations:  limit(l.Mutations, 10),
		Directives: limit(l.Directives, 50),
		Fields:     limit(l.Fields, 1_000),
		Page:       limit(l.Page, 100),
		Cost:       limit(l.Cost, 10_000),
	}
}

func limit(value, byDefault int) int { return max(1, cmp.Or(value, byDefault)) }
