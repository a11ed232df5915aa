package graph

import (
	"context"
	"errors"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// errReadPanicked is what fields get that wait for another field's read, if that
// read panics.
var errReadPanicked = errors.New("a read did not finish")

// snapshot is one snapshot of the read model, with loaders that batch the reads
// from it.
type snapshot struct {
	*query.Reader
	authors  *loader[readmodel.UserKey, readmodel.User]
	profiles *loader[readmodel.UserKey, readmodel.Profile]
	byID     *loader[domain.UserID, readmodel.Profile]
}

// open opens a snapshot that shows at least a position, which the caller closes.
func (s *snapshots) open(ctx context.Context, readAfter domain.Position) (*snapshot, error) {
	reader, err := s.queries.Open(ctx, readAfter)
	if err != nil {
		return nil, err
	}
	v := &snapshot{Reader: reader, authors: newLoader(reader.UsersByKey), profiles: newLoader(reader.ProfilesByKey)}
	v.byID = newLoader(v.readByID)
	return v, nil
}

// readByID reads users one by one, because few are known by their id alone.
func (v *snapshot) readByID(ctx context.Context, ids []domain.UserID) (map[domain.UserID]readmodel.Profile, error) {
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

// responseScope is what the resolvers of one response share: who is asking, and
// the snapshot that they read from, which the first of them to need it opens.
//
// A response has at most one snapshot open. It closes an older one before it
// opens a newer one, because the store can open only so many: responses that
// each held one while waiting for another would deadlock.
type responseScope struct {
	snapshots    *snapshots
	viewer       domain.UserID
	after        domain.Position // the least position that the client wants to see
	subscription bool            // the response belongs to a subscription

	opening sync.Mutex // held while a snapshot is opened

	mu      sync.Mutex
	current *viewerSnapshot // nil if none is open
	failed  *failedOpen     // the last failure to open one
}

// failedOpen is why no snapshot could be opened. It is kept because the fields of
// a response ask one after another: if each waited for the store as long as the
// first did, the response would take minutes.
type failedOpen struct {
	since domain.Position
	err   error
}

// viewerSnapshot is a snapshot as used by one response.
type viewerSnapshot struct {
	*snapshot
	follows *loader[readmodel.UserKey, bool]

	closeSnapshot func()
	users         int           // fields that read from it; guarded by responseScope.mu
	closing       bool          // it closes with its last user; guarded by responseScope.mu
	closed        chan struct{} // closed after closeSnapshot was called
}

type scopeKey struct{}

func withResponseScope(ctx context.Context, s *responseScope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// withSnapshot calls read with the response's snapshot, which shows at least the
// position since. Resolvers below a mutation pass the mutation's position. The
// snapshot stays open until read returns; read must not call withSnapshot.
func withSnapshot[T any](ctx context.Context, since domain.Position, read func(*viewerSnapshot) (T, error)) (T, error) {
	var none T
	s, ok := ctx.Value(scopeKey{}).(*responseScope)
	if !ok {
		return none, errors.New("a resolver ran outside a response")
	}
	snap, err := s.acquire(ctx, max(since, s.after))
	if err != nil {
		return none, err
	}
	defer s.release(snap)
	return read(snap)
}

// acquire returns a snapshot that shows at least a position, which the caller
// releases. It opens one if the one that is open is too old.
func (s *responseScope) acquire(ctx context.Context, since domain.Position) (*viewerSnapshot, error) {
	if snap, err := s.acquireOpen(since); snap != nil || err != nil {
		return snap, err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if snap, err := s.acquireOpen(since); snap != nil || err != nil { // another field opened it meanwhile
		return snap, err
	}
	if err := s.close(ctx); err != nil {
		return nil, err
	}
	v, closeSnapshot, err := s.open(ctx, since)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			s.failed = &failedOpen{since, err}
		}
		return nil, err
	}
	s.current = &viewerSnapshot{snapshot: v, closeSnapshot: closeSnapshot, users: 1, closed: make(chan struct{}), follows: newLoader(s.followsIn(v))}
	return s.current, nil
}

// acquireOpen returns the snapshot that is open, or nil if none is or it does not
// show a position. It returns an error if opening one has failed before.
func (s *responseScope) acquireOpen(since domain.Position) (*viewerSnapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current != nil && s.current.Checkpoint() >= since:
		s.current.users++
		return s.current, nil
	case s.failed != nil && since >= s.failed.since:
		return nil, s.failed.err
	default:
		return nil, nil
	}
}

func (s *responseScope) release(snap *viewerSnapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if snap.users--; snap.users == 0 && snap.closing {
		snap.close()
	}
}

// close closes the snapshot as soon as none of the response's fields reads from
// it, and waits until it is closed or ctx ends.
func (s *responseScope) close(ctx context.Context) error {
	s.mu.Lock()
	snap := s.current
	if s.current = nil; snap != nil {
		if snap.closing = true; snap.users == 0 {
			snap.close()
		}
	}
	s.mu.Unlock()
	if snap == nil {
		return nil
	}
	select {
	case <-snap.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkpoint returns that of the snapshot that is open, 0 if none is.
func (s *responseScope) checkpoint() domain.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return 0
	}
	return s.current.Checkpoint()
}

func (snap *viewerSnapshot) close() {
	snap.closeSnapshot()
	close(snap.closed)
}

func (s *responseScope) open(ctx context.Context, since domain.Position) (*snapshot, func(), error) {
	if s.subscription && since > 0 {
		return s.snapshots.share(ctx, since)
	}
	v, err := s.snapshots.open(ctx, since)
	if err != nil {
		return nil, nil, err
	}
	return v, v.Close, nil
}

// closeAfterMutation closes the snapshot after each mutation and the fields below
// it, because the next mutation may have to wait before it can write or hash a
// password. It is a root field middleware.
func closeAfterMutation(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	result := next(ctx)
	if s, ok := ctx.Value(scopeKey{}).(*responseScope); ok && graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		_ = s.close(ctx) // fails only if ctx ends, and then the last user closes it
	}
	return result
}

func (s *responseScope) followsIn(v *snapshot) func(context.Context, []readmodel.UserKey) (map[readmodel.UserKey]bool, error) {
	return func(ctx context.Context, keys []readmodel.UserKey) (map[readmodel.UserKey]bool, error) {
		return v.ViewerFollows(ctx, s.viewer, keys)
	}
}
