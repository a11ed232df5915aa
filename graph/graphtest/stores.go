package graphtest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// memoryLog is a log in memory.
type memoryLog struct {
	eventstore.Log // nil, for the methods that are not called

	tail   eventstore.Tail
	Mu     sync.Mutex
	events []eventstore.Event
	prints map[eventstore.CommandKey]string
	Outage error
}

func (l *memoryLog) Append(_ context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if err := a.Check(); err != nil {
		return eventstore.Commit{}, err
	}
	l.Mu.Lock()
	defer l.Mu.Unlock()
	if l.Outage != nil {
		return eventstore.Commit{}, l.Outage
	}
	if print, used := l.prints[a.Command.CommandKey]; used {
		if print != a.Command.Fingerprint {
			return eventstore.Commit{}, eventstore.ErrCommandReused
		}
		return l.committed(a.Command.CommandKey), nil
	}
	for stream, expected := range a.Streams() {
		if actual := int64(len(l.stream(stream))); actual != expected {
			return eventstore.Commit{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
		}
	}
	events := a.At(domain.Position(len(l.events)))
	l.events = append(l.events, events...)
	if l.prints == nil {
		l.prints = map[eventstore.CommandKey]string{}
	}
	l.prints[a.Command.CommandKey] = a.Command.Fingerprint
	l.tail.Publish(events)
	return eventstore.Commit{Events: events, Fingerprint: a.Command.Fingerprint}, nil
}

func (l *memoryLog) stream(id domain.StreamID) (events []eventstore.Event) {
	for _, e := range l.events {
		if e.Stream == id {
			events = append(events, e)
		}
	}
	return events
}

func (l *memoryLog) committed(key eventstore.CommandKey) eventstore.Commit {
	c := eventstore.Commit{Fingerprint: l.prints[key], Repeated: true}
	for _, e := range l.events {
		if e.Actor == key.Actor && e.CommandID == key.ID {
			c.Events = append(c.Events, e)
		}
	}
	return c
}

func (l *memoryLog) Committed(_ context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	l.Mu.Lock()
	defer l.Mu.Unlock()
	_, found := l.prints[key]
	return l.committed(key), found, l.Outage
}

func (l *memoryLog) Load(_ context.Context, id domain.StreamID) ([]eventstore.Event, error) {
	l.Mu.Lock()
	defer l.Mu.Unlock()
	return l.stream(id), l.Outage
}

func (l *memoryLog) ReadAll(_ context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	l.Mu.Lock()
	defer l.Mu.Unlock()
	rest := l.events[min(int(after), len(l.events)):]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (l *memoryLog) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	l.Mu.Lock()
	defer l.Mu.Unlock()
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
	l.Mu.Lock()
	defer l.Mu.Unlock()
	return eventstore.Head{Epoch: "an-epoch", Position: domain.Position(len(l.events))}, nil
}

// Last returns the last event.
func (l *memoryLog) Last() eventstore.Event {
	l.Mu.Lock()
	defer l.Mu.Unlock()
	return l.events[len(l.events)-1]
}

// memoryCredentials stores hashes in memory.
type memoryCredentials struct {
	auth.Credentials
	mu     sync.Mutex
	hashes map[domain.UserID]string
}

func (c *memoryCredentials) SaveCredential(_ context.Context, user domain.UserID, hash string, _ time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hashes == nil {
		c.hashes = map[domain.UserID]string{}
	}
	c.hashes[user] = hash
	return nil
}

func (c *memoryCredentials) Credential(_ context.Context, user domain.UserID) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if hash, ok := c.hashes[user]; ok {
		return hash, nil
	}
	return "", auth.ErrNoCredential
}

// spyViews is a read model that counts its snapshots and the reads from them, and
// that can be made to fail.
type spyViews struct {
	readmodel.Store
	Open, Opened, Reads atomic.Int64
	Most                atomic.Int64 // open at once
	failure             atomic.Pointer[error]
	PanicOnTimelines    atomic.Bool // makes reads of timelines panic
}

// Fail makes all snapshots fail from now on.
func (v *spyViews) Fail(err error) { v.failure.Store(&err) }

func (v *spyViews) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	if err := v.failure.Load(); err != nil && *err != nil {
		return nil, *err
	}
	s, err := v.Store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	v.Opened.Add(1)
	for now := v.Open.Add(1); ; {
		most := v.Most.Load()
		if now <= most || v.Most.CompareAndSwap(most, now) {
			break
		}
	}
	return &spySnapshot{Snapshot: s, spy: v}, nil
}

type spySnapshot struct {
	readmodel.Snapshot
	spy    *spyViews
	closed atomic.Bool
}

// read counts a read. It panics if the snapshot is closed.
func (s *spySnapshot) read() readmodel.Snapshot {
	if s.closed.Load() {
		panic("read from a closed snapshot")
	}
	s.spy.Reads.Add(1)
	return s.Snapshot
}

func (s *spySnapshot) Close() {
	if s.closed.Swap(true) {
		panic("closed a snapshot twice")
	}
	s.spy.Open.Add(-1)
	s.Snapshot.Close()
}

func (s *spySnapshot) ProfileByID(ctx context.Context, id domain.UserID) (readmodel.Profile, error) {
	return s.read().ProfileByID(ctx, id)
}

func (s *spySnapshot) ProfileByName(ctx context.Context, name domain.Username) (readmodel.Profile, error) {
	if name == "panics" {
		panic("a bug at 10.0.0.1")
	}
	if name == "fails" {
		return readmodel.Profile{}, fmt.Errorf("dial 10.0.0.1: a secret")
	}
	return s.read().ProfileByName(ctx, name)
}

func (s *spySnapshot) Profiles(ctx context.Context, keys []readmodel.UserKey) ([]readmodel.Profile, error) {
	return s.read().Profiles(ctx, keys)
}

func (s *spySnapshot) ChirpByID(ctx context.Context, id domain.ChirpID) (readmodel.Chirp, error) {
	return s.read().ChirpByID(ctx, id)
}

func (s *spySnapshot) ChirpsBy(ctx context.Context, author readmodel.UserKey, w readmodel.Window) ([]readmodel.Chirp, error) {
	return s.read().ChirpsBy(ctx, author, w)
}

func (s *spySnapshot) Timeline(ctx context.Context, owner readmodel.UserKey, w readmodel.Window) ([]readmodel.Chirp, error) {
	if s.spy.PanicOnTimelines.Load() {
		panic(Secret)
	}
	return s.read().Timeline(ctx, owner, w)
}

func (s *spySnapshot) PullFollowees(ctx context.Context, owner readmodel.UserKey) ([]readmodel.UserKey, error) {
	return s.read().PullFollowees(ctx, owner)
}

func (s *spySnapshot) PullChirps(ctx context.Context, authors []readmodel.UserKey, w readmodel.Window) ([]readmodel.Chirp, error) {
	return s.read().PullChirps(ctx, authors, w)
}

func (s *spySnapshot) Followers(ctx context.Context, followee readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return s.read().Followers(ctx, followee, w)
}

func (s *spySnapshot) Following(ctx context.Context, follower readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return s.read().Following(ctx, follower, w)
}

func (s *spySnapshot) Follows(ctx context.Context, follower readmodel.UserKey, followees []readmodel.UserKey) ([]readmodel.Follow, error) {
	return s.read().Follows(ctx, follower, followees)
}

func (s *spySnapshot) FolloweeIDs(ctx context.Context, follower readmodel.UserKey) ([]domain.UserID, error) {
	return s.read().FolloweeIDs(ctx, follower)
}
