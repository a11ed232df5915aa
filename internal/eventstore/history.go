package eventstore

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
	"chirp/internal/outage"
)

// checkEvery is how often an idle FollowHistory checks that the log still has the
// last event.
const checkEvery = time.Second

var errUndone = domain.Errorf(domain.CursorInvalid, "the log no longer has the event that was read last, because it was restored to an earlier state; start again")

// FollowHistory is Follow within one history of the log. A log that is restored
// to an earlier state while servers run gets other events at positions that
// were used before. When the log no longer has the last event that the iterator
// yielded, the iterator ends with an error of kind CursorInvalid: within about a
// second, and always before it yields another event. event is the hash of the
// event at after, 0 if it is not known.
func FollowHistory(ctx context.Context, log Log, after domain.Position, event domain.EventHash) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		h := &history{log: log}
		h.last.Store(&mark{after, event})
		if err := h.check(ctx); err != nil {
			yield(nil, err)
			return
		}
		within, end := context.WithCancelCause(ctx)
		var watching sync.WaitGroup
		watching.Go(func() { h.watch(within, end) })
		defer watching.Wait()
		defer end(nil)
		for events, err := range log.Follow(within, after) {
			if err == nil {
				err = h.check(ctx)
			}
			if undone := context.Cause(within); ctx.Err() == nil && errors.Is(undone, errUndone) {
				err = undone
			}
			if err != nil {
				yield(nil, err)
				return
			}
			newest := events[len(events)-1]
			h.last.Store(&mark{newest.Position, newest.Hash()})
			if !yield(events, nil) {
				return
			}
		}
	}
}

// mark is an event's position and hash.
type mark struct {
	at    domain.Position
	event domain.EventHash
}

// history is one iteration of FollowHistory.
type history struct {
	log  Log
	last atomic.Pointer[mark] // the last event yielded, or the start
}

// check returns errUndone if the log no longer has the last event. It cannot
// check a start without a hash.
func (h *history) check(ctx context.Context) error {
	last := h.last.Load()
	if last.at == 0 || last.event == 0 {
		return nil
	}
	hashes, err := h.log.Hashes(ctx, []domain.Position{last.at})
	if err == nil && hashes[last.at] != last.event {
		err = errUndone
	}
	return err
}

// watch checks periodically until ctx ends, and calls end if the log was
// restored. It ignores errors, which say nothing about the history.
func (h *history) watch(ctx context.Context, end context.CancelCauseFunc) {
	for outage.Pause(ctx, checkEvery) {
		if err := h.check(ctx); errors.Is(err, errUndone) {
			end(err)
			return
		}
	}
}
