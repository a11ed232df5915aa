package eventstoretest_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// memory is a log in memory: the simplest that passes the suite, or one with a
// flaw, which must fail.
type memory struct {
	eventstore.Log // nil: only importing has an Import

	epoch string
	flaw  flaw
	tail  eventstore.Tail

	mu       sync.Mutex
	events   []eventstore.Event
	versions map[domain.StreamID]int64
	commits  map[eventstore.CommandKey]eventstore.Commit
}

// flaw is one way in which an append can be wrong.
type flaw int

const (
	none flaw = iota
	leavesGaps
	doublesEvents
	reordersEvents
	groupsByStream
	ignoresVersions
	ignoresVersionsAhead
	ignoresSomeVersions
	checksVersionsEarly
	writesStreamByStream
	hidesTheConflict
	namesTheWrongVersion
	spendsPositionsOnConflicts
	forgetsCommands
	remembersFailures
	checksVersionsBeforeCommands
	ignoresFingerprints
	sharesCommandsBetweenActors
	takesAnything
	keepsNanoseconds
	losesCorrelation
	losesTheMark
	marksEveryEvent
)

func newMemory(f flaw) *memory {
	return &memory{flaw: f, epoch: fmt.Sprintf("%p", new(int)), versions: map[domain.StreamID]int64{}, commits: map[eventstore.CommandKey]eventstore.Commit{}}
}

func (m *memory) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if err := a.Check(); err != nil && m.flaw != takesAnything {
		return eventstore.Commit{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Commit{}, err
	}
	var early error
	if m.flaw == checksVersionsEarly {
		m.mu.Lock()
		early = m.conflict(a)
		m.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flaw == checksVersionsBeforeCommands {
		if err := m.conflict(a); err != nil {
			return eventstore.Commit{}, err
		}
	}
	if c, ok := m.commits[m.key(a)]; ok {
		if c.Fingerprint != a.Command.Fingerprint && m.flaw != ignoresFingerprints {
			return eventstore.Commit{}, eventstore.ErrCommandReused
		}
		c.Repeated = true
		return c, nil
	}
	err := m.conflict(a)
	if m.flaw == checksVersionsEarly {
		err = early
	}
	if err != nil {
		return eventstore.Commit{}, m.refuse(a, err)
	}
	return m.write(a), nil
}

func (m *memory) key(a eventstore.Append) eventstore.CommandKey {
	if m.flaw == sharesCommandsBetweenActors {
		return eventstore.CommandKey{ID: a.Command.ID}
	}
	return a.Command.CommandKey
}

// conflict checks the versions of an append.
func (m *memory) conflict(a eventstore.Append) error {
	for stream, expected := range a.Streams() {
		actual := m.versions[stream]
		ignored := m.flaw == ignoresVersions || m.flaw == ignoresVersionsAhead && expected > actual ||
			m.flaw == ignoresSomeVersions && stream != a.Events[0].Stream
		if actual != expected && !ignored {
			if m.flaw == namesTheWrongVersion {
				actual = expected
			}
			return &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
		}
	}
	return nil
}

// refuse returns err, and does what a failing append must not do if that is the
// flaw.
func (m *memory) refuse(a eventstore.Append, err error) error {
	switch m.flaw {
	case hidesTheConflict:
		return eventstore.ErrConflict
	case spendsPositionsOnConflicts:
		m.events = append(m.events, eventstore.Event{})
	case remembersFailures:
		m.commits[m.key(a)] = eventstore.Commit{Fingerprint: a.Command.Fingerprint}
	case writesStreamByStream:
		for stream, expected := range a.Streams() {
			if m.versions[stream] != expected {
				break
			}
			part := eventstore.Append{Expected: eventstore.Versions{stream: expected}, Command: a.Command}
			for _, e := range a.Events {
				if e.Stream == stream {
					part.Events = append(part.Events, e)
				}
			}
			m.write(part)
		}
	}
	return err
}

func (m *memory) write(a eventstore.Append) eventstore.Commit {
	if m.flaw == groupsByStream {
		a.Events = slices.Clone(a.Events)
		slices.SortStableFunc(a.Events, func(a, b eventstore.NewEvent) int { return cmp.Compare(a.Stream, b.Stream) })
	}
	events := a.At(domain.Position(len(m.events)))
	commit := eventstore.Commit{Events: events, Fingerprint: a.Command.Fingerprint}
	kept := slices.Clone(events)
	switch m.flaw {
	case leavesGaps:
		m.events = append(m.events, eventstore.Event{})
	case doublesEvents:
		kept = append(kept, events[len(events)-1])
	case reordersEvents:
		slices.Reverse(kept)
	case keepsNanoseconds:
		for i := range kept {
			kept[i].RecordedAt = a.RecordedAt
		}
	case losesCorrelation:
		for i := range kept {
			kept[i].CorrelationID = ""
		}
	case losesTheMark:
		kept[0].Command = nil
	case marksEveryEvent:
		for i := range kept {
			kept[i].Command = kept[0].Command
		}
	}
	m.events = append(m.events, kept...)
	for _, e := range commit.Events {
		m.versions[e.Stream] = e.Version
	}
	if m.flaw != forgetsCommands {
		m.commits[m.key(a)] = commit
	}
	m.tail.Publish(kept)
	return commit
}

func (m *memory) Committed(_ context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.commits[m.key(eventstore.Append{Command: eventstore.Command{CommandKey: key}})]
	return c, ok, nil
}

func (m *memory) Load(_ context.Context, stream domain.StreamID) ([]eventstore.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var events []eventstore.Event
	for _, e := range m.events {
		if e.Stream == stream {
			events = append(events, e)
		}
	}
	return events, nil
}

func (m *memory) ReadAll(_ context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := min(int(after), len(m.events))
	return slices.Clone(m.events[from:min(from+limit, len(m.events))]), nil
}

func (m *memory) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hashes := make(map[domain.Position]domain.EventHash)
	for _, at := range positions {
		if at > 0 && int(at) <= len(m.events) {
			hashes[at] = m.events[at-1].Hash()
		}
	}
	return hashes, nil
}

func (m *memory) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return m.tail.Follow(ctx, m, after)
}

func (m *memory) Head(context.Context) (eventstore.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return eventstore.Head{Epoch: m.epoch, Position: domain.Position(len(m.events))}, nil
}
