package eventstoretest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/google/uuid"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// Memory is a log in memory: the contract in its plainest form, and a fast log
// for the tests of other packages. It does not import.
type Memory struct {
	tail eventstore.Tail

	mu       sync.Mutex
	epoch    string
	events   []eventstore.Event
	versions map[domain.StreamID]int64
	commits  map[eventstore.CommandKey]eventstore.Commit
}

// NewMemory returns an empty log.
func NewMemory() *Memory {
	return &Memory{epoch: uuid.NewString(), versions: make(map[domain.StreamID]int64), commits: make(map[eventstore.CommandKey]eventstore.Commit)}
}

// Append implements eventstore.Log.
func (m *Memory) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if err := cmp.Or(a.Check(), ctx.Err()); err != nil {
		return eventstore.Commit{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if first, used := m.commits[a.Command.CommandKey]; used {
		if first.Fingerprint != a.Command.Fingerprint {
			return eventstore.Commit{}, eventstore.ErrCommandReused
		}
		first.Repeated = true
		return first, nil
	}
	for stream, expected := range a.Streams() {
		if actual := m.versions[stream]; actual != expected {
			return eventstore.Commit{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
		}
	}
	commit := eventstore.Commit{Events: a.At(domain.Position(len(m.events))), Fingerprint: a.Command.Fingerprint}
	for _, e := range commit.Events {
		m.versions[e.Stream] = e.Version
	}
	m.events = append(m.events, commit.Events...)
	m.commits[a.Command.CommandKey] = commit
	m.tail.Publish(commit.Events)
	return commit, nil
}

// Committed implements eventstore.Log.
func (m *Memory) Committed(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	commit, found := m.commits[key]
	return commit, found, ctx.Err()
}

// Load implements eventstore.Log.
func (m *Memory) Load(ctx context.Context, stream domain.StreamID) ([]eventstore.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var events []eventstore.Event
	for _, e := range m.events {
		if e.Stream == stream {
			events = append(events, e)
		}
	}
	return events, ctx.Err()
}

// ReadAll implements eventstore.Log.
func (m *Memory) ReadAll(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	later := m.events[min(int(after), len(m.events)):]
	return slices.Clone(later[:min(limit, len(later))]), ctx.Err()
}

// Follow implements eventstore.Log.
func (m *Memory) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return m.tail.Follow(ctx, m, after)
}

// Hashes implements eventstore.Log.
func (m *Memory) Hashes(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hashes := make(map[domain.Position]domain.EventHash)
	for _, p := range positions {
		if p > 0 && int(p) <= len(m.events) {
			hashes[p] = m.events[p-1].Hash()
		}
	}
	return hashes, ctx.Err()
}

// Head implements eventstore.Log.
func (m *Memory) Head(ctx context.Context) (eventstore.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return eventstore.Head{Epoch: m.epoch, Position: domain.Position(len(m.events))}, ctx.Err()
}

// Import implements eventstore.Log.
func (m *Memory) Import(context.Context, string, iter.Seq2[[]eventstore.Event, error]) error {
	return errors.New("a log in memory does not import")
}

// Tamper changes the event at a position, which no real log allows. Followers
// then read again.
func (m *Memory) Tamper(at domain.Position, change func(*eventstore.Event)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.events[at-1])
	m.tail.Reset()
}

// SetEpoch changes the epoch, which no real log allows either.
func (m *Memory) SetEpoch(epoch string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch = epoch
}
