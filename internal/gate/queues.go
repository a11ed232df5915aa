package gate

import (
	"context"
	"sync"
)

// Queues let one call at a time through for each name, the others in the order in which
// they came. The zero value has no calls.
type Queues[Name comparable] struct {
	mu     sync.Mutex
	byName map[Name]*queue
}

// queue is the queue of one name. The call that is let through has sent to turn; the
// runtime lets those that wait to send go in order.
type queue struct {
	turn  chan struct{}
	users int
}

// Enter waits for the turn of a call, which has it until leave. It returns the error of
// ctx if that ends first.
func (q *Queues[Name]) Enter(ctx context.Context, name Name) (leave func(), err error) {
	one := q.join(name)
	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; q.part(name, one) }, nil
	case <-ctx.Done():
		q.part(name, one)
		return nil, ctx.Err()
	}
}

// Has reports whether a name has calls.
func (q *Queues[Name]) Has(name Name) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.byName[name] != nil
}

// Len returns how many names have calls.
func (q *Queues[Name]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.byName)
}

func (q *Queues[Name]) join(name Name) *queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	one := q.byName[name]
	if one == nil {
		if q.byName == nil {
			q.byName = map[Name]*queue{}
		}
		one = &queue{turn: make(chan struct{}, 1)}
		q.byName[name] = one
	}
	one.users++
	return one
}

func (q *Queues[Name]) part(name Name, one *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(q.byName, name)
	}
}
