package views

import (
	"context"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite/dbfile"
)

// Await implements readmodel.Store. What this process applies wakes the
// waiting at once; what others apply is found by looking, as long as somebody
// waits.
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

// watch looks at the checkpoint until nobody waits any more.
func (v *Store) watch() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		// Errors are left to those who read: they get them first hand.
		if g, err := v.serving(false); err == nil {
			if at, err := g.describe(); err == nil {
				v.progress.reached(g, at.Checkpoint.Position)
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

// progress shares the known checkpoint with those who wait for it. The zero
// progress knows nothing and is ready to use.
type progress struct {
	mu      sync.Mutex
	known   known
	changed chan struct{} // closed at the next change, made on demand
	waiting int
	watched bool
}

// state gives what is known, and a channel that is closed when it changes.
func (p *progress) state() (known, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.known, p.changed
}

// join counts the caller among the waiting, and calls watch if nobody watches.
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

// idle says that nobody waits; the caller then watches no more.
func (p *progress) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched = p.waiting > 0 && !p.known.closed
	return !p.watched
}

// serves says which generation serves from now on, and where it stands.
func (p *progress) serves(g *generation, at domain.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.generation, p.known.position = g, at
	p.wake()
}

// reached says that a generation's checkpoint is at least at a position.
func (p *progress) reached(g *generation, at domain.Position) {
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
