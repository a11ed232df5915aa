package guard

import "cmp"

// Limits bound what one operation can ask for. A zero field stands for its
// default, a negative one is as good as 1.
type Limits struct {
	Tokens     int // words of a document; 5,000
	Depth      int // fields inside of fields; 15
	Aliases    int // fields of an operation under another name, with its fragments put in; 50
	Mutations  int // fields of a mutation, with its fragments put in; 10
	Directives int // directives of an operation, with its fragments put in; 50
	Fields     int // fields of an operation, with its fragments put in; 1,000
	Page       int // rows of a page; 100
	Cost       int // of an operation, for which lists count as often as they are long; 10,000
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
