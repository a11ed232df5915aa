package eventlog

import (
	"slices"
	"sync"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// The most that one transaction writes, unless a single append is larger. The
// bytes stay well below the 16 MB of one oplog entry.
const (
	groupEvents = 2000
	groupBytes  = 4 << 20
)

// queue holds the appends that wait to become part of a group.
type queue struct {
	mu      sync.Mutex
	waiting []*pending
	closed  bool
	changed chan struct{} // signals the worker; has room for one signal
}

// add adds an append to the queue. It returns false if the queue is closed.
func (q *queue) add(p *pending) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, p)
	q.signal()
	return true
}

// remove removes an append whose caller has given up, and reports whether it was
// still in the queue.
func (q *queue) remove(p *pending) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, p)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return i >= 0
}

// close refuses further appends.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// signal wakes the worker.
func (q *queue) signal() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// wait waits until there is an append to commit. It returns false when the queue is
// closed and empty.
func (q *queue) wait() bool {
	for {
		q.mu.Lock()
		waiting, closed := len(q.waiting), q.closed
		q.mu.Unlock()
		if waiting > 0 || closed {
			return waiting > 0
		}
		<-q.changed
	}
}

// empty reports whether no append waits.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}

// take removes a group from the queue: the oldest appends, as many as fit, no two of
// which share a stream or a command. An append that must wait for that reason holds
// back the later ones that share with it, so that none is overtaken again and again.
func (q *queue) take() []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	var group []*pending
	var kept []*pending
	streams, keys := map[domain.StreamID]bool{}, map[eventstore.CommandKey]bool{}
	events, bytes := 0, 0
	for i, p := range q.waiting {
		if len(group) > 0 && (events+len(p.docs) > groupEvents || bytes+p.bytes > groupBytes) {
			kept = append(kept, q.waiting[i:]...)
			break
		}
		shared := keys[p.append.Command.CommandKey]
		keys[p.append.Command.CommandKey] = true
		for stream := range p.append.Streams() {
			shared = shared || streams[stream]
			streams[stream] = true
		}
		if shared {
			kept = append(kept, p)
			continue
		}
		group = append(group, p)
		events += len(p.docs)
		bytes += p.bytes
	}
	q.waiting = kept
	return group
}
