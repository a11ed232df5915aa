package graph

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// openTimeout bounds the opening of a view for many responses at once.
const openTimeout = 10 * time.Second

var errReadBroken = errors.New("a read did not finish")

// view is one reading of the read model with the loaders over it.
type view struct {
	*query.Reader
	profiles *loader[readmodel.UserKey, readmodel.Profile]
	byID     *loader[domain.UserID, readmodel.Profile]
}

func (s *views) open(ctx context.Context, readAfter domain.Position) (*view, error) {
	reader, err := s.queries.Open(ctx, readAfter)
	if err != nil {
		return nil, err
	}
	v := &view{Reader: reader, profiles: newLoader(reader.ProfilesByKey)}
	v.byID = newLoader(v.readByID)
	return v, nil
}

// readByID reads users one by one: few are known by their id alone.
func (v *view) readByID(ctx context.Context, ids []domain.UserID) (map[domain.UserID]readmodel.Profile, error) {
	found := make(map[domain.UserID]readmodel.Profile, len(ids))
	for _, id := range ids {
		p, err := v.Profile(ctx, id)
		if domain.KindOf(err) == domain.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[id] = p
	}
	return found, nil
}

// views opens views, and lets responses that are pushed at the same time for
// the same position share one: many subscribers of one chirp then read its
// author once.
type views struct {
	queries *query.Service

	mu     sync.Mutex
	shared map[domain.Position]*sharedView
}

type sharedView struct {
	opened chan struct{}
	view   *view
	err    error
	users  int // guarded by views.mu
}

func newViews(queries *query.Service) *views {
	return &views{queries: queries, shared: map[domain.Position]*sharedView{}}
}

// share gives a view of at least a position, and what to call when it is no
// longer needed. The first caller opens it and the last one closes it.
func (s *views) share(ctx context.Context, at domain.Position) (*view, func(), error) {
	s.mu.Lock()
	entry := s.shared[at]
	first := entry == nil
	if first {
		entry = &sharedView{opened: make(chan struct{}), err: errReadBroken}
		s.shared[at] = entry
	}
	entry.users++
	s.mu.Unlock()
	release := func() { s.release(at, entry) }
	if first {
		// One subscriber's going must not fail the others.
		s.openShared(context.WithoutCancel(ctx), at, entry)
	}
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

func (s *views) openShared(ctx context.Context, at domain.Position, entry *sharedView) {
	defer close(entry.opened)
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	entry.view, entry.err = s.open(ctx, at)
}

func (s *views) release(at domain.Position, entry *sharedView) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry.users--; entry.users > 0 {
		return
	}
	delete(s.shared, at)
	if entry.view != nil {
		entry.view.Close()
	}
}

// scope is what the resolvers of one response share: the view that they read
// from, opened when the first of them needs it, and who is asking.
type scope struct {
	views  *views
	viewer domain.UserID
	after  domain.Position // what the client wants to see at least
	pushed bool            // the response is one of a subscription

	mu      sync.Mutex
	current *lens
	closers []func()
}

// lens is a view as one caller sees it.
type lens struct {
	*view
	follows *loader[readmodel.UserKey, bool]
}

type scopeKey struct{}

func withScope(ctx context.Context, s *scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// look gives the response's view, which shows at least a position. Resolvers
// below a mutation name the mutation's own, and get a view of their own if the
// one that is open is older.
func look(ctx context.Context, since domain.Position) (*lens, error) {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		return nil, errors.New("a resolver ran outside of a response")
	}
	return s.look(ctx, max(since, s.after))
}

func (s *scope) look(ctx context.Context, since domain.Position) (*lens, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.Checkpoint() >= since {
		return s.current, nil
	}
	v, closer, err := s.open(ctx, since)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, closer)
	s.current = &lens{view: v, follows: newLoader(func(ctx context.Context, keys []readmodel.UserKey) (map[readmodel.UserKey]bool, error) {
		return followsOf(ctx, v, s.viewer, keys)
	})}
	return s.current, nil
}

func (s *scope) open(ctx context.Context, since domain.Position) (*view, func(), error) {
	if s.pushed && since > 0 {
		return s.views.share(ctx, since)
	}
	v, err := s.views.open(ctx, since)
	if err != nil {
		return nil, nil, err
	}
	return v, v.Close, nil
}

// close ends the views of a response that is complete.
func (s *scope) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, closer := range s.closers {
		closer()
	}
	s.current, s.closers = nil, nil
}

// followsOf says which of some users the viewer follows. An anonymous viewer,
// and one whom the views don't know yet, follow nobody.
func followsOf(ctx context.Context, v *view, viewer domain.UserID, keys []readmodel.UserKey) (map[readmodel.UserKey]bool, error) {
	if viewer == "" {
		return nil, nil
	}
	p, ok, err := v.byID.load(ctx, viewer)
	if err != nil {
		return nil, fmt.Errorf("read who is asking: %w", err)
	}
	if !ok {
		return nil, nil
	}
	return v.Follows(ctx, p.Key, keys)
}
