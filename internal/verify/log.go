package verify

import (
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Values of Difference.Whose other than a user.
const (
	theLog   = "the log"
	theStore = "the store"
)

// addAll checks and folds the events up to a position, and returns their number.
func (f *fold) addAll(events []eventstore.Event, to domain.Position) (n int64) {
	for _, e := range events {
		if e.Position > to { // the log lacks an event before it
			if f.at < to {
				f.skip(to, fmt.Sprintf("the event at position %d next", e.Position))
			}
			break
		}
		f.add(e)
		n++
	}
	return n
}

// skip reports that the events up to a position are missing or unreadable, and
// continues after it. got says what there is in their place.
func (f *fold) skip(to domain.Position, got string) {
	what := fmt.Sprintf("event %d", to)
	if f.at+1 < to {
		what = fmt.Sprintf("events %d to %d", f.at+1, to)
	}
	f.report(Difference{what, theLog, "no gap", got})
	f.at = to
}

func describe(e eventstore.Event) string { return fmt.Sprintf("event %d (%s)", e.Position, e.Type) }

// add checks one event and folds it.
func (f *fold) add(e eventstore.Event) {
	what := describe(e)
	if e.Position <= f.at {
		f.report(Difference{what, theLog, fmt.Sprintf("a position beyond %d", f.at), e.Position.String()})
		return
	}
	if e.Position > f.at+1 {
		f.skip(e.Position-1, fmt.Sprintf("the event at position %d next", e.Position))
	}
	f.at = e.Position
	f.check(e, what)
	if f.audit.Complete() {
		f.reported = false
	}
}

// check checks an event at its position and folds it.
func (f *fold) check(e eventstore.Event, what string) {
	f.checkVersion(e, what)
	f.checkCommand(e, what)
	// What the projector cannot decode or apply is reported and left out, so that
	// the rest can be checked.
	fact, refusal := f.audit.Next(e)
	if fact == nil {
		f.report(Difference{what, theLog, "an event that this program can read", fmt.Sprintf("the error %q, at which the projector halts", refusal.Reason)})
		return
	}
	if stream := fact.Stream(); stream != e.Stream {
		f.reportStream(e, stream)
	}
	if err := f.apply(e, fact); err != nil {
		f.report(Difference{what, theLog, "an event that fits those before it", err.Error()})
	}
	// One fault is reported once.
	if refusal != nil && !f.reported {
		what := describe(eventstore.Event{Position: refusal.Position, Type: refusal.Type})
		f.report(Difference{what, theLog, "an event that a command appends", refusal.Reason})
	}
}

// checkVersion checks that the versions of a stream have no gap. After a difference
// the audit continues from the version found, so that one fault is reported once.
func (f *fold) checkVersion(e eventstore.Event, what string) {
	if want := f.audit.Version(e.Stream) + 1; e.Version != want {
		f.report(Difference{what, theLog, fmt.Sprintf("version %d of stream %s", want, e.Stream), fmt.Sprintf("version %d", e.Version)})
	}
}

// checkCommand checks that no two appends share a command key.
func (f *fold) checkCommand(e eventstore.Event, what string) {
	if e.Command != nil && f.audit.Used(e.Actor, e.CommandID) {
		f.report(Difference{what, theLog, "a command key that was not used before", fmt.Sprintf("actor %q, command %q", e.Actor, e.CommandID)})
	}
}

// checkFirst reports an event that is not the first of its stream, although events
// of its type start a stream.
func (f *fold) checkFirst(e eventstore.Event, fact domain.Event) {
	if stream := fact.Stream(); stream == e.Stream && e.Version > 1 {
		f.reportStream(e, stream)
	}
}

// reportStream reports an event that is not in the stream that its contents call for,
// or not at its start.
func (f *fold) reportStream(e eventstore.Event, want domain.StreamID) {
	f.report(Difference{describe(e), theLog, "stream " + string(want), fmt.Sprintf("version %d of stream %s", e.Version, e.Stream)})
}

// finish checks, at the end of the log, that the registrations match the reservations
// of names and of external identities.
func (f *fold) finish() {
	for _, u := range f.order {
		if owner := f.reserved[u.Username.Folded()]; owner != u.ID {
			f.report(Difference{"reservation of the name", u.String(), string(u.ID), orNone(string(owner))})
		}
	}
	for name, id := range f.reserved {
		if f.users[id] == nil {
			f.report(Difference{fmt.Sprintf("reservation of the name %q", name), theLog, "a registration of " + string(id), "none"})
		}
	}
	for identity, id := range f.identities {
		if f.users[id] == nil {
			f.report(Difference{"reservation in stream " + string(identity), theLog, "a registration of " + string(id), "none"})
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
