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
	// Streams are the streams to be written, each once, with at least one
	// event each.
	Streams []StreamAppend
	// Command is required: a handler makes an id when the caller gave none.
	Command Command
	// RecordedAt is when the handler decided.
	RecordedAt time.Time
	// CorrelationID and TraceID may be empty.
	CorrelationID string
	TraceID       string
}

// StreamAppend is the part of an Append that concerns one stream.
type StreamAppend struct {
	Stream domain.StreamID
	// Expected is the version of the stream's last event as the handler knows
	// it, 0 for a stream that must not exist.
	Expected int64
	Events   []NewEvent
}

// NewEvent is an event that has no position yet.
type NewEvent struct {
	Type string
	Data json.RawMessage
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

// Check says whether an append is well formed: at least one stream, none
// twice, each with events and an expected version that is not negative, and a
// command key. Every store calls it before it does anything else.
func (a Append) Check() error {
	if a.Command.Actor == "" || a.Command.ID == "" || a.Command.Fingerprint == "" {
		return errors.New("append without an actor, a command id or a fingerprint")
	}
	if len(a.Streams) == 0 {
		return errors.New("append without a stream")
	}
	seen := make(map[domain.StreamID]bool, len(a.Streams))
	for _, s := range a.Streams {
		if s.Stream == "" || s.Expected < 0 || len(s.Events) == 0 || seen[s.Stream] {
			return fmt.Errorf("append to stream %q: it is named twice, has no events, or expects version %d", s.Stream, s.Expected)
		}
		seen[s.Stream] = true
		for _, e := range s.Events {
			if e.Type == "" || len(e.Data) == 0 || e.Data[0] != '{' || !json.Valid(e.Data) {
				return fmt.Errorf("append to stream %q: an event needs a type and a JSON object, got %q %.40q", s.Stream, e.Type, e.Data)
			}
		}
	}
	return nil
}

// Len counts the events of an append.
func (a Append) Len() int {
	n := 0
	for _, s := range a.Streams {
		n += len(s.Events)
	}
	return n
}

// At gives the events that an append makes when its first one is written after
// the position given. Stores write these.
func (a Append) At(after domain.Position) []Event {
	events := make([]Event, 0, a.Len())
	for _, s := range a.Streams {
		for i, e := range s.Events {
			after++
			events = append(events, Event{
				Position: after, Stream: s.Stream, Version: s.Expected + int64(i) + 1,
				Type: e.Type, Data: e.Data,
				RecordedAt: a.RecordedAt.UTC().Truncate(time.Millisecond),
				Actor:      a.Command.Actor, CommandID: a.Command.ID,
				CorrelationID: a.CorrelationID, TraceID: a.TraceID,
			})
		}
	}
	if len(events) > 0 {
		events[0].Command = &CommandMark{Fingerprint: a.Command.Fingerprint, Events: len(events)}
	}
	return events
}
