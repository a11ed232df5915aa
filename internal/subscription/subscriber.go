package subscription

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"unsafe"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

// subscriber is a feed subscription that is live. Only queue may be used
// without the hub's lock.
type subscriber struct {
	viewer *viewer
	// through is the position up to which its consumer has every chirp or gets it,
	// from the queue or from what it read before.
	through domain.Position
	index   int // in the viewer's list, -1 once it is detached
	queue   *queue
}

// held counts the bytes of the chirps that a viewer's subscriptions hold, and those of
// all viewers together.
type held struct {
	bytes atomic.Int64
	in    *atomic.Int64
}

func (h *held) add(n int) {
	h.bytes.Add(int64(n))
	h.in.Add(int64(n))
}

// allows reports whether a viewer, one of a number of them, may hold n bytes more. It
// may as long as all of them together hold no more than a limit. Beyond it those may
// who hold less than their share, so that no viewer can use up the memory of the
// others.
func (h *held) allows(n int, limit int64, viewers int) bool {
	return h.in.Load()+int64(n) <= limit || h.bytes.Load()+int64(n) <= limit/int64(max(viewers, 1))
}

// queue holds the chirps that wait for one subscriber. The hub never blocks when
// it adds to it.
type queue struct {
	limit, limitBytes int
	limitAll          int64
	held              *held
	bell              *bell // to be rung after each change

	mu    sync.Mutex
	items []*Item
	bytes int
	// lost is the position of the first chirp that did not fit, 0 if there is
	// none. The hub detaches the subscriber then, so it adds none after it.
	lost domain.Position
}

func newQueue(cfg Config, h *held, b *bell) *queue {
	return &queue{limit: cfg.Buffer, limitBytes: cfg.BufferBytes, limitAll: int64(cfg.AllBytes), held: h, bell: b}
}

// push adds an item, and reports whether there was room for it. viewers is how many
// viewers share the memory. The caller rings the bell.
func (q *queue) push(item *Item, viewers int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := item.size()
	if len(q.items) >= q.limit || q.bytes+n > q.limitBytes && q.bytes > 0 || !q.held.allows(n, q.limitAll, viewers) {
		q.lost = item.Position
		return false
	}
	q.items = append(q.items, item)
	q.bytes += n
	q.held.add(n)
	return true
}

// take returns the first item that waits, nil if there is none.
func (q *queue) take() *Item {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil
	}
	item := q.items[0]
	q.items[0] = nil
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	}
	q.bytes -= item.size()
	q.held.add(-item.size())
	return item
}

// lostAt returns lost.
func (q *queue) lostAt() domain.Position {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// isEmpty reports whether no item waits and none was lost.
func (q *queue) isEmpty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) == 0 && q.lost == 0
}

// drop empties the queue of a subscriber that is detached.
func (q *queue) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held.add(-q.bytes)
	q.items, q.bytes = nil, 0
}

// size returns how many bytes an item holds, with its place in a queue.
func (i *Item) size() int {
	const fixed = int(unsafe.Sizeof(Item{}) + unsafe.Sizeof(i))
	return fixed + len(i.ID) + len(i.Author) + len(i.Content)
}

func itemOf(e event, posted domain.ChirpPosted) *Item {
	return &Item{Position: e.Position, ID: posted.ChirpID, Author: posted.AuthorID, Content: posted.Content, PostedAt: e.RecordedAt}
}

// pauseWithJitter pauses after a number of failed attempts. The pause is random, so
// that the subscribers don't all read at the same moment after an outage.
func pauseWithJitter(ctx context.Context, tries int) {
	longest := outage.Delay(firstPause, tries)
	outage.Pause(ctx, longest/2+rand.N(longest/2))
}
