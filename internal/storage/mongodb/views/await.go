package views

import (
	"context"
	"errors"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// pollCheckpoint is how often the checkpoint is read while somebody waits and
// nothing is heard of it.
const pollCheckpoint = 250 * time.Millisecond

// Await implements readmodel.Store. One goroutine reads the checkpoint for all
// who wait, and ends soon after the last of them.
func (v *Store) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	p := &v.progress
	if at, _ := p.state(); at.generation != 0 && at.position > beyond {
		return at.position, nil
	}
	before := p.join(func() { v.watchers.Go(v.watch) })
	defer p.leave()
	for {
		at, changed := p.state()
		switch {
		case at.closed:
			return 0, errClosed
		case at.generation != 0 && at.position > beyond:
			return at.position, nil
		case at.failures != before.failures:
			return 0, translate(ctx, "wait for the checkpoint", at.failure)
		}
		select {
		case <-ctx.Done():
			return at.position, ctx.Err()
		case <-changed:
		}
	}
}

// watch keeps the progress up to date with what this and other processes
// write, for as long as somebody waits.
func (v *Store) watch() {
	moved, stop := v.subscribe()
	defer stop()
	poll := time.NewTicker(pollCheckpoint)
	defer poll.Stop()
	for {
		gen, err := v.serving(v.life)
		if err == nil {
			err = v.trusted(v.life, gen)
		}
		v.progress.saw(gen, err)
		select {
		case <-v.life.Done():
			return
		case <-moved:
		case <-poll.C:
			if v.progress.idle() {
				return
			}
		}
	}
}

// known is what this process knows of the serving generation's checkpoint.
type known struct {
	generation int // 0 when nothing is known
	position   domain.Position
	failures   int   // reads that failed
	failure    error // of the last one
	closed     bool
}

// progress shares the known checkpoint. It holds only what a majority has, so
// neither generation nor position ever go back. The zero progress knows nothing
// and is ready to use.
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
func (p *progress) join(watch func()) known {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting++
	if !p.watched && !p.known.closed {
		p.watched = true
		watch()
	}
	return p.known
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
	p.watched = p.waiting > 0
	return !p.watched
}

// reached says whether a generation, as it was read, is as far as is known.
func (p *progress) reached(gen readmodel.Generation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return gen.Number > p.known.generation || gen.Number == p.known.generation && gen.Checkpoint.Position >= p.known.position
}

// applied records a checkpoint that this process has committed.
func (p *progress) applied(generation int, to domain.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if generation == p.known.generation && to > p.known.position {
		p.known.position = to
		p.wake()
	}
}

// saw records what a read gave. Reads may overtake one another, so a position
// behind the known one is no news, nor is a generation that served before.
func (p *progress) saw(gen readmodel.Generation, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case errors.Is(err, readmodel.ErrNoViews): // they will come
	case err != nil:
		p.known.failures, p.known.failure = p.known.failures+1, err
		p.wake()
	case gen.Number > p.known.generation || gen.Number == p.known.generation && gen.Checkpoint.Position > p.known.position:
		p.known.generation, p.known.position = gen.Number, gen.Checkpoint.Position
		p.wake()
	}
}

// turned records another generation that serves, for those who wait for a
// position of the one before.
func (p *progress) turned(gen readmodel.Generation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known.generation != 0 && gen.Number > p.known.generation {
		p.known.generation, p.known.position = gen.Number, gen.Checkpoint.Position
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
