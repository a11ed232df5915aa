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
	// given is the position up to which it needs no chirps: that of the reading
	// it came from, or beyond.
	given domain.Position
	// followees are whom the viewer follows, each with the subscriber's place
	// in the hub's list for that author.
	followees map[domain.UserID]int
	attached  bool
	queue     *queue
}

// queue is what waits for one subscriber. The hub adds without ever waiting.
type queue struct {
	limit int
	// wake has something in it after each change.
	wake chan struct{}

	mu    sync.Mutex
	items []*Item
	// lost is the position of the first chirp that found no room; none is
	// added after it.
	lost domain.Position
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, wake: make(chan struct{}, 1)}
}

// push adds an item; false says that there is no room for it.
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

// take gives all that waits, and lost. The slice given before is used again.
func (q *queue) take(used []*Item) ([]*Item, domain.Position) {
	clear(used)
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = used[:0]
	return items, q.lost
}

// notify leaves a sign in a channel of capacity 1, if there is none.
func notify(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

func itemOf(e event, posted domain.ChirpPosted) *Item {
	return &Item{Position: e.Position, ID: posted.ChirpID, Author: posted.AuthorID, Content: posted.Content, PostedAt: e.RecordedAt}
}

// ring keeps the newest events, which have consecutive positions.
type ring struct {
	events []event
	kept   domain.Position // how many
}

func (r *ring) add(e event) {
	size := domain.Position(len(r.events))
	r.events[e.Position%size] = e
	r.kept = min(r.kept+1, size)
}

// reaches reports whether all events after a position, up to the newest one, are
// kept.
func (r *ring) reaches(after, newest domain.Position) bool { return after >= newest-r.kept }

func (r *ring) get(p domain.Position) event { return r.events[p%domain.Position(len(r.events))] }

// pauseApart waits after a number of failed attempts for a random length, so
// that subscribers don't come back all at once.
func pauseApart(ctx context.Context, tries int) {
	longest := outage.Delay(firstPause, tries)
	outage.Pause(ctx, longest/2+rand.N(longest/2))
}
