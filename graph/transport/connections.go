package transport

import (
	"context"
	"errors"
	"sync"

	"chirp/internal/domain"
)

// connections are the sockets and streams that are open.
type connections struct {
	mu       sync.Mutex
	draining error
	open     map[*connection]struct{}
	empty    chan struct{} // closed when none is open while draining
}

// connection is one of them. end is called at most once, when draining starts.
type connection struct{ end func(why error) }

func newConnections() *connections {
	return &connections{open: map[*connection]struct{}{}, empty: make(chan struct{})}
}

// Open registers a connection until remove is called. It returns an error while the
// server drains. end is called at most once, when draining starts.
func (c *connections) Open(end func(why error)) (remove func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining != nil {
		return nil, c.draining
	}
	one := &connection{end: end}
	c.open[one] = struct{}{}
	return func() { c.remove(one) }, nil
}

func (c *connections) remove(one *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, one)
	if c.draining != nil && len(c.open) == 0 {
		closeOnce(c.empty)
	}
}

// closeOnce closes a channel unless it is closed. It is not safe for concurrent use.
func closeOnce(ch chan struct{}) {
	select {
	case <-ch:
	default:
		close(ch)
	}
}

func (c *connections) drain(ctx context.Context, reason string) error {
	c.mu.Lock()
	if c.draining == nil {
		c.draining = domain.Errorf(domain.Unavailable, "%s", reason)
	}
	for one := range c.open {
		one.end(c.draining)
	}
	if len(c.open) == 0 {
		closeOnce(c.empty)
	}
	c.mu.Unlock()
	select {
	case <-c.empty:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("some connections are still open"), ctx.Err())
	}
}
