package subscription

import (
	"context"
	"math/rand/v2"
	"sync"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

// subscriber is a feed subscription that is live. Only queue may be used
// without the hub's lock.
type subscriber struct {
	viewer domain.UserID
	// yielded is the position up to which its consumer has every chirp: the
	// checkpoint of the catch-up read that it comes from, or beyond.
	yielded domain.Position
	// followees holds the users whom the viewer follows, each with the
	// subscriber's index in the hub's list for that author.
	followees map[domain.UserID]int
	attached  bool
	queue     *queue
}

// queue holds the chirps that wait for one subscriber. The hub never blocks when
// it adds to it.
type queue struct {
	limit int
	// wake has an element after each change.
	wake chan struct{}

	mu    sync.Mutex
	items []*Item
	// lost is the position of the first chirp that did not fit, 0 if there is
	// none. The hub detaches the subscriber then, so it adds none after it.
	lost domain.Position
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, wake: make(chan struct{}, 1)}
}

// push adds an item, and reports whether there was room for it.
func (q *queue) push(item *Item) bool {
	q.mu.Lock()
	full := len(q.items) >= q.limit
	if full {
		q.lost = item.Position
	} else {
		q.items = append(q.items, item)
	}
	q.mu.Unlock()
	notify(q.wake)
	return !full
}

// take returns all items that wait, and lost. It reuses used, the slice that it
// returned last, whose items the caller is done with.
func (q *queue) take(used []*Item) ([]*Item, domain.Position) {
	clear(used)
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = used[:0]
	return items, q.lost
}

// notify puts an element into a channel of capacity 1, unless it has one.
func notify(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

func itemOf(e event, posted domain.ChirpPosted) *Item {
	return &Item{Position: e.Position, ID: posted.ChirpID, Author: posted.AuthorID, Content: posted.Content, PostedAt: e.RecordedAt}
}

// ring keeps the newest events, which have consecutive positions. The event at
// position p is at index p modulo the ring's size.
type ring struct {
	events []event
	kept   domain.Position // how many of events are in use
}

func (r *ring) add(e event) {
	size := domain.Position(len(r.events))
	r.events[e.Position%size] = e
	r.kept = min(r.kept+1, size)
}

// reaches reports whether the ring has all events after a position, up to the
// newest one.
func (r *ring) reaches(after, newest domain.Position) bool { return after >= newest-r.kept }

func (r *ring) get(p domain.Position) event { return r.events[p%domain.Position(len(r.events))] }

// pauseWithJitter pauses after a number of failed attempts. The pause is random, so
// that the subscribers don't all read at the same moment after an outage.
func pauseWithJitter(ctx context.Context, tries int) {
	longest := outage.Delay(firstPause, tries)
	outage.Pause(ctx, longest/2+rand.N(longest/2))
}
