package transport

import (
	"context"
	"errors"
	"sync"

	"chirp/internal/domain"
)

// streams are the connections that stay open by themselves.
type connections struct {
	mu       sync.Mutex
	draining error
	open     map[*connection]struct{}
	empty    chan struct{} // closed when draining and nothing is open
}

// stream is one of them. end is called at most once, when draining begins.
type connection struct{ end func(why error) }

func newConnections() *connections {
	return &connections{open: map[*connection]struct{}{}, empty: make(chan struct{})}
}

// Open keeps a stream until remove is called, or says why it must not begin.
func (s *connections) Open(end func(why error)) (remove func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining != nil {
		return nil, s.draining
	}
	one := &connection{end: end}
	s.open[one] = struct{}{}
	return func() { s.remove(one) }, nil
}

func (s *connections) remove(one *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one)
	if s.draining != nil && len(s.open) == 0 {
		closeOnce(s.empty)
	}
}

// closeOnce closes a channel that its one closer may have closed before.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

func (s *connections) drain(ctx context.Context, reason string) error {
	s.mu.Lock()
	if s.draining == nil {
		s.draining = domain.Errorf(domain.Unavailable, "%s", reason)
	}
	for one := range s.open {
		one.end(s.draining)
	}
	if len(s.open) == 0 {
		closeOnce(s.empty)
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("some streams are still open"), ctx.Err())
	}
}
