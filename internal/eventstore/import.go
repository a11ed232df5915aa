package eventstore

import (
	"encoding/json"
	"time"

	"chirp/internal/domain"
)

// NotEmpty returns the error of an import into a log that has events.
func NotEmpty(head domain.Position) error {
	return domain.Errorf(domain.Invalid, "the log is not empty: it ends at position %d; import into a new one", head)
}

// Sequence checks that consecutive events are those of a whole log: positions
// from 1 without a gap, well-formed envelopes, and whole appends, each with its
// command mark. The zero Sequence expects the first event.
type Sequence struct {
	last    domain.Position
	left    int // events of the append that are still to come
	command CommandKey
}

// Last returns the position of the last event, 0 before the first.
func (s *Sequence) Last() domain.Position { return s.last }

// Next checks the next event. Its errors are of kind Invalid.
func (s *Sequence) Next(e Event) error {
	if e.Position != s.last+1 {
		return domain.Errorf(domain.Invalid, "position %d follows %d: a log has no gap", e.Position, s.last)
	}
	if problem := s.problem(e); problem != "" {
		return domain.Errorf(domain.Invalid, "the event at position %d %s", e.Position, problem)
	}
	if e.Command != nil {
		s.left, s.command = e.Command.Events, CommandKey{Actor: e.Actor, ID: e.CommandID}
	}
	s.last, s.left = e.Position, s.left-1
	return nil
}

func (s *Sequence) problem(e Event) string {
	begins := e.Command != nil
	switch {
	case e.Stream == "" || e.Version < 1 || e.Type == "":
		return "lacks its stream, its version or its type"
	case e.Actor == "" || e.CommandID == "":
		return "lacks its actor or its command id"
	case len(e.Data) == 0 || e.Data[0] != '{' || !json.Valid(e.Data):
		return "has data that is not a JSON object"
	case !e.RecordedAt.Equal(e.RecordedAt.Truncate(time.Millisecond)):
		return "has a time that is more precise than a millisecond"
	case begins && (e.Command.Fingerprint == "" || e.Command.Events < 1):
		return "has a command mark without a fingerprint or a number of events"
	case begins && s.left > 0:
		return "begins an append inside another one"
	case !begins && s.left == 0:
		return "is not the first of its append, and none has begun"
	case !begins && s.command != (CommandKey{Actor: e.Actor, ID: e.CommandID}):
		return "has another command than the rest of its append"
	default:
		return ""
	}
}

// End checks that the last append is whole.
func (s *Sequence) End() error {
	if s.left > 0 {
		return domain.Errorf(domain.Invalid, "the events end at position %d, %d short of the end of an append", s.last, s.left)
	}
	return nil
}

// Streams checks that the streams of a log are whole: each has the versions from
// 1 on, in the order of the positions. It takes the events sorted by stream and
// version.
type Streams struct {
	stream   domain.StreamID
	version  int64
	position domain.Position
	events   int64
}

// Events returns the number of events that were checked.
func (s *Streams) Events() int64 { return s.events }

// Next checks the next event. Its errors are of kind Invalid.
func (s *Streams) Next(stream domain.StreamID, version int64, position domain.Position) error {
	if stream != s.stream || s.events == 0 {
		s.stream, s.version, s.position = stream, 0, 0
	}
	switch {
	case version != s.version+1:
		return domain.Errorf(domain.Invalid, "the event at position %d is version %d of stream %s, which has no version %d before it", position, version, stream, version-1)
	case position <= s.position:
		return domain.Errorf(domain.Invalid, "version %d of stream %s is at position %d, before version %d at %d", version, stream, position, s.version, s.position)
	}
	s.version, s.position, s.events = version, position, s.events+1
	return nil
}
