// Package groupcommit queues what callers want to write while a store's transaction
// runs, so that the next transaction writes all of it at the price of one sync or one
// round trip. The transactions are the store's own.
package groupcommit

import (
	"context"
	"slices"
	"sync"

	"chirp/internal/eventstore"
)

// Job is one caller's part of a group.
type Job[W any] struct {
	// Work is what Do was called with.
	Work W
	done chan error
}

// Finish makes the job's Do return err. The worker calls it once for every job
// that it took.
func (j *Job[W]) Finish(err error) { j.done <- err }

// Queue holds jobs until one worker takes them in groups.
type Queue[W any] struct {
	closed  error
	room    chan struct{} // holds a value for each job in the queue, or about to be
	closing chan struct{}
	changed chan struct{} // has room for one signal, to the worker

	mu   sync.Mutex
	jobs []*Job[W] // the oldest first
	end  bool      // after Close
}

// New returns a queue with room for a number of jobs. closed is the error that Do
// returns after Close.
func New[W any](room int, closed error) *Queue[W] {
	return &Queue[W]{closed: closed, room: make(chan struct{}, room), closing: make(chan struct{}), changed: make(chan struct{}, 1)}
}

// Do adds a job to the queue, waiting for room if necessary, and returns its outcome.
// If ctx ends first, Do returns its cause at once: a job that is still queued is
// removed, and one that the worker has taken may still be written. The error is
// eventstore.ErrNotAppended if the worker never took the job.
func (q *Queue[W]) Do(ctx context.Context, work W) error {
	if ctx.Err() != nil {
		return eventstore.NotAppended(context.Cause(ctx))
	}
	select {
	case q.room <- struct{}{}:
	case <-ctx.Done():
		return eventstore.NotAppended(context.Cause(ctx))
	case <-q.closing:
		return eventstore.NotAppended(q.closed)
	}
	j := &Job[W]{Work: work, done: make(chan error, 1)}
	if !q.add(j) {
		return eventstore.NotAppended(q.closed)
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if q.remove(j) {
			return eventstore.NotAppended(context.Cause(ctx))
		}
		return context.Cause(ctx)
	}
}

// add adds a job, unless the queue is closed.
func (q *Queue[W]) add(j *Job[W]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end {
		return false
	}
	q.jobs = append(q.jobs, j)
	q.signal()
	return true
}

// remove removes a job, and reports whether it was still in the queue.
func (q *Queue[W]) remove(j *Job[W]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.jobs, j)
	if i < 0 {
		return false
	}
	q.jobs = slices.Delete(q.jobs, i, i+1)
	<-q.room
	return true
}

func (q *Queue[W]) signal() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// Wait blocks until the queue has a job, and returns false once it is closed and
// empty.
func (q *Queue[W]) Wait() bool {
	for {
		q.mu.Lock()
		jobs, end := len(q.jobs), q.end
		q.mu.Unlock()
		if jobs > 0 || end {
			return jobs > 0
		}
		<-q.changed
	}
}

// Len returns the number of jobs in the queue.
func (q *Queue[W]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.jobs)
}

// Choice says what Take does with a job.
type Choice int

// The choices.
const (
	Take  Choice = iota // adds it to the group
	Leave               // leaves it in the queue
	Stop                // leaves it and all later jobs in the queue
)

// Take removes a group of jobs from the queue and returns it. It calls choose for each
// job, the oldest first.
func (q *Queue[W]) Take(choose func(W) Choice) []*Job[W] {
	q.mu.Lock()
	defer q.mu.Unlock()
	var group, left []*Job[W]
jobs:
	for i, j := range q.jobs {
		switch choose(j.Work) {
		case Take:
			group = append(group, j)
			<-q.room
		case Leave:
			left = append(left, j)
		case Stop:
			left = append(left, q.jobs[i:]...)
			break jobs
		}
	}
	q.jobs = left
	return group
}

// Close makes Do return without queuing a job, also where it waits for room. The jobs
// in the queue stay there for the worker.
func (q *Queue[W]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.end {
		q.end = true
		close(q.closing)
		q.signal()
	}
}
