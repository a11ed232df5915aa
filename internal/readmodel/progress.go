package readmodel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
)

// Progress is what one process knows of the serving generation's checkpoint. It
// wakes the calls that wait for it: Await is Store.Await for a store that reports
// what it commits and reads. A store that other processes write to as well also
// sets Read, which is called while calls wait. The zero Progress knows of no
// generation, and reads nothing.
type Progress struct {
	// Read reads the serving generation and reports it to the progress. One
	// goroutine calls it, at once when a call begins to wait, then every Every
	// and whenever Moved signals, until no call waits any more. Its error ends
	// the calls that wait, unless it is ErrNoViews.
	Read  func(ctx context.Context) error
	Every time.Duration
	// Moved returns a channel that signals, sometimes without cause, that
	// another process may have moved the checkpoint, and a function that ends
	// the subscription. It may be nil.
	Moved func() (signal <-chan struct{}, stop func())

	mu       sync.Mutex
	known    known
	changed  chan struct{} // closed at the next change; made on demand
	waiting  int           // calls
	watching context.CancelFunc
	watch    sync.WaitGroup
}

// known is a Progress at one moment.
type known struct {
	generation int // 0 while none is known
	position   domain.Position
	failures   int   // readings that failed so far
	failure    error // of the last one
	closed     error // what every call returns after Close
}

// Await waits until the checkpoint is beyond a position, and returns it. Three
// other things might happen, each an error:
//
//  1. ctx ends: its error.
//  2. The checkpoint cannot be read: that error, at once, because how long the
//     views will be out of reach is not known.
//  3. Close is or was called: the error given to it.
func (p *Progress) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	now, _ := p.now()
	if now.closed == nil && now.isBeyond(beyond) {
		return now.position, nil
	}
	before := p.join()
	defer p.leave()
	for {
		now, changed := p.now()
		switch {
		case now.closed != nil:
			return 0, now.closed
		case now.isBeyond(beyond):
			return now.position, nil
		case now.failures != before.failures:
			return 0, now.failure
		}
		select {
		case <-ctx.Done():
			return now.position, fmt.Errorf("wait for the views beyond position %d: %w", beyond, ctx.Err())
		case <-changed:
		}
	}
}

func (k known) isBeyond(p domain.Position) bool { return k.generation != 0 && k.position > p }

// isBehind reports whether a generation has come further than is known.
func (k known) isBehind(g Generation) bool {
	return g.Number > k.generation || g.Number == k.generation && g.Checkpoint.Position > k.position
}

// Serves reports which generation serves and where it stands, whatever was known
// before. The zero Generation means that none serves.
func (p *Progress) Serves(g Generation) {
	p.update(func(known) bool { return true }, g)
}

// Saw reports a reading of the serving generation. Readings may overtake one
// another, so one that is behind what is known, in an earlier generation or at an
// earlier position, is ignored.
func (p *Progress) Saw(g Generation) {
	p.update(func(k known) bool { return k.isBehind(g) }, g)
}

// Turned is Saw for a reading that matters only if another generation serves
// than the one that is known.
func (p *Progress) Turned(g Generation) {
	p.update(func(k known) bool { return k.generation != 0 && g.Number > k.generation }, g)
}

// Advanced reports where the checkpoint of a generation stands, and is ignored
// unless that generation is the one known to serve, and is further than known.
func (p *Progress) Advanced(generation int, to domain.Position) {
	g := Generation{Number: generation, Checkpoint: Checkpoint{Position: to}}
	p.update(func(k known) bool { return g.Number == k.generation && k.isBehind(g) }, g)
}

// Reached reports whether a generation, as it was read, is as far as is known.
func (p *Progress) Reached(g Generation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return g.Number > p.known.generation || g.Number == p.known.generation && g.Checkpoint.Position >= p.known.position
}

// Close makes every Await, now and later, return err, and stops reading.
func (p *Progress) Close(err error) {
	p.mu.Lock()
	p.known.closed = err
	if p.watching != nil {
		p.watching()
	}
	p.wake()
	p.mu.Unlock()
	p.watch.Wait()
}

// update sets the generation if what is known is such that it should be.
func (p *Progress) update(should func(known) bool, g Generation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if should(p.known) {
		p.known.generation, p.known.position = g.Number, g.Checkpoint.Position
		p.wake()
	}
}

// now returns what is known, and a channel that is closed when that changes.
func (p *Progress) now() (known, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.known, p.changed
}

func (p *Progress) wake() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// join counts the caller as waiting and, if it is the first, begins to read.
func (p *Progress) join() known {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting++
	if p.Read != nil && p.watching == nil && p.known.closed == nil {
		ctx, stop := context.WithCancel(context.Background())
		p.watching = stop
		p.watch.Go(func() { p.keepReading(ctx) })
	}
	return p.known
}

func (p *Progress) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
}

// keepReading reads the checkpoint for all calls that wait, and ends soon after
// the last of them.
func (p *Progress) keepReading(ctx context.Context) {
	var moved <-chan struct{}
	if p.Moved != nil {
		signal, stop := p.Moved()
		defer stop()
		moved = signal
	}
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	for {
		if err := p.Read(ctx); err != nil && !errors.Is(err, ErrNoViews) {
			p.failed(err)
		}
		select {
		case <-ctx.Done():
		case <-moved:
			continue
		case <-tick.C:
		}
		if p.idle() {
			return
		}
	}
}

func (p *Progress) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.failures, p.known.failure = p.known.failures+1, err
	p.wake()
}

// idle reports whether nothing needs to be read any more. The caller then stops.
func (p *Progress) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting > 0 && p.known.closed == nil {
		return false
	}
	p.watching()
	p.watching = nil
	return true
}
