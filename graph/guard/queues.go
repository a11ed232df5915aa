package guard

import (
	"context"
	"sync"
)

// queues lets one call at a time through for each name, the others in the order in
// which they came.
type queues struct {
	mu     sync.Mutex
	byName map[string]*queue
}

// queue is the queue of one name. The call that is let through has sent to turn; the
// runtime lets those that wait to send go in order.
type queue struct {
	turn  chan struct{}
	users int
}

// enter waits for the turn of a name, which the call has until leave.
func (q *queues) enter(ctx context.Context, name string) (leave func(), err error) {
	one := q.join(name)
	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; q.part(name, one) }, nil
	case <-ctx.Done():
		q.part(name, one)
		return nil, ctx.Err()
	}
}

func (q *queues) join(name string) *queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	one := q.byName[name]
	if one == nil {
		if q.byName == nil {
			q.byName = map[string]*queue{}
		}
		one = &queue{turn: make(chan struct{}, 1)}
		q.byName[name] = one
	}
	one.users++
	return one
}

func (q *queues) part(name string, one *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(q.byName, name)
	}
}
