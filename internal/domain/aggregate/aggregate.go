// Package aggregate holds the rules by which commands become events: User,
// Chirp and FollowRelationship. An aggregate is a plain value, made by folding
// its stream's events; a method decides and gives the events to append or a
// *domain.Error, and one apply switch says what an event changes. Nothing here
// knows the time, makes an id or does input or output, so a decision depends on
// its arguments and the events alone.
package aggregate

import "chirp/internal/domain"

// fold applies those of the events that are of the aggregate's own kind. The
// commit of a command may have others among them.
func fold[E domain.Event](events []domain.Event, apply func(E)) {
	for _, e := range events {
		if own, ok := e.(E); ok {
			apply(own)
		}
	}
}
