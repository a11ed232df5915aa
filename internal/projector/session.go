package projector

import (
	"context"
	"fmt"
	"sync"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// maxUsers bounds the profiles kept in memory between batches.
const maxUsers = 100_000

// session is one unbroken run of a projector over the log: it ends with the
// first error of any kind, for what the store holds is then to be read anew.
// That is why it may change the profiles in memory before they are applied.
type session struct {
	log           eventstore.Log
	writer        readmodel.Writer
	threshold     int64
	at            readmodel.Checkpoint
	users         users
	maxEvents     int
	maxDeliveries int
	// single is the position up to which events are applied one by one.
	single domain.Position
	// applied is told of every commit.
	applied func(readmodel.Checkpoint)
	// before is asked before each batch, given the number of events that were
	// read already, whether the session has come to its end. It may be nil.
	before func(ctx context.Context, pending int) (end bool, err error)
}

// run follows the log from the checkpoint on until something fails, ctx ends
// or before says that it is enough. What one event, or one of a few, brings
// about is a *Failure; any other error at which events were not applied is a
// *stall.
func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	// Room for about as many events as a batch has, for the time it is applied.
	batches := make(chan batch, max(1, s.maxEvents/1000))
	var reader sync.WaitGroup
	from := s.at
	reader.Go(func() { s.read(ctx, from, batches) })
	defer reader.Wait()
	defer cancel()

	var pending []event
	for ctx.Err() == nil {
		var err error
		if s.before != nil {
			if end, err := s.before(ctx, len(pending)); end || err != nil {
				return err
			}
		}
		if pending, err = s.gather(ctx, pending, batches); err != nil {
			return err
		}
		n, err := s.step(ctx, pending)
		if err != nil {
			return err
		}
		pending = pending[n:]
	}
	return ctx.Err()
}

// batch is what the reader hands over: events, or the reason why none follow.
type batch struct {
	events []event
	err    error
}

// read follows the log and decodes, while the batch before is being applied.
func (s *session) read(ctx context.Context, from readmodel.Checkpoint, out chan<- batch) {
	for stored, err := range eventstore.FollowHistory(ctx, s.log, from.Position, from.Event) {
		select {
		case out <- batch{events: decode(stored), err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func decode(stored []eventstore.Event) []event {
	events := make([]event, len(stored))
	for i, e := range stored {
		fact, err := domain.DecodeEvent(e.Type, e.Data)
		events[i] = event{Event: e, fact: fact, err: err}
	}
	return events
}

// sprint applies what is in the log, each time asking at once whether that is
// enough. It reads without waiting to be told of new events, and so is level
// with whoever else applies them more often than a follower would be.
func (s *session) sprint(ctx context.Context, enough func(ctx context.Context) (bool, error)) error {
	for ctx.Err() == nil {
		stored, err := s.log.ReadAll(ctx, s.at.Position, s.maxEvents)
		if err != nil {
			return err
		}
		for events := decode(stored); len(events) > 0; {
			n, err := s.step(ctx, events)
			if err != nil {
				return err
			}
			events = events[n:]
		}
		if end, err := enough(ctx); end || err != nil {
			return err
		}
	}
	return ctx.Err()
}

// gather gives at least one event, and as many as a batch may have if they are
// there already.
func (s *session) gather(ctx context.Context, pending []event, in <-chan batch) ([]event, error) {
	for len(pending) < s.maxEvents {
		var b batch
		if len(pending) == 0 {
			select {
			case b = <-in:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		} else {
			select {
			case b = <-in:
			default:
				return pending, nil
			}
		}
		if b.err != nil {
			return nil, b.err
		}
		pending = append(pending, b.events...)
	}
	return pending, nil
}

// step applies one batch from the head of the events and says how many of them
// it holds.
func (s *session) step(ctx context.Context, events []event) (int, error) {
	limit := s.maxEvents
	if s.at.Position < s.single || s.at.Partial != 0 {
		limit = 1
	}
	events = events[:min(len(events), limit)]
	if err := s.load(ctx, events); err != nil {
		return 0, fmt.Errorf("read the profiles of event %d: %w", events[0].Position, err)
	}
	if events[0].Position != s.at.Position+1 {
		return 0, fmt.Errorf("the log gave event %d after position %d", events[0].Position, s.at.Position)
	}
	f := newFold(s.users, s.threshold, s.at)
	n, err := f.take(events, int64(s.maxDeliveries))
	if err != nil {
		return 0, failure(events[:1], err)
	}
	if s.at.Partial != 0 || f.deliveries > int64(s.maxDeliveries) {
		err = s.applySliced(ctx, f.batch())
	} else {
		err = s.apply(ctx, f.batch())
	}
	if err != nil {
		return 0, unapplied(events[:n], err)
	}
	return n, nil
}

// load brings the profiles that the events need into memory.
func (s *session) load(ctx context.Context, events []event) error {
	if len(s.users) > maxUsers {
		clear(s.users)
	}
	seen := make(map[domain.UserID]bool)
	var missing []domain.UserID
	need := func(ids ...domain.UserID) {
		for _, id := range ids {
			if s.users[id] == nil && !seen[id] {
				seen[id] = true
				missing = append(missing, id)
			}
		}
	}
	for _, e := range events {
		if e.err != nil {
			continue
		}
		if registered, ok := e.fact.(domain.UserRegistered); ok {
			seen[registered.UserID] = true // it cannot be there yet
		}
		need(e.fact.Users()...)
	}
	if len(missing) == 0 {
		return nil
	}
	profiles, err := s.writer.ProfilesByID(ctx, missing)
	for _, p := range profiles {
		s.users[p.ID] = &p
	}
	return err
}

func (s *session) apply(ctx context.Context, b readmodel.Batch) error {
	if err := s.writer.Apply(ctx, b); err != nil {
		return err
	}
	s.at = b.To
	s.applied(b.To)
	return nil
}
