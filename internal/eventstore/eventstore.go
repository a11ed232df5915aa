// Package eventstore is the contract of the log: an append-only sequence of
// events in streams, with gap-free positions in commit order. What must hold
// stands in the comments of Log; package eventstoretest checks it.
package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"chirp/internal/domain"
)

// Log is the log of everything that happened. All its methods may be called
// from many goroutines, and from many processes that share one store. A store
// that cannot be reached, or does not answer in time, gives a *domain.Error of
// kind Unavailable.
type Log interface {
	// Append adds the events of one command to their streams as one unit.
	// Three things might happen:
	//
	//  1. Each stream is at its expected version: the events are written at
	//     consecutive positions, in the order given, and the commit is
	//     returned. It then survives the death of the process and of the
	//     store's.
	//  2. The command's key was used before: nothing is written. If the
	//     fingerprint is the same, the first commit is returned with Repeated
	//     set, whatever the versions are now; if not, ErrCommandReused.
	//  3. Some stream is at another version: nothing is written, and the error
	//     is a *ConflictError, which is ErrConflict.
	//
	// An error of kind Unavailable, or of ctx, leaves it open whether the
	// append happened, unless it is ErrNotAppended: then nothing was written,
	// nor will be. Calling again with the same command key settles it.
	Append(ctx context.Context, a Append) (Commit, error)

	// Committed finds the commit that a command key made. The bool is false
	// when there is none.
	Committed(ctx context.Context, key CommandKey) (Commit, bool, error)

	// Load gives the events of a stream in version order, none for a stream
	// that does not exist.
	Load(ctx context.Context, stream domain.StreamID) ([]Event, error)

	// ReadAll gives the events after a position in position order, at most
	// limit of them, and none when there are none yet. Once an event was
	// given, no event before it is ever added, and it is never taken back.
	ReadAll(ctx context.Context, after domain.Position, limit int) ([]Event, error)

	// Follow gives every event after a position, first the past, then live:
	// each once, in order, in batches of at least one. It goes on through
	// disconnects and elections, and ends with ctx's error when ctx ends. Each
	// iteration begins anew at after. A position beyond the head is refused
	// with an error of kind CursorInvalid.
	Follow(ctx context.Context, after domain.Position) iter.Seq2[[]Event, error]

	// Hashes returns the hashes of the events at some positions, leaving out
	// those at which there is no event. It tells whether somebody who knows an
	// event at a position means the one that is there now.
	Hashes(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error)

	// Head says which log this is and where it ends.
	Head(ctx context.Context) (Head, error)

	// Import gives an empty log the events and the epoch of another one, from
	// position 1 to its end, so that positions, cursors and command keys mean
	// here what they meant there. It is all or nothing. Two things might
	// happen:
	//
	//  1. The events are those of a whole log (see Sequence and Streams): they
	//     become visible to every reader at once, and survive as appended ones
	//     do.
	//  2. The log is not empty, the events are not those of a whole log, they
	//     end with an error, or ctx ends: an error is returned, the first three
	//     of kind Invalid unless the events' own error has another, and the log
	//     is as it was. So it is when the process dies: no part of an import
	//     is ever served.
	//
	// Nothing else may write to the log meanwhile. Import reads the events once.
	Import(ctx context.Context, epoch string, events iter.Seq2[[]Event, error]) error
}

// Head describes a log at one moment.
type Head struct {
	// Epoch is an id minted when the log was created. A position has a
	// meaning only together with the epoch of its log.
	Epoch string
	// Position is that of the last event, 0 for an empty log.
	Position domain.Position
}

// Event is an event in the log, with its envelope.
type Event struct {
	Position domain.Position
	Stream   domain.StreamID
	// Version is the event's place in its stream: 1 for the first.
	Version int64
	// Type is the wire name.
	Type string
	// Data is a JSON object. A store may change its white space and the way a
	// character is escaped, not its meaning.
	Data json.RawMessage
	// RecordedAt is the handler's time, in UTC, to the millisecond. It orders
	// nothing.
	RecordedAt time.Time
	// Actor is who caused the event: a user's id, or for a registration the
	// folded username.
	Actor string
	// CommandID is the actor's name for the command, unique with Actor.
	CommandID string
	// CorrelationID and TraceID tie the event to the request that caused it;
	// both may be empty.
	CorrelationID string
	TraceID       string
	// Command is set on the first event of an append, and on no other.
	Command *CommandMark
}

// Hash returns what tells the event from every other one.
func (e Event) Hash() domain.EventHash { return domain.HashEvent(e.Stream, e.RecordedAt) }

// CommandMark is what the first event of an append carries of its command, so
// that a repeat of it is known wherever the events are.
type CommandMark struct {
	Fingerprint string
	// Events is how many events the append has, this one included.
	Events int
}

// Append is what one command wants to add to the log.
type Append struct {
	// Events are written in this order. There is at least one.
	Events []NewEvent
	// Expected has, for each stream that Events write to, the version of its
	// last event as the handler knows it. A stream without an entry is
	// expected not to exist.
	Expected Versions
	// Command is required: a handler makes an id when the caller gave none.
	Command Command
	// RecordedAt is when the handler decided.
	RecordedAt time.Time
	// CorrelationID and TraceID may be empty.
	CorrelationID string
	TraceID       string
}

