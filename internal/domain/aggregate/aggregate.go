// Package aggregate holds the rules by which commands become events: User,
// Identity, Chirp and FollowRelationship. An aggregate is a plain value, folded
// from the events of its stream. A method decides on a command and returns the
// events to append, or a *domain.Error; apply says what each event changes.
// Nothing here reads the time, generates ids or does I/O, so a decision depends
// only on its arguments and the events.
package aggregate

import "chirp/internal/domain"

// fold applies the events that are of the aggregate's own kind. Events of other
// aggregates may be among them, because one command may append both.
func fold[E domain.Event](events []domain.Event, apply func(E)) {
	for _, e := range events {
		if own, ok := e.(E); ok {
			apply(own)
		}
	}
}
