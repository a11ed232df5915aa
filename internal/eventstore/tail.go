package eventstore

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

// Tail is the live end of a log within one process: it keeps the newest events
// and wakes followers. A store publishes committed events to it as it learns of
// them, and calls Reset when it has lost track. Followers read by position only,
// so a spurious or missing wake-up can delay an event but never drop, repeat or
// reorder one. The zero Tail is ready to use.
type Tail struct {
	// Logger receives the followers' outages. It may be nil.
	Logger *slog.Logger

	mu     sync.Mutex
	recent []Event       // at consecutive positions, newest last
	wake   chan struct{} // closed at the next change, created on demand
	life   context.Context
	end    context.CancelCauseFunc // ends life; both are created on demand
}

const (
	tailEvents = 4096 // events kept for followers that are nearly live
	readEvents = 1000 // events read from the store at a time
	// firstPause is the pause after a follower's first failure to read.
	firstPause = 50 * time.Millisecond
)

// Publish adds committed events, in position order. It skips events that it
// already has, and after a gap forgets those before it.
func (t *Tail) Publish(events []Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		if n := len(t.recent); n > 0 {
			last := t.recent[n-1].Position
			if e.Position <= last {
				continue
			}
			if e.Position != last+1 {
				t.recent = nil
			}
		}
		t.recent = append(t.recent, e)
	}
	if n := len(t.recent); n > 2*tailEvents {
		t.recent = slices.Clone(t.recent[n-tailEvents:])
	}
	t.wakeAll()
}

// Reset forgets all events and makes every follower read from the store.
func (t *Tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent = nil
	t.wakeAll()
}

func (t *Tail) wakeAll() {
	if t.wake != nil {
		close(t.wake)
		t.wake = nil
	}
}

// next returns the events after a position, as far as they are kept, and a channel
// that is closed at the next change.
func (t *Tail) next(after domain.Position) ([]Event, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wake == nil {
		t.wake = make(chan struct{})
	}
	if len(t.recent) == 0 {
		return nil, t.wake
	}
	first := t.recent[0].Position
	if after+1 < first || after >= first+domain.Position(len(t.recent)) {
		return nil, t.wake
	}
	batch := t.recent[after+1-first:]
	return batch[:min(len(batch), readEvents):min(len(batch), readEvents)], t.wake
}

// Close ends every follower, now and later, with err.
func (t *Tail) Close(err error) {
	_, end := t.lifetime()
	end(err)
}

func (t *Tail) lifetime() (context.Context, context.CancelCauseFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.life == nil {
		t.life, t.end = context.WithCancelCause(context.Background())
	}
	return t.life, t.end
}

// Follow implements Log.Follow for a log that publishes to the tail.
func (t *Tail) Follow(ctx context.Context, log Log, after domain.Position) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		life, _ := t.lifetime()
		within, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(life, func() { cancel(context.Cause(life)) })()
		err := t.follow(within, log, after, func(batch []Event) bool { return yield(batch, nil) })
		switch {
		case err == nil: // the consumer broke off
			return
		case ctx.Err() != nil:
			err = ctx.Err()
		case within.Err() != nil:
			err = context.Cause(within)
		}
		yield(nil, err)
	}
}

// follow calls yield with batch after batch until it returns false, which is no
// error.
func (t *Tail) follow(ctx context.Context, log Log, after domain.Position, yield func([]Event) bool) error {
	if err := t.check(ctx, log, after); err != nil {
		return err
	}
	for at := after; ctx.Err() == nil; {
		batch, wake := t.next(at)
		if len(batch) == 0 {
			err := t.retry(ctx, func() (err error) {
				batch, err = log.ReadAll(ctx, at, readEvents)
				return err
			})
			if err != nil {
				return err
			}
		}
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
			case <-wake:
			}
			continue
		}
		at = batch[len(batch)-1].Position
		if !yield(batch) {
			return nil
		}
	}
	return ctx.Err()
}

// check refuses a position that is not between the log's start and its head.
func (t *Tail) check(ctx context.Context, log Log, after domain.Position) error {
	if after == 0 {
		return nil
	}
	if after < 0 {
		return domain.Errorf(domain.CursorInvalid, "position %d is before the start of the log; start over", after)
	}
	var head Head
	err := t.retry(ctx, func() (err error) {
		head, err = log.Head(ctx)
		return err
	})
	if err == nil && after > head.Position {
		err = domain.Errorf(domain.CursorInvalid, "position %d is beyond the end of the log at %d; start over", after, head.Position)
	}
	return err
}

// retry calls until the error is not of kind Unavailable, or ctx ends.
func (t *Tail) retry(ctx context.Context, call func() error) error {
	logger := t.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	for away := new(outage.Outage); ; {
		err := call()
		switch {
		case err != nil && ctx.Err() != nil:
			return err // it is still away, or was just closed
		case err == nil || domain.KindOf(err) != domain.Unavailable:
			away.Ended(logger, "a follower of the log can read it again")
			return err
		}
		tries := away.Failed(logger, "a follower of the log cannot read it, trying again", err)
		outage.Pause(ctx, outage.Delay(firstPause, tries))
	}
}
