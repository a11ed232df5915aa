package command_test

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// memory is a log in memory that implements what commands use. Its hooks cause
// what a real store does only occasionally.
type memory struct {
	eventstore.Log // nil: commands call none of the other methods

	mu      sync.Mutex
	events  []eventstore.Event
	commits map[eventstore.CommandKey]eventstore.Commit
	appends int
	lookUps int
	loads   int

	// before is called before an append takes effect, and after once it has. If
	// either returns an error, so does the append. Both are passed the append's
	// number, from 1.
	before func(n int, a eventstore.Append) error
	after  func(n int) error
	// loading fails a load if it returns an error.
	loading func(stream domain.StreamID) error
}

func (m *memory) Append(_ context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if err := a.Check(); err != nil {
		return eventstore.Commit{}, err
	}
	m.mu.Lock()
	m.appends++
	n := m.appends
	m.mu.Unlock()
	if m.before != nil {
		if err := m.before(n, a); err != nil {
			return eventstore.Commit{}, err
		}
	}
	commit, err := m.write(a)
	if err == nil && m.after != nil {
		if err := m.after(n); err != nil {
			return eventstore.Commit{}, err
		}
	}
	return commit, err
}

func (m *memory) write(a eventstore.Append) (eventstore.Commit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if first, ok := m.commits[a.Command.CommandKey]; ok {
		if first.Fingerprint != a.Command.Fingerprint {
			return eventstore.Commit{}, eventstore.ErrCommandReused
		}
		first.Repeated = true
		return first, nil
	}
	for stream, expected := range a.Streams() {
		if actual := m.version(stream); actual != expected {
			return eventstore.Commit{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
		}
	}
	commit := eventstore.Commit{Events: a.At(domain.Position(len(m.events))), Fingerprint: a.Command.Fingerprint}
	m.events = append(m.events, commit.Events...)
	if m.commits == nil {
		m.commits = make(map[eventstore.CommandKey]eventstore.Commit)
	}
	m.commits[a.Command.CommandKey] = commit
	return commit, nil
}

func (m *memory) version(stream domain.StreamID) (version int64) {
	for _, e := range m.events {
		if e.Stream == stream {
			version = e.Version
		}
	}
	return version
}

func (m *memory) Committed(_ context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lookUps++
	commit, ok := m.commits[key]
	return commit, ok, nil
}

func (m *memory) Load(ctx context.Context, stream domain.StreamID) ([]eventstore.Event, error) {
	if m.loading != nil {
		if err := m.loading(stream); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	var events []eventstore.Event
	for _, e := range m.events {
		if e.Stream == stream {
			events = append(events, e)
		}
	}
	return events, ctx.Err()
}

// all returns all events of the log.
func (m *memory) all() []eventstore.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// types returns the wire names of the events after a position.
func (m *memory) types(after domain.Position) (names []string) {
	for _, e := range m.all()[after:] {
		names = append(names, e.Type)
	}
	return names
}

// world is a handler over a log in memory, with the credentials it saved.
type world struct {
	*command.Handler
	log *memory

	mu    sync.Mutex
	saved map[domain.UserID]string
	saves int
}

const secret = "correct horse battery"

// noon is the time of everything, more precise than the log records.
var noon = time.Date(2025, 3, 1, 12, 0, 0, 123_456_789, time.FixedZone("east", 3600))

func newWorld() *world {
	w := &world{log: &memory{}, saved: make(map[domain.UserID]string)}
	w.Handler = w.newHandler(1)
	return w
}

// newHandler returns another handler over the same log, like that of another
// server. Handlers with different numbers generate different ids.
func (w *world) newHandler(server byte) *command.Handler {
	var n atomic.Uint64
	return &command.Handler{
		Events: w.log,
		Now:    func() time.Time { return noon },
		NewID: func() [16]byte {
			id := [16]byte{0: 0x01, 1: 0x95, 6: 0x70, 8: 0x80, 9: server}
			binary.BigEndian.PutUint32(id[12:], uint32(n.Add(1)))
			return id
		},
		SaveCredential: func(_ context.Context, user domain.UserID, password string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.saved[user] = password
			w.saves++
			return nil
		},
	}
}

func (w *world) credentials() map[domain.UserID]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.saved)
}

// register creates an account.
func (w *world) register(t *testing.T, username string) command.User {
	t.Helper()
	r, err := w.RegisterUser(t.Context(), command.RegisterUser{Username: username, Password: secret})
	if err != nil {
		t.Fatalf("RegisterUser %s: %v", username, err)
	}
	return r.User
}

// head is the position of the last event.
func (w *world) head() domain.Position { return domain.Position(len(w.log.all())) }

// wantAppended checks the wire names of what was appended after a position.
func (w *world) wantAppended(t *testing.T, after domain.Position, want ...string) {
	t.Helper()
	if got := w.log.types(after); !slices.Equal(got, want) {
		t.Errorf("appended after %d: got %v, want %v", after, got, want)
	}
}

func wantKind(t *testing.T, what string, err error, want domain.Kind) {
	t.Helper()
	if err == nil || domain.KindOf(err) != want {
		t.Errorf("%s: got error %v of kind %d, want kind %d", what, err, domain.KindOf(err), want)
	}
}

func as(id string) command.Meta { return command.Meta{CommandID: id} }

// outage returns the error of a store that cannot be reached.
func outage() error { return domain.Errorf(domain.Unavailable, "the store is away") }
