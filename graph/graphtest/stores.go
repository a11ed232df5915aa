package graphtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/readmodel"
)

// memoryLog is a log in memory that commands can be kept from.
type memoryLog struct {
	*eventstoretest.Memory

	Mu     sync.Mutex
	Outage error // of all that commands call
}

func (l *memoryLog) outage() error {
	l.Mu.Lock()
	defer l.Mu.Unlock()
	return l.Outage
}

func (l *memoryLog) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	if err := l.outage(); err != nil {
		return eventstore.Commit{}, err
	}
	return l.Memory.Append(ctx, a)
}

func (l *memoryLog) Committed(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	if err := l.outage(); err != nil {
		return eventstore.Commit{}, false, err
	}
	return l.Memory.Committed(ctx, key)
}

func (l *memoryLog) Load(ctx context.Context, id domain.StreamID) ([]eventstore.Event, error) {
	if err := l.outage(); err != nil {
		return nil, err
	}
	return l.Memory.Load(ctx, id)
}

// Last returns the last event.
func (l *memoryLog) Last() eventstore.Event {
	head, _ := l.Head(context.Background())
	last, _ := l.ReadAll(context.Background(), head.Position-1, 1)
	return last[0]
}

// memoryCredentials stores hashes and sessions in memory.
type memoryCredentials struct {
	uncalled
	authtest.Networks
	authtest.Memory

	mu     sync.Mutex
	hashes map[domain.UserID]string
}

// uncalled has the methods that the API does not call. It is nil.
type uncalled struct{ auth.Credentials }

func newMemoryCredentials() *memoryCredentials {
	c := &memoryCredentials{hashes: map[domain.UserID]string{}}
	c.Rehash = func(user domain.UserID, next func(hash string) string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if hash, there := c.hashes[user]; there {
			c.hashes[user] = next(hash)
		} else {
			next("")
		}
	}
	return c
}

func (c *memoryCredentials) SaveCredential(_ context.Context, user domain.UserID, hash string, _ time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
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

func (s *spySnapshot) Chirps(ctx context.Context, at []domain.Position) ([]readmodel.Chirp, error) {
	return s.read().Chirps(ctx, at)
}

func (s *spySnapshot) ChirpsBy(ctx context.Context, author readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	return s.read().ChirpsBy(ctx, author, w)
}

func (s *spySnapshot) Timeline(ctx context.Context, owner readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	if s.spy.PanicOnTimelines.Load() {
		panic(Secret)
	}
	return s.read().Timeline(ctx, owner, w)
}

func (s *spySnapshot) Sources(ctx context.Context, owner readmodel.UserKey, after domain.Position) ([]readmodel.Source, error) {
	return s.read().Sources(ctx, owner, after)
}

func (s *spySnapshot) SourceChirps(ctx context.Context, sources []readmodel.Source, w readmodel.Window) ([]domain.Position, error) {
	return s.read().SourceChirps(ctx, sources, w)
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
