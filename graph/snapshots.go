package graph

import (
	"context"
	"sync"
	"time"

	"chirp/graph/panics"
	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/query"
)

const (
	// sharedOpenTimeout bounds the opening of a shared snapshot, which is retried
	// while the store is busy. It is long because no client waits for a push, while
	// an error would cost each subscriber an item.
	sharedOpenTimeout = 10 * time.Second
	// sharedOpenPause is the time between two attempts.
	sharedOpenPause = 50 * time.Millisecond
)

// snapshots opens snapshots. Responses that are pushed at the same time for the
// same position share one, so that the author of a chirp is read once for all
// subscribers who get it.
type snapshots struct {
	queries *query.Service

	mu     sync.Mutex
	shared map[domain.Position]*sharedSnapshot
}

// sharedSnapshot is a snapshot that several responses use.
type sharedSnapshot struct {
	cancel context.CancelFunc // ends the opening
	opened chan struct{}

	// These are set before opened is closed.
	snapshot *snapshot
	err      error

	users int // guarded by snapshots.mu
}

func newSnapshots(queries *query.Service) *snapshots {
	return &snapshots{queries: queries, shared: map[domain.Position]*sharedSnapshot{}}
}

// share returns a snapshot that shows at least a position, and a function to call
// when it is no longer needed. The first caller opens the snapshot and the last
// one closes it.
func (s *snapshots) share(ctx context.Context, at domain.Position) (*snapshot, func(), error) {
	entry := s.acquireShared(ctx, at)
	release := func() { s.releaseShared(at, entry) }
	select {
	case <-entry.opened:
	case <-ctx.Done():
		release()
		return nil, nil, ctx.Err()
	}
	if entry.err != nil {
		release()
		return nil, nil, entry.err
	}
	return entry.snapshot, release, nil
}

// acquireShared returns the shared snapshot of a position with one more user. If
// there is none it starts to open one.
func (s *snapshots) acquireShared(ctx context.Context, at domain.Position) *sharedSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.shared[at]
	if entry == nil {
		// If this subscriber leaves, the others still want the snapshot.
		opening, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedOpenTimeout)
		entry = &sharedSnapshot{opened: make(chan struct{}), cancel: cancel}
		s.shared[at] = entry
		go s.openShared(opening, at, entry)
	}
	entry.users++
	return entry
}

func (s *snapshots) openShared(ctx context.Context, at domain.Position, entry *sharedSnapshot) {
	var v *snapshot
	err := panics.Guard(ctx, func() (err error) {
		v, err = s.openRetrying(ctx, at)
		return err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.snapshot, entry.err = v, err
	close(entry.opened)
	if entry.users == 0 && v != nil { // all users have left meanwhile
		v.Close()
	}
}

// openRetrying opens a snapshot, and tries again while the store is busy.
func (s *snapshots) openRetrying(ctx context.Context, at domain.Position) (*snapshot, error) {
	for {
		v, err := s.open(ctx, at)
		if domain.KindOf(err) != domain.Unavailable || !outage.Pause(ctx, sharedOpenPause) {
			return v, err
		}
	}
}

func (s *snapshots) releaseShared(at domain.Position, entry *sharedSnapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry.users--; entry.users > 0 {
		return
	}
	delete(s.shared, at)
	entry.cancel()
	if entry.snapshot != nil {
		entry.snapshot.Close()
	}
}
