package ws

import (
	"container/list"
	"context"
)

// room is how many bytes of messages a socket may have queued. A goroutine reserves
// room for a message before it queues it, and waits its turn if there is none, so that
// a client that reads gets all that it asked for, however slowly.
type room struct {
	most     int
	reserved int
	waiting  list.List // of *reservation
}

type reservation struct {
	n       int
	granted chan struct{}
}

// fits reports whether there is room. A single message may be larger than the queue.
func (r *room) fits(n int) bool { return r.reserved == 0 || r.reserved+n <= r.most }

// free takes room back, and grants it to those who wait.
func (r *room) free(n int) {
	r.reserved = max(0, r.reserved-n)
	for e := r.waiting.Front(); e != nil && r.fits(e.Value.(*reservation).n); e = r.waiting.Front() {
		r.waiting.Remove(e)
		r.reserved += e.Value.(*reservation).n
		close(e.Value.(*reservation).granted)
	}
}

// reserve waits for room for a message of n bytes. It returns false if the socket is
// closing or ctx ends.
func (o *outbox) reserve(ctx context.Context, n int) bool {
	o.mu.Lock()
	if o.reason != nil {
		o.mu.Unlock()
		return false
	}
	if o.room.waiting.Len() == 0 && o.room.fits(n) {
		o.room.reserved += n
		o.mu.Unlock()
		return true
	}
	mine := &reservation{n, make(chan struct{})}
	place := o.room.waiting.PushBack(mine)
	o.mu.Unlock()
	select {
	case <-mine.granted:
		return true
	case <-o.closing.Done():
	case <-ctx.Done():
	}
	o.withdraw(mine, place)
	return false
}

// tryReserve reserves room for a message of n bytes if there is some.
func (o *outbox) tryReserve(n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reason != nil || o.room.waiting.Len() > 0 || !o.room.fits(n) {
		return false
	}
	o.room.reserved += n
	return true
}

// withdraw takes a reservation back that may have been granted meanwhile.
func (o *outbox) withdraw(mine *reservation, place *list.Element) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-mine.granted:
		o.room.free(mine.n)
	default:
		o.room.waiting.Remove(place)
		o.room.free(0) // those behind it may fit
	}
}

// unreserve takes back room that is not used.
func (o *outbox) unreserve(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.room.free(n)
}

// waitForRoom waits until half of the queue is free.
func (o *outbox) waitForRoom(ctx context.Context) {
	if half := o.limits.SocketQueue / 2; o.reserve(ctx, half) {
		o.unreserve(half)
	}
}

// hasRoom reports whether half of the queue is free.
func (o *outbox) hasRoom() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reason == nil && o.room.waiting.Len() == 0 && o.room.fits(o.limits.SocketQueue/2)
}
