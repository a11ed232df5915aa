package graph

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// errReadBroken is what others get when the one who reads for them panics.
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

// scope is what the resolvers of one response share: the view that they read
// from, opened when the first of them needs it, and who is asking. A response
// has one view at most. It gives an older one back before it opens a newer one,
// because the store has only so many: responses that kept one while they wait
// for another would wait for each other.
type scope struct {
	views  *views
	viewer domain.UserID
	after  domain.Position // what the client wants to see at least
	pushed bool            // the response is one of a subscription

	opening sync.Mutex // held while a view is opened

	mu      sync.Mutex
	current *lens // nil if none is open
	refused *refusedView
}

// refusedView is a view that could not be opened. The fields of one response
// are told so one after the other; each of them waiting for as long again would
// take minutes.
type refusedView struct {
	since domain.Position
	err   error
}

// lens is a view as one response sees it.
type lens struct {
	*view
	follows *loader[readmodel.UserKey, bool]

	giveBack func()
	users    int           // guarded by scope.mu
	retired  bool          // no one else may begin to use it; guarded by scope.mu
	gone     chan struct{} // closed when the view was given back
}

type scopeKey struct{}

func withScope(ctx context.Context, s *scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// look calls read with the response's view, which shows at least a position.
// Resolvers below a mutation name the mutation's own. The view stays open until
// read returns; read must not look again.
func look[T any](ctx context.Context, since domain.Position, read func(*lens) (T, error)) (T, error) {
	var none T
	s, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		return none, errors.New("a resolver ran outside of a response")
	}
	l, err := s.use(ctx, max(since, s.after))
	if err != nil {
		return none, err
	}
	defer s.leave(l)
	return read(l)
}

// use returns a lens that shows at least a position, which the caller leaves.
func (s *scope) use(ctx context.Context, since domain.Position) (*lens, error) {
	if l, err := s.join(since); l != nil || err != nil {
		return l, err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if l, err := s.join(since); l != nil || err != nil { // another field has opened it meanwhile
		return l, err
	}
	if err := s.close(ctx); err != nil {
		return nil, err
	}
	v, giveBack, err := s.open(ctx, since)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			s.refused = &refusedView{since, err}
		}
		return nil, err
	}
	s.current = &lens{view: v, giveBack: giveBack, users: 1, gone: make(chan struct{}), follows: newLoader(s.followsIn(v))}
	return s.current, nil
}

// join returns the lens that is there, with one more user, or nil if there is
// none that shows a position.
func (s *scope) join(since domain.Position) (*lens, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current != nil && s.current.Checkpoint() >= since:
		s.current.users++
		return s.current, nil
	case s.refused != nil && since >= s.refused.since:
		return nil, s.refused.err
	default:
		return nil, nil
	}
}

func (s *scope) leave(l *lens) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.users--; l.users == 0 && l.retired {
		l.end()
	}
}

// close gives the view back, as soon as none of the response's fields reads
// from it any more, and waits for that.
func (s *scope) close(ctx context.Context) error {
	s.mu.Lock()
	l := s.current
	if s.current = nil; l != nil {
		if l.retired = true; l.users == 0 {
			l.end()
		}
	}
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lens) end() {
	l.giveBack()
	close(l.gone)
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

// afterMutation gives the view back when a mutation and what is asked below it
// are done: the next one may wait for its turn to write, or to hash a password.
func afterMutation(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	answer := next(ctx)
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok && graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		_ = s.close(ctx) // fails only with ctx, and then the view goes with its last user
	}
	return answer
}

func (s *scope) followsIn(v *view) func(context.Context, []readmodel.UserKey) (map[readmodel.UserKey]bool, error) {
	return func(ctx context.Context, keys []readmodel.UserKey) (map[readmodel.UserKey]bool, error) {
		return followsOf(ctx, v, s.viewer, keys)
	}
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