// Versions holds one version for each of some streams.
type Versions map[domain.StreamID]int64

// NewEvent is an event that has no position yet.
type NewEvent struct {
	Stream domain.StreamID
	Type   string
	Data   json.RawMessage
}

// Encode returns an event in the form that an Append takes.
func Encode(e domain.Event) (NewEvent, error) {
	wireName, data, err := domain.EncodeEvent(e)
	return NewEvent{Stream: e.Stream(), Type: wireName, Data: data}, err
}

// CommandKey names a command once and for all: two actors may use the same id.
type CommandKey struct {
	Actor string
	ID    string
}

// Command is a command's key, and a fingerprint of what it asked for.
type Command struct {
	CommandKey
	// Fingerprint tells a repeat of the command from another one under the
	// same key. It holds no secret, for it is kept beside the events.
	Fingerprint string
}

// Commit is what an Append wrote.
type Commit struct {
	// Events are the events in the order given, at consecutive positions.
	Events []Event
	// Fingerprint is the command's.
	Fingerprint string
	// Repeated is set when an earlier call wrote them.
	Repeated bool
}

// Position is where the commit ends: a read model that has reached it shows
// all that the command did.
func (c Commit) Position() domain.Position {
	if len(c.Events) == 0 {
		return 0
	}
	return c.Events[len(c.Events)-1].Position
}

// ErrConflict says that a stream was not at the version that an append
// expected. The error in hand is a *ConflictError.
var ErrConflict = errors.New("stream is at another version")

// ErrCommandReused says that a command key was used for another command.
var ErrCommandReused = errors.New("command id was used for another command")

// ErrNotAppended is what an error is when the store knows that the append which
// returned it wrote nothing, and never will. See NotAppended.
var ErrNotAppended = errors.New("nothing was appended")

// NotAppended makes an error an ErrNotAppended. Its text, kind and chain stay
// as they are.
func NotAppended(err error) error {
	if err == nil || errors.Is(err, ErrNotAppended) {
		return err
	}
	return &notAppended{err}
}

type notAppended struct{ error }

func (e *notAppended) Unwrap() error        { return e.error }
func (e *notAppended) Is(target error) bool { return target == ErrNotAppended }

// ConflictError is the ErrConflict of one stream.
type ConflictError struct {
	Stream   domain.StreamID
	Expected int64
	Actual   int64
}

// Error names the stream and both versions.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s is at version %d, not %d", e.Stream, e.Actual, e.Expected)
}

// Is makes every ConflictError an ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Check returns an error unless an append is well formed: it has a command key
// and at least one event, each event has a stream, a type and a JSON object,
// and no expected version is negative or for a stream without events. Every
// store calls it before it does anything else.
func (a Append) Check() error {
	if a.Command.Actor == "" || a.Command.ID == "" || a.Command.Fingerprint == "" {
		return errors.New("append without an actor, a command id or a fingerprint")
	}
	if len(a.Events) == 0 {
		return errors.New("append without an event")
	}
	written := make(map[domain.StreamID]bool, len(a.Events))
	for _, e := range a.Events {
		if e.Stream == "" || e.Type == "" || len(e.Data) == 0 || e.Data[0] != '{' || !json.Valid(e.Data) {
			return fmt.Errorf("append to stream %q: an event needs a stream, a type and a JSON object, got %q %.40q", e.Stream, e.Type, e.Data)
		}
		written[e.Stream] = true
	}
	for stream, version := range a.Expected {
		if version < 0 || !written[stream] {
			return fmt.Errorf("append that expects version %d of stream %q: it is negative, or the append has no event of that stream", version, stream)
		}
	}
	return nil
}

// Streams returns an iterator over the streams that an append writes to, each
// once and in the order of their first events, with their expected versions.
func (a Append) Streams() iter.Seq2[domain.StreamID, int64] {
	return func(yield func(domain.StreamID, int64) bool) {
		seen := make(map[domain.StreamID]bool, len(a.Events))
		for _, e := range a.Events {
			if seen[e.Stream] {
				continue
			}
			seen[e.Stream] = true
			if !yield(e.Stream, a.Expected[e.Stream]) {
				return
			}
		}
	}
}

// At returns the events that an append makes when its first one is written
// after the given position. Stores write these.
func (a Append) At(after domain.Position) []Event {
	events := make([]Event, len(a.Events))
	versions := make(Versions, len(a.Expected))
	maps.Copy(versions, a.Expected)
	for i, e := range a.Events {
		after++
		versions[e.Stream]++
		events[i] = Event{
			Position: after, Stream: e.Stream, Version: versions[e.Stream],
			Type: e.Type, Data: e.Data,
			RecordedAt: a.RecordedAt.UTC().Truncate(time.Millisecond),
			Actor:      a.Command.Actor, CommandID: a.Command.ID,
			CorrelationID: a.CorrelationID, TraceID: a.TraceID,
		}
	}
	if len(events) > 0 {
		events[0].Command = &CommandMark{Fingerprint: a.Command.Fingerprint, Events: len(events)}
	}
	return events
}
