package readmodel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
)

// Progress is what one process knows about the serving generation's checkpoint. A
// store that reports to it what it commits and reads gets Store.Await from it. A
// store that other processes write to as well sets Read, too. The zero Progress
// knows no generation and reads nothing.
type Progress struct {
	// Read reads the serving generation and reports it with one of the methods
	// below. One goroutine calls it while calls of Await wait: when the first of
	// them begins, then at intervals of Every, and whenever Subscribe's channel
	// signals. It stops at the first interval in which no call waits. Unless the
	// error of Read is ErrNoViews, the waiting calls return it.
	Read  func(ctx context.Context) error
	Every time.Duration
	// Subscribe returns a channel that signals, perhaps without cause, that
	// another process may have moved the checkpoint, and a function that ends
	// the subscription. It may be nil.
	Subscribe func() (signal <-chan struct{}, stop func())

	mu      sync.Mutex
	known   known
	changed chan struct{}      // closed at the next change; created on demand
	waiting int                // calls of Await that wait
	stop    context.CancelFunc // stops reader; nil while it does not run
	reader  sync.WaitGroup
}

// known is what a Progress knows at one moment.
type known struct {
	generation int // 0 if none is known
	position   domain.Position
	failures   int   // how many calls of Read have failed
	failure    error // the last of their errors
	closed     error // what Await returns after Close
}

// Await implements Store.Await. It returns an error if
//
//  1. ctx ends: its error;
//  2. Read fails: that error, without waiting for it to succeed again;
//  3. Close is called, or was: the error passed to it.
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

// isOlderThan reports whether a generation has come further than is known.
func (k known) isOlderThan(g Generation) bool {
	return g.Number > k.generation || g.Number == k.generation && g.Checkpoint.Position > k.position
}

// SetServing sets the generation that serves and its checkpoint, regardless of what
// was known before. The zero Generation means that none serves.
func (p *Progress) SetServing(g Generation) {
	p.update(g, func(known) bool { return true })
}

// Observe reports a reading of the serving generation. One reading may overtake
// another, so a reading that is older than what is known is ignored.
func (p *Progress) Observe(g Generation) {
	p.update(g, func(k known) bool { return k.isOlderThan(g) })
}

// ObserveSwitch is Observe, but ignores the reading unless it shows that another
// generation serves than the known one.
func (p *Progress) ObserveSwitch(g Generation) {
	p.update(g, func(k known) bool { return k.generation != 0 && g.Number > k.generation })
}

// Advance reports that the checkpoint of a generation has reached a position. It has
// no effect unless that generation serves.
func (p *Progress) Advance(generation int, to domain.Position) {
	g := Generation{Number: generation, Checkpoint: Checkpoint{Position: to}}
	p.update(g, func(k known) bool { return g.Number == k.generation && k.isOlderThan(g) })
}

// IsCurrent reports whether a reading of the serving generation is at least as new as
// what is known.
func (p *Progress) IsCurrent(g Generation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return g.Number > p.known.generation || g.Number == p.known.generation && g.Checkpoint.Position >= p.known.position
}

// Close makes every Await, now and later, return err, and ends the calls of Read.
func (p *Progress) Close(err error) {
	p.mu.Lock()
	p.known.closed = err
	if p.stop != nil {
		p.stop()
	}
	p.wake()
	p.mu.Unlock()
	p.reader.Wait()
}

// update sets what is known if should reports true for what was known before.
func (p *Progress) update(g Generation, should func(known) bool) {
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

// join counts the caller as waiting, and starts the reader unless it runs.
func (p *Progress) join() known {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting++
	if p.Read != nil && p.stop == nil && p.known.closed == nil {
		ctx, stop := context.WithCancel(context.Background())
		p.stop = stop
		p.reader.Go(func() { p.readRepeatedly(ctx) })
	}
	return p.known
}

func (p *Progress) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
}

// readRepeatedly reads the checkpoint for all waiting calls. It ends at the first
// interval in which none waits.
func (p *Progress) readRepeatedly(ctx context.Context) {
	var moved <-chan struct{}
	if p.Subscribe != nil {
		signal, stop := p.Subscribe()
		defer stop()
		moved = signal
	}
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	for {
		if err := p.Read(ctx); err != nil && !errors.Is(err, ErrNoViews) {
			p.readFailed(err)
		}
		select {
		case <-ctx.Done():
		case <-moved:
			continue
		case <-tick.C:
		}
		if p.stopIfIdle() {
			return
		}
	}
}

func (p *Progress) readFailed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.failures, p.known.failure = p.known.failures+1, err
	p.wake()
}

// stopIfIdle reports whether the reader must stop, because no call waits.
func (p *Progress) stopIfIdle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting > 0 && p.known.closed == nil {
		return false
	}
	p.stop()
	p.stop = nil
	return true
}
