package eventstore

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
)

// sameEvery is how often a follower that gets nothing looks whether the event
// that it was given last is still there.
const sameEvery = time.Second

// errUndone says that the log was put back to an earlier state.
var errUndone = domain.Errorf(domain.CursorInvalid, "the log has no longer the event that was read last, so it was put back to an earlier state; begin anew")

// FollowSame is Follow for those who must not go on in another history: a log
// that is put back to an earlier state under running servers has other events
// at the positions that come next. It ends with an error of kind CursorInvalid,
// within about a second and in any case before it gives an event, once the event
// given last is not the one that the log has there. event is the hash of the one
// at after, 0 if it is not known.
func FollowSame(ctx context.Context, log Log, after domain.Position, event domain.EventHash) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		s := &steady{log: log}
		s.last.Store(&place{after, event})
		if err := s.check(ctx); err != nil {
			yield(nil, err)
			return
		}
		within, end := context.WithCancelCause(ctx)
		var watching sync.WaitGroup
		watching.Go(func() { s.watch(within, end) })
		defer watching.Wait()
		defer end(nil)
		for events, err := range log.Follow(within, after) {
			if err == nil {
				err = s.check(ctx)
			}
			if undone := context.Cause(within); ctx.Err() == nil && errors.Is(undone, errUndone) {
				err = undone
			}
			if err != nil {
				yield(nil, err)
				return
			}
			newest := events[len(events)-1]
			s.last.Store(&place{newest.Position, newest.Hash()})
			if !yield(events, nil) {
				return
			}
		}
	}
}

// place is an event that was given.
type place struct {
	at    domain.Position
	event domain.EventHash
}

// steady is one iteration of FollowSame.
type steady struct {
	log  Log
	last atomic.Pointer[place]
}

// check says whether the event that was given last is still there. Nothing is
// known of the place that an iteration begins at without a hash.
func (s *steady) check(ctx context.Context) error {
	last := s.last.Load()
	if last.at == 0 || last.event == 0 {
		return nil
	}
	hashes, err := s.log.Hashes(ctx, []domain.Position{last.at})
	if err == nil && hashes[last.at] != last.event {
		err = errUndone
	}
	return err
}

// watch checks now and then; an outage says nothing.
func (s *steady) watch(ctx context.Context, end context.CancelCauseFunc) {
	tick := time.NewTicker(sameEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.check(ctx); errors.Is(err, errUndone) {
			end(err)
			return
		}
	}
}
