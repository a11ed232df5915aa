// Package eventstore defines the contract of the log: an append-only sequence of
// events in streams, with gap-free positions in commit order. The comments of Log
// state the contract; package eventstoretest tests it.
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

// Log is the log of all events. Its methods may be called concurrently, also by
// several processes that share one store. If the store cannot be reached or does
// not answer in time, the error is a *domain.Error of kind Unavailable.
type Log interface {
	// Append adds the events of one command to their streams as one unit.
	// Three things might happen:
	//
	//  1. Each stream is at its expected version: Append writes the events at
	//     consecutive positions, in the given order, and returns the commit,
	//     which is durable by then.
	//  2. The command's key was used before: Append writes nothing. If the
	//     fingerprint is the same, it returns the first commit with Repeated
	//     set, whatever the versions are now; otherwise ErrCommandReused.
	//  3. Some stream is at another version: Append writes nothing and returns
	//     a *ConflictError, which is ErrConflict.
	//
	// After an error of kind Unavailable, or of ctx, the events may or may not
	// be in the log. Calling Append again with the same command key resolves
	// that. If the error is also ErrNotAppended, they are not and never will be.
	Append(ctx context.Context, a Append) (Commit, error)

	// Committed returns the commit of a command key, and whether there is one.
	Committed(ctx context.Context, key CommandKey) (Commit, bool, error)

	// Load returns the events of a stream in version order, none if the stream
	// does not exist.
	Load(ctx context.Context, stream domain.StreamID) ([]Event, error)

	// ReadAll returns the events after a position in position order, at most
	// limit of them, and none if there are none yet. Once it has returned an
	// event, no event is ever added before it, and it is never removed.
	ReadAll(ctx context.Context, after domain.Position, limit int) ([]Event, error)

	// Follow returns an iterator over every event after a position, first those
	// in the log and then new ones as they are appended: each once, in order, in
	// batches of at least one. It retries through disconnects and elections, and
	// ends with ctx's error when ctx ends, and with one of kind Unavailable when
	// the log is closed. Each iteration starts again at after. For a position beyond the head, or a negative one, the error is of kind
	// CursorInvalid.
	Follow(ctx context.Context, after domain.Position) iter.Seq2[[]Event, error]

	// Hashes returns the hashes of the events at some positions, leaving out
	// positions without an event. A caller who remembers an event's hash can
	// tell whether the same event is still at its position.
	Hashes(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error)

	// Head returns which log this is and where it ends.
	Head(ctx context.Context) (Head, error)

	// Import copies all events of another log, from position 1 to its end, and
	// its epoch into an empty log, so that positions, cursors and command keys
	// keep their meaning. It is atomic. Two things might happen:
	//
	//  1. The events are those of a whole log (see Sequence and Streams): they
	//     become visible to all readers at once, and are durable.
	//  2. The log is not empty, the events are not those of a whole log, they
	//     end with an error, or ctx ends: Import returns an error and the log is
	//     unchanged. The error is of kind Invalid, unless it is ctx's or the
	//     events' own of another kind.
	//
	// If the process dies meanwhile, the log is unchanged too. Nothing else may
	// write to the log during an import. Import reads the events once.
	Import(ctx context.Context, epoch string, events iter.Seq2[[]Event, error]) error
}

// Head describes a log at one moment.
type Head struct {
	// Epoch is an id that was generated when the log was created. A position is
	// meaningful only together with its log's epoch.
	Epoch string
	// Position is the position of the last event, 0 if the log is empty.
	Position domain.Position
}

// Event is a stored event with its envelope.
type Event struct {
	Position domain.Position
	Stream   domain.StreamID
	// Version is the event's number in its stream, from 1.
	Version int64
	// Type is the wire name.
	Type string
	// Data is a JSON object. A store may change its white space and the escaping
	// of its characters, but not its meaning.
	Data json.RawMessage
	// RecordedAt is the command handler's time, in UTC with millisecond
	// precision. It implies no order.
	RecordedAt time.Time
	// Actor is who caused the event: a user's id, or for a registration the
	// folded username or the identity's stream.
	Actor string
	// CommandID identifies the command among the actor's.
	CommandID string
	// CorrelationID and TraceID link the event to the request that caused it.
	// Both may be empty.
	CorrelationID string
	TraceID       string
	// Command is set on the first event of an append only.
	Command *CommandMark
}

// Hash returns the event's hash.
func (e Event) Hash() domain.EventHash { return domain.HashEvent(e.Stream, e.RecordedAt) }

// CommandMark is stored with the first event of an append. It allows a repeat of
// the command to be recognized wherever the events are copied to.
type CommandMark struct {
	Fingerprint string
	// Events is the number of events in the append.
	Events int
}

// Append is what one command adds to the log.
type Append struct {
	// Events are written in this order. There is at least one.
	Events []NewEvent
	// Expected maps the streams of Events to the versions at which the command
	// was decided. A stream without an entry is expected not to exist.
	Expected Versions
	// Command is required.
	Command Command
	// RecordedAt is when the command was decided.
	RecordedAt time.Time
	// CorrelationID and TraceID may be empty.
	CorrelationID string
	TraceID       string
}

// Versions maps streams to versions. The version of a stream is that of its last
// event, 0 if the stream does not exist.
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

// CommandKey identifies a command. Two actors may use the same id.
type CommandKey struct {
	Actor string
	ID    string
}

// Command is a command's key, with a fingerprint of its content.
type Command struct {
	CommandKey
	// Fingerprint distinguishes a repeat of the command from another command
	// under the same key. It is stored with the events, so it covers no secret.
	Fingerprint string
}

// Commit is what an Append wrote.
type Commit struct {
	// Events are in the order of the append, at consecutive positions.
	Events []Event
	// Fingerprint is the command's.
	Fingerprint string
	// Repeated is set if an earlier call wrote the events.
	Repeated bool
}

// Position returns the position of the last event, 0 if there is none. A read
// model that has reached it shows all effects of the command.
func (c Commit) Position() domain.Position {
	if len(c.Events) == 0 {
		return 0
	}
	return c.Events[len(c.Events)-1].Position
}

// ErrConflict says that a stream is not at the version that an append expects.
// The error is a *ConflictError.
var ErrConflict = errors.New("stream is at another version")

// ErrCommandReused says that a command key was used for another command.
var ErrCommandReused = errors.New("command id was used for another command")

// ErrNotAppended matches an error of Append if the store knows that the append
// wrote nothing and never will. See NotAppended.
var ErrNotAppended = errors.New("nothing was appended")

// NotAppended wraps an error so that it matches ErrNotAppended too. Its text and
// kind stay the same.
func NotAppended(err error) error {
	if err == nil || errors.Is(err, ErrNotAppended) {
		return err
	}
	return &notAppended{err}
}

type notAppended struct{ error }

func (e *notAppended) Unwrap() error        { return e.error }
func (e *notAppended) Is(target error) bool { return target == ErrNotAppended }

// ConflictError reports a stream that is not at the expected version.
type ConflictError struct {
	Stream   domain.StreamID
	Expected int64
	Actual   int64
}

// Error returns a message with the stream and both versions.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s is at version %d, not %d", e.Stream, e.Actual, e.Expected)
}

// Is reports whether target is ErrConflict.
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
