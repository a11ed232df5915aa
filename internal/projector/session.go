package projector

import (
	"context"
	"fmt"
	"sync"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// maxCachedProfiles bounds the profiles kept in memory between batches.
const maxCachedProfiles = 100_000

// session is one unbroken run over the log. It ends with the first error of any
// kind, and is not used after it. That is why it may change the profiles in memory
// before they are applied: when Apply fails they are discarded with the session, and
// the next session reads what the store has.
type session struct {
	log           eventstore.Log
	writer        readmodel.Writer
	rules         rules
	at            readmodel.Checkpoint
	profiles      profiles
	maxEvents     int
	maxDeliveries int
	// single is the range of the events that are applied one by one, to learn
	// which of them fails.
	single readmodel.Range
	// committed is called after every commit.
	committed func(readmodel.Checkpoint)
	// atEnd is called before each batch, with the number of events that were read
	// and not applied, and reports whether the session ends. It may be nil.
	atEnd func(ctx context.Context, pending int) (end bool, err error)
}

// run follows the log from the checkpoint on until something fails, ctx ends or
// atEnd reports true. An error caused by one event, or by one of a few, is a
// *Failure; any other error that kept a batch from being applied is a
// *batchError.
func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	// The reader works ahead while a batch is applied, by about one batch.
	results := make(chan readResult, max(1, s.maxEvents/1000))
	var reader sync.WaitGroup
	from := s.at
	reader.Go(func() { s.read(ctx, from, results) })
	defer reader.Wait()
	defer cancel()

	var pending []event
	for ctx.Err() == nil {
		var err error
		if s.atEnd != nil {
			if end, err := s.atEnd(ctx, len(pending)); end || err != nil {
				return err
			}
		}
		if pending, err = s.gather(ctx, pending, results); err != nil {
			return err
		}
		n, err := s.applyNext(ctx, pending)
		if err != nil {
			return err
		}
		pending = pending[n:]
	}
	return ctx.Err()
}

// readResult is what the reader hands over: events, or the error that ended the
// reading.
type readResult struct {
	events []event
	err    error
}

// read follows the log and decodes its events, while earlier ones are applied.
func (s *session) read(ctx context.Context, from readmodel.Checkpoint, out chan<- readResult) {
	for stored, err := range eventstore.FollowHistory(ctx, s.log, from.Position, from.Event) {
		select {
		case out <- readResult{events: decode(stored), err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// decode decodes events. One that cannot be decoded has an error of its own, so
// that those before it are still applied.
func decode(stored []eventstore.Event) []event {
	events := make([]event, len(stored))
	for i, e := range stored {
		fact, err := domain.DecodeEvent(e.Type, e.Data)
		events[i] = event{Event: e, fact: fact, err: err}
	}
	return events
}

// catchUp applies what is in the log until done reports true, and calls done as
// soon as it has applied what it read. It polls the log and does not wait to be
// notified of new events, so it is level with the active projector more often than run
// would be.
func (s *session) catchUp(ctx context.Context, done func(context.Context) (bool, error)) error {
	for ctx.Err() == nil {
		stored, err := s.log.ReadAll(ctx, s.at.Position, s.maxEvents)
		if err != nil {
			return err
		}
		for events := decode(stored); len(events) > 0; {
			n, err := s.applyNext(ctx, events)
			if err != nil {
				return err
			}
			events = events[n:]
		}
		if end, err := done(ctx); end || err != nil {
			return err
		}
	}
	return ctx.Err()
}

// gather returns at least one event, and up to as many as a batch may have if
// the reader has them ready.
func (s *session) gather(ctx context.Context, pending []event, in <-chan readResult) ([]event, error) {
	for len(pending) < s.maxEvents {
		var r readResult
		if len(pending) == 0 {
			select {
			case r = <-in:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		} else {
			select {
			case r = <-in:
			default:
				return pending, nil
			}
		}
		if r.err != nil {
			return nil, r.err
		}
		pending = append(pending, r.events...)
	}
	return pending, nil
}

// applyNext applies one batch of the first of some events, and returns how many.
func (s *session) applyNext(ctx context.Context, events []event) (int, error) {
	limit := s.maxEvents
	// An event of which a part was applied continues alone, because the batch of
	// that part had no other event.
	if s.single.After <= s.at.Position && s.at.Position < s.single.Through || s.at.Partial != 0 {
		limit = 1
	}
	events = events[:min(len(events), limit)]
	if err := s.loadProfiles(ctx, events); err != nil {
		return 0, fmt.Errorf("read the profiles of event %d: %w", events[0].Position, err)
	}
	followed, err := s.loadSplits(ctx, events)
	if err != nil {
		return 0, fmt.Errorf("read the follows of event %d: %w", events[0].Position, err)
	}
	if events[0].Position != s.at.Position+1 {
		return 0, fmt.Errorf("the log returned event %d after position %d", events[0].Position, s.at.Position)
	}
	a := newAccumulator(s.rules, s.profiles, followed, s.at)
	n, err := a.fold(events, int64(s.maxDeliveries))
	if err != nil {
		return 0, failure(events[:1], err)
	}
	if s.at.Partial != 0 || a.deliveries > int64(s.maxDeliveries) {
		err = s.applyInParts(ctx, a.batch())
	} else {
		err = s.apply(ctx, a.batch())
	}
	if err != nil {
		return 0, applyError(events[:n], err)
	}
	return n, nil
}

// loadProfiles reads the profiles that the events need and that are not in memory.
func (s *session) loadProfiles(ctx context.Context, events []event) error {
	if len(s.profiles) > maxCachedProfiles {
		clear(s.profiles)
	}
	seen := make(map[domain.UserID]bool)
	var missing []domain.UserID
	need := func(ids ...domain.UserID) {
		for _, id := range ids {
			if s.profiles[id] == nil && !seen[id] {
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
			seen[registered.UserID] = true // its profile cannot exist yet
		}
		need(e.fact.Users()...)
	}
	if len(missing) == 0 {
		return nil
	}
	profiles, err := s.writer.ProfilesByID(ctx, missing)
	for _, p := range profiles {
		s.profiles[p.ID] = &p
	}
	return err
}

// loadSplits reads the splits of the follows that the events remove. It omits followees
// who had no pushed chirps before the events, because a split of theirs is zero.
func (s *session) loadSplits(ctx context.Context, events []event) (splits, error) {
	var pairs []readmodel.Pair
	for _, e := range events {
		fact, unfollows := e.fact.(domain.UserUnfollowed)
		if !unfollows {
			continue
		}
		follower, followee := s.profiles[fact.FollowerID], s.profiles[fact.FolloweeID]
		if follower != nil && followee != nil && followee.Pushed > 0 {
			pairs = append(pairs, readmodel.Pair{Follower: follower.Key, Followee: followee.Key})
		}
	}
	if len(pairs) == 0 {
		return nil, nil
	}
	follows, err := s.writer.Follows(ctx, pairs)
	found := make(splits, len(follows))
	for _, f := range follows {
		found[readmodel.Pair{Follower: f.Follower, Followee: f.Followee}] = f.Split
	}
	return found, err
}

func (s *session) apply(ctx context.Context, b readmodel.Batch) error {
	if err := s.writer.Apply(ctx, b); err != nil {
		return err
	}
	s.at = b.To
	s.committed(b.To)
	return nil
}
