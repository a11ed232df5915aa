package subscription

import "chirp/internal/domain"

// ring keeps the newest events, which have consecutive positions. The event at
// position p is at index p modulo the ring's size.
type ring struct {
	events []event
	kept   domain.Position // how many of events are in use
}

func (r *ring) add(e event) {
	size := domain.Position(len(r.events))
	r.events[e.Position%size] = e
	r.kept = min(r.kept+1, size)
}

// reaches reports whether the ring has all events after a position, up to the
// newest one.
func (r *ring) reaches(after, newest domain.Position) bool { return after >= newest-r.kept }

func (r *ring) get(p domain.Position) event { return r.events[p%domain.Position(len(r.events))] }
