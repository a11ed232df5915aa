package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// source is a store of numbered events that records where it is read from.
type source struct {
	eventstore.Log
	mu     sync.Mutex
	events []eventstore.Event
	reads  []domain.Position
	err    error
}

// add appends n events and returns them.
func (s *source) add(n int) []eventstore.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grow(n)
}

func (s *source) grow(n int) []eventstore.Event {
	first := len(s.events)
	for range n {
		s.events = append(s.events, eventstore.Event{Position: domain.Position(len(s.events) + 1)})
	}
	return slices.Clone(s.events[first:])
}

func (s *source) ReadAll(_ context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = append(s.reads, after)
	from := min(int(after), len(s.events))
	return slices.Clone(s.events[from:min(from+limit, len(s.events))]), s.err
}

func (s *source) Head(context.Context) (eventstore.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return eventstore.Head{Position: domain.Position(len(s.events))}, s.err
}

// fail makes all reads fail, until it is called with nil.
func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// publish appends n events and publishes them before they can be read.
func (s *source) publish(tail *eventstore.Tail, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tail.Publish(s.grow(n))
}

// readsSince returns the positions of all reads after the first n.
func (s *source) readsSince(n int) []domain.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reads[n:])
}

// follower reads a tail in the background.
type follower struct {
	got chan domain.Position // the end of each batch
	end chan error           // how it ended, or what was wrong
}

func follow(ctx context.Context, tail *eventstore.Tail, s *source, after domain.Position) follower {
	f := follower{got: make(chan domain.Position, 10_000), end: make(chan error, 1)}
	go func() {
		at := after
		for batch, err := range tail.Follow(ctx, s, after) {
			if err != nil {
				f.end <- err
				return
			}
			for _, e := range batch {
				if at++; e.Position != at {
					f.end <- errors.New("got position " + e.Position.String() + ", want " + at.String())
					return
				}
			}
			f.got <- at
		}
		f.end <- errors.New("ended without an error")
	}()
	return f
}

// reach waits until the follower reaches a position.
func (f follower) reach(t *testing.T, want domain.Position) {
	t.Helper()
	for {
		select {
		case at := <-f.got:
			if at == want {
				return
			}
		case err := <-f.end:
			t.Fatalf("Follow on the way to %d: %v", want, err)
		case <-time.After(time.Minute):
			t.Fatalf("Follow did not reach %d", want)
		}
	}
}

func TestTailYieldsPastAndLiveEvents(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	s.add(2500)
	f := follow(t.Context(), &tail, s, 0)
	f.reach(t, 2500)
	for i := range 20 {
		tail.Publish(s.add(1))
		f.reach(t, domain.Position(2501+i))
	}
}

func TestTailServesLiveFollowersFromMemory(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	f := follow(t.Context(), &tail, s, 0)
	tail.Publish(s.add(1))
	f.reach(t, 1)
	before := len(s.readsSince(0))
	for i := range 100 {
		s.publish(&tail, 1)
		f.reach(t, domain.Position(2+i))
	}
	// It may check for more once per batch before it sleeps, but need not read a
	// batch itself.
	if reads := len(s.readsSince(before)); reads > 101 {
		t.Errorf("got %d reads for 100 live batches, want at most one each", reads)
	}
}

func TestTailSkipsWhatItHas(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	first, second := s.add(3), s.add(3)
	f := follow(t.Context(), &tail, s, 0)
	f.reach(t, 6)
	for _, events := range [][]eventstore.Event{first, second, first, second, append(second, s.add(1)...), first} {
		tail.Publish(events)
	}
	f.reach(t, 7)
	other := &source{events: s.events} // without other readers
	follow(t.Context(), &tail, other, 2).reach(t, 7)
	if reads := len(other.readsSince(0)); reads > 1 {
		t.Errorf("got %d reads for what had been published, want at most the one that finds nothing more", reads)
	}
}

func TestTailReadsAcrossAGap(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	tail.Publish(s.add(2))
	f := follow(t.Context(), &tail, s, 0)
	f.reach(t, 2)
	s.add(5) // not published
	tail.Publish(s.add(2))
	f.reach(t, 9)
	for after := range domain.Position(9) {
		follow(t.Context(), &tail, s, after).reach(t, 9)
	}
}

func TestTailReadsAgainAfterReset(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	tail.Publish(s.add(2))
	f := follow(t.Context(), &tail, s, 0)
	f.reach(t, 2)
	s.add(3)
	tail.Reset()
	f.reach(t, 5)
	tail.Publish(s.add(1))
	f.reach(t, 6)
}

func TestTailForgetsAtReset(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	tail.Publish(s.add(2))
	tail.Reset()
	follow(t.Context(), &tail, s, 0).reach(t, 2)
	if reads := s.readsSince(0); !slices.Contains(reads, 0) {
		t.Errorf("got reads after %d, want one after 0, for what was published is forgotten", reads)
	}
}

