package graph

import (
	"context"
	"sync"
	"time"

	"chirp/graph/panics"
	"chirp/internal/domain"
	"chirp/internal/query"
)

const (
	// openTimeout bounds the opening of a view for many responses at once. Those
	// are pushed, so that no client counts the seconds, while an error would cost
	// each subscriber an item: it is tried again while the store is busy.
	openTimeout = 10 * time.Second
	openPause   = 50 * time.Millisecond
)

// views opens views, and lets responses that are pushed at the same time for
// the same position share one: many subscribers of one chirp then read its
// author once.
type views struct {
	queries *query.Service

	mu     sync.Mutex
	shared map[domain.Position]*sharedView
}

type sharedView struct {
	cancel context.CancelFunc // ends the opening
	opened chan struct{}

	// Set before opened is closed.
	view *view
	err  error

	users int // guarded by views.mu
}

func newViews(queries *query.Service) *views {
	return &views{queries: queries, shared: map[domain.Position]*sharedView{}}
}

// share gives a view of at least a position, and what to call when it is no
// longer needed. The first caller opens it and the last one closes it.
func (s *views) share(ctx context.Context, at domain.Position) (*view, func(), error) {
	entry := s.entry(ctx, at)
	release := func() { s.release(at, entry) }
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
	return entry.view, release, nil
}

// entry returns the shared view of a position, with one more user. It begins to
// open one if there is none.
func (s *views) entry(ctx context.Context, at domain.Position) *sharedView {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.shared[at]
	if entry == nil {
		// One subscriber's going must not fail the others.
		opening, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
		entry = &sharedView{opened: make(chan struct{}), cancel: cancel}
		s.shared[at] = entry
		go s.openShared(opening, at, entry)
	}
	entry.users++
	return entry
}

func (s *views) openShared(ctx context.Context, at domain.Position, entry *sharedView) {
	var v *view
	err := panics.Guard(ctx, func() (err error) {
		v, err = s.openPatiently(ctx, at)
		return err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.view, entry.err = v, err
	close(entry.opened)
	if entry.users == 0 && v != nil { // they have all gone meanwhile
		v.Close()
	}
}

// openPatiently opens a view, and tries again while the store is busy.
func (s *views) openPatiently(ctx context.Context, at domain.Position) (*view, error) {
	for {
		v, err := s.open(ctx, at)
		if domain.KindOf(err) != domain.Unavailable || !rest(ctx) {
			return v, err
		}
	}
}

// rest pauses for a moment. It returns false if ctx ends meanwhile.
func rest(ctx context.Context) bool {
	timer := time.NewTimer(openPause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (s *views) release(at domain.Position, entry *sharedView) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry.users--; entry.users > 0 {
		return
	}
	delete(s.shared, at)
	entry.cancel()
	if entry.view != nil {
		entry.view.Close()
	}
}
