package projector_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// memoryLog is a log in memory, without command ids. Its events can be tampered
// with, which no real log allows.
type memoryLog struct {
	eventstore.Log // nil: there is no import

	mu       sync.Mutex
	epoch    string
	events   []eventstore.Event
	versions map[domain.StreamID]int64 // of the streams
	tail     eventstore.Tail
}

func newMemoryLog() *memoryLog {
	return &memoryLog{epoch: "epoch-1", versions: make(map[domain.StreamID]int64)}
}

func (l *memoryLog) Append(_ context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if err := a.Check(); err != nil {
		return eventstore.Commit{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for stream, expected := range a.Streams() {
		if actual := l.versions[stream]; actual != expected {
			return eventstore.Commit{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
		}
	}
	for _, e := range a.Events {
		l.versions[e.Stream]++
	}
	events := a.At(domain.Position(len(l.events)))
	l.events = append(l.events, events...)
	l.tail.Publish(events)
	return eventstore.Commit{Events: events, Fingerprint: a.Command.Fingerprint}, nil
}

func (l *memoryLog) Load(_ context.Context, stream domain.StreamID) ([]eventstore.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []eventstore.Event
	for _, e := range l.events {
		if e.Stream == stream {
			found = append(found, e)
		}
	}
	return found, nil
}

func (l *memoryLog) Committed(context.Context, eventstore.CommandKey) (eventstore.Commit, bool, error) {
	return eventstore.Commit{}, false, errors.New("this log keeps no command ids")
}

func (l *memoryLog) ReadAll(_ context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	later := l.events[min(int(after), len(l.events)):]
	return slices.Clone(later[:min(limit, len(later))]), nil
}

func (l *memoryLog) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hashes := make(map[domain.Position]domain.EventHash)
	for _, at := range positions {
		if at > 0 && int(at) <= len(l.events) {
			hashes[at] = l.events[at-1].Hash()
		}
	}
	return hashes, nil
}

func (l *memoryLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return l.tail.Follow(ctx, after, l.ReadAll)
}

func (l *memoryLog) Head(context.Context) (eventstore.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return eventstore.Head{Epoch: l.epoch, Position: domain.Position(len(l.events))}, nil
}

// tamper changes a stored event.
func (l *memoryLog) tamper(at domain.Position, change func(*eventstore.Event)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.events[at-1])
	l.tail.Reset()
}
