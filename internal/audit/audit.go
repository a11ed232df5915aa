// Package audit checks that a log holds only what commands append. For each append
// it asks the aggregates which events its command leads to in the state that the
// events before it have brought about, and compares. So the rules that decide on a
// command are also those that an imported log, or one that is verified, must keep.
package audit

import (
	"fmt"
	"hash/maphash"

	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
	"chirp/internal/eventstore"
)

const (
	// maxAppend is the most events that a command appends: those of a registration
	// with an external identity.
	maxAppend = 3
	// maxData is the most bytes of an event's data, escaped in whatever way.
	maxData = 8 << 10
	// maxText is the most characters of a correlation id, a trace id or a
	// fingerprint.
	maxText = 128
)

// Refusal says which event breaks a rule.
type Refusal struct {
	Position domain.Position
	Type     string // the event's wire name
	Reason   string
}

// Error returns a message with the position, the type and the reason.
func (r *Refusal) Error() string {
	return fmt.Sprintf("the event at position %d (%.64q) breaks a rule: %s", r.Position, r.Type, r.Reason)
}

// Audit checks the events of a log one after the other. It keeps a 64-bit hash of
// each stream and of each command key. For ten million of them, the probability that
// two hashes collide and cause a false refusal is a few in a million.
type Audit struct {
	seed       maphash.Seed
	streams    map[uint64]stream // by the hash of the stream
	identities map[domain.StreamID]aggregate.Identity
	commands   map[uint64]struct{} // the hashes of the command keys used
	passwords  int64

	append  []recorded // the events so far of the append that has begun
	size    int        // how many events that append has
	refused bool       // one of its events was refused
}

// stream is the state of a stream.
type stream struct {
	version int64
	follow  aggregate.FollowRelationship
}

// recorded is an event as it was stored, with what it says.
type recorded struct {
	eventstore.Event
	fact domain.Event
}

// New returns an Audit of a log that has no event yet.
func New() *Audit {
	return &Audit{
		seed: maphash.MakeSeed(), streams: make(map[uint64]stream), identities: make(map[domain.StreamID]aggregate.Identity),
		commands: make(map[uint64]struct{}),
	}
}

// Passwords returns the number of users who have registered with a password.
func (a *Audit) Passwords() int64 { return a.passwords }

// Version returns the version of a stream, 0 if there is no such stream. The events
// of an append count when it is complete.
func (a *Audit) Version(id domain.StreamID) int64 { return a.stream(id).version }

// Used reports whether an append that is complete has a command key.
func (a *Audit) Used(actor, commandID string) bool {
	_, used := a.commands[a.hashCommand(actor, commandID)]
	return used
}

func (a *Audit) hashCommand(actor, commandID string) uint64 {
	return maphash.Comparable(a.seed, eventstore.CommandKey{Actor: actor, ID: commandID})
}

func (a *Audit) stream(id domain.StreamID) stream { return a.streams[a.hash(id)] }

func (a *Audit) hash(id domain.StreamID) uint64 { return maphash.String(a.seed, string(id)) }

// Next checks the next event, and returns what it says, nil if it cannot be decoded.
// It refuses an event that breaks a rule by itself, and one in a complete append that
// no command could have appended: one event per append, besides those that cannot be
// decoded. After a refusal, Next takes what the events say as given and continues.
func (a *Audit) Next(e eventstore.Event) (fact domain.Event, refusal *Refusal) {
	refusal = a.begin(e)
	fact, reason := check(e)
	if reason != "" {
		refusal = refuse(e, "%s", reason)
	}
	if a.refused && fact != nil {
		refusal = nil // one is enough
	}
	a.refused = a.refused || refusal != nil
	a.append = append(a.append, recorded{e, fact})
	if len(a.append) < a.size {
		return fact, refusal
	}
	if !a.refused {
		refusal = a.decide()
	}
	a.complete()
	return fact, refusal
}

// complete ends the append that has begun.
func (a *Audit) complete() {
	for _, r := range a.append {
		a.apply(r)
	}
	a.append, a.size, a.refused = a.append[:0], 0, false
}

// Complete reports whether the events so far end with a complete append.
func (a *Audit) Complete() bool { return len(a.append) == 0 }

func refuse(e eventstore.Event, format string, args ...any) *Refusal {
	return &Refusal{Position: e.Position, Type: e.Type, Reason: fmt.Sprintf(format, args...)}
}

// begin begins an append, or continues the one that has begun.
func (a *Audit) begin(e eventstore.Event) *Refusal {
	if e.Command == nil {
		switch {
		case len(a.append) == 0:
			return refuse(e, "it is not the first of its append, and none has begun")
		case e.Actor != a.append[0].Actor || e.CommandID != a.append[0].CommandID:
			return refuse(e, "it is of another command than the event before it, in one append")
		}
		return nil
	}
	inside := len(a.append) > 0
	a.complete()
	if n := e.Command.Events; n < 1 || n > maxAppend {
		return refuse(e, "its append has %d events; a command appends 1 to %d", n, maxAppend)
	}
	a.size = e.Command.Events
	if inside {
		return refuse(e, "it begins an append inside another one")
	}
	return nil
}

// apply records that an event happened.
func (a *Audit) apply(r recorded) {
	key := a.hash(r.Stream)
	state := stream{version: r.Version, follow: a.streams[key].follow}
	switch fact := r.fact.(type) {
	case domain.UserFollowed, domain.UserUnfollowed:
		state.follow = aggregate.LoadFollowRelationship([]domain.Event{fact})
	case domain.IdentityReserved:
		a.identities[r.Stream] = aggregate.LoadIdentity([]domain.Event{fact})
		a.passwords--
	case domain.UserRegistered:
		a.passwords++
	case domain.UsernameReserved, domain.ChirpPosted: // the version says all
	}
	a.streams[key] = state
	a.commands[a.hashCommand(r.Actor, r.CommandID)] = struct{}{}
}