func TestTailForgetsWhatIsOld(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	for range 30 {
		tail.Publish(s.add(1000))
	}
	for _, after := range []domain.Position{0, 12_345, 29_999} {
		follow(t.Context(), &tail, s, after).reach(t, 30_000)
	}
}

func TestTailEndsWithTheReadersError(t *testing.T) {
	var tail eventstore.Tail
	broken := errors.New("broken")
	f := follow(t.Context(), &tail, &source{err: broken}, 0)
	if err := <-f.end; !errors.Is(err, broken) {
		t.Errorf("Follow: ended with %v, want %v", err, broken)
	}
}

func TestTailEndsWithItsContext(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	ctx, cancel := context.WithCancel(t.Context())
	f := follow(ctx, &tail, s, 0)
	tail.Publish(s.add(1))
	f.reach(t, 1)
	cancel()
	if err := <-f.end; !errors.Is(err, context.Canceled) {
		t.Errorf("Follow: ended with %v, want context.Canceled", err)
	}
}

func TestTailEndsWhenItsUserStops(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	s.add(5)
	for batch, err := range tail.Follow(t.Context(), s, 2) {
		if err != nil || len(batch) != 3 || batch[0].Position != 3 {
			t.Errorf("Follow: got %d events, error %v; want those from position 3", len(batch), err)
		}
		break
	}
}

func TestTailRefusesPositionsOutsideTheLog(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	s.add(3)
	for _, after := range []domain.Position{-1, 4, 1000} {
		if err := <-follow(t.Context(), &tail, s, after).end; domain.KindOf(err) != domain.CursorInvalid {
			t.Errorf("Follow after %d: ended with %v, want an error of kind CursorInvalid", after, err)
		}
	}
}

func TestTailRetriesThroughOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tail := eventstore.Tail{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		s := &source{}
		s.add(3)
		f := follow(t.Context(), &tail, s, 0)
		f.reach(t, 3)
		s.fail(domain.Errorf(domain.Unavailable, "the store is away"))
		tail.Reset()
		late := follow(t.Context(), &tail, s, 2) // has to ask where the log ends
		time.Sleep(10 * time.Minute)
		select {
		case err := <-f.end:
			t.Fatalf("Follow ended in an outage: %v", err)
		case err := <-late.end:
			t.Fatalf("Follow that started in an outage ended: %v", err)
		default:
		}
		s.fail(nil)
		s.add(1)
		time.Sleep(2 * time.Second) // the longest pause
		f.reach(t, 4)
		late.reach(t, 4)
		if n := strings.Count(log.String(), "cannot read"); n != 20 {
			t.Errorf("an outage of ten minutes of two followers is logged %d times, want once a minute each", n)
		}
		if n := strings.Count(log.String(), "can read it again"); n != 2 {
			t.Errorf("the outage's end is logged %d times, want once for each follower", n)
		}
	})
}

func TestTailCloseEndsItsFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tail eventstore.Tail
		s := &source{}
		s.add(3)
		waiting := follow(t.Context(), &tail, s, 3)
		away := &source{err: domain.Errorf(domain.Unavailable, "the store is away")}
		retrying := follow(t.Context(), &tail, away, 0)
		time.Sleep(time.Minute)
		closed := errors.New("closed")
		tail.Close(closed)
		late := follow(t.Context(), &tail, s, 0)
		for name, f := range map[string]follower{"one that waits": waiting, "one that retries": retrying, "one after Close": late} {
			if err := <-f.end; !errors.Is(err, closed) {
				t.Errorf("%s ended with %v, want %v", name, err, closed)
			}
		}
	})
}

// Whatever is published, dropped, repeated or reset, each follower gets every
// event once and in order.
func TestTailHintsDecideNothing(t *testing.T) {
	var tail eventstore.Tail
	s := &source{}
	const last = 5000
	s.add(8)
	g, ctx := errgroup.WithContext(t.Context())
	for after := range domain.Position(8) {
		f := follow(ctx, &tail, s, after)
		g.Go(func() error {
			for {
				select {
				case at := <-f.got:
					if at == last {
						return nil
					}
				case err := <-f.end:
					return err
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	var older []eventstore.Event
	for n := 8; n < last; {
		add := min(1+random.IntN(20), last-n)
		events := s.add(add)
		n += add
		switch random.IntN(6) {
		case 0: // not published
		case 1:
			tail.Reset()
		case 2:
			tail.Publish(older)
			tail.Publish(events)
		case 3:
			tail.Publish(events)
			tail.Publish(events)
		default:
			tail.Publish(events)
		}
		older = events
	}
	tail.Reset()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
