package command_test

import (
	"context"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
)

// memory is a log in memory that implements what commands use. Its hooks cause
// what a real store does only occasionally.
type memory struct {
	*eventstoretest.Memory

	mu      sync.Mutex
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

func (m *memory) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	m.mu.Lock()
	m.appends++
	n := m.appends
	m.mu.Unlock()
	if m.before != nil {
		if err := m.before(n, a); err != nil {
			return eventstore.Commit{}, err
		}
	}
	commit, err := m.Memory.Append(ctx, a)
	if err == nil && m.after != nil {
		if err := m.after(n); err != nil {
			return eventstore.Commit{}, err
		}
	}
	return commit, err
}

func (m *memory) Committed(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	m.mu.Lock()
	m.lookUps++
	m.mu.Unlock()
	return m.Memory.Committed(ctx, key)
}

func (m *memory) Load(ctx context.Context, stream domain.StreamID) ([]eventstore.Event, error) {
	if m.loading != nil {
		if err := m.loading(stream); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	m.loads++
	m.mu.Unlock()
	return m.Memory.Load(ctx, stream)
}

// all returns all events of the log.
func (m *memory) all() []eventstore.Event {
	events, _ := m.ReadAll(context.Background(), 0, math.MaxInt)
	return events
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
	w := &world{log: &memory{Memory: eventstoretest.NewMemory()}, saved: make(map[domain.UserID]string)}
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
