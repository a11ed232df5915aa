package views

import (
	"context"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/dbfile"
)

// Await implements readmodel.Store. Calls are woken at once by what this process
// applies. What other processes apply is found by polling, while there are calls
// that wait.
func (v *Store) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	p := &v.progress
	if at, _ := p.state(); at.generation != nil && at.position > beyond && !at.closed {
		return at.position, nil
	}
	p.join(func() { v.watchers.Go(v.watch) })
	defer p.leave()
	for {
		at, changed := p.state()
		switch {
		case at.closed:
			return 0, dbfile.ErrClosed
		case at.generation != nil && at.position > beyond:
			return at.position, nil
		}
		select {
		case <-ctx.Done():
			return at.position, fmt.Errorf("wait for the views beyond position %d: %w", beyond, ctx.Err())
		case <-changed:
		}
	}
}

// watch polls the checkpoint until no call waits any more.
func (v *Store) watch() {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		// An error needs no report here: whoever reads the views gets it too.
		if g, err := v.serving(false); err == nil {
			if at, err := g.describe(); err == nil {
				v.progress.advance(g, at.Checkpoint.Position)
			}
		}
		select {
		case <-tick.C:
		case <-v.closing:
		}
		if v.progress.idle() {
			return
		}
	}
}

// known is what this process knows of the serving generation's checkpoint.
type known struct {
	generation *generation // nil if none serves
	position   domain.Position
	closed     bool
}

// progress shares the known checkpoint with the calls that wait for it. The zero
// progress knows of no generation and is ready to use.
type progress struct {
	mu      sync.Mutex
	known   known
	changed chan struct{} // closed at the next change; made on demand
	waiting int
	watched bool
}

// state returns what is known, and a channel that is closed when that changes.
func (p *progress) state() (known, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.known, p.changed
}

// join counts the caller as waiting, and calls watch unless a watch is running.
func (p *progress) join(watch func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting++
	if !p.watched && !p.known.closed {
		p.watched = true
		watch()
	}
}

func (p *progress) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
}

// idle reports whether no call waits. If so, the caller must stop watching.
func (p *progress) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched = p.waiting > 0 && !p.known.closed
	return !p.watched
}

// setServing sets the generation that serves, nil if none does, and its position.
func (p *progress) setServing(g *generation, at domain.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.generation, p.known.position = g, at
	p.wake()
}

// advance records that a generation's checkpoint has reached a position. It does
// nothing if the generation does not serve.
func (p *progress) advance(g *generation, at domain.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known.generation == g && at > p.known.position {
		p.known.position = at
		p.wake()
	}
}

func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.closed = true
	p.wake()
}

func (p *progress) wake() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}
