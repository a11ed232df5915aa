package subscription_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/subscription"
)

// BenchmarkDispatch dispatches one chirp to a number of local subscribers. "pushed"
// measures until the hub is past it, "taken" until every consumer has it.
func BenchmarkDispatch(b *testing.B) {
	for _, n := range []int{0, 1, 100, 10_000} {
		b.Run(fmt.Sprintf("pushed/%d", n), func(b *testing.B) { dispatch(b, n, false) })
		b.Run(fmt.Sprintf("taken/%d", n), func(b *testing.B) { dispatch(b, n, true) })
	}
}

func dispatch(b *testing.B, subscribers int, taken bool) {
	feed := make(chan []eventstore.Event)
	h := subscription.New(subscription.Config{
		Buffer: 1 << 30, // no subscriber is detached
		Log:    fedLog{feed: feed},
		Views:  allVisible{}, Queries: &query.Service{Views: allVisible{}},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer func() { cancel(); close(feed); all.Wait() }()
	all.Go(func() { _ = h.Run(ctx) })

	wireName, data, err := domain.EncodeEvent(domain.ChirpPosted{ChirpID: "chirp_1", AuthorID: bob, Content: "hello"})
	if err != nil {
		b.Fatal(err)
	}
	at := domain.Position(0)
	post := func() {
		at++
		feed <- []eventstore.Event{{Position: at, Type: wireName, Data: data}}
	}
	var got sync.WaitGroup
	got.Add(subscribers)
	for range subscribers {
		all.Go(func() {
			for _, err := range h.Feed(ctx, ann, subscription.After(0)) {
				if err != nil {
					return
				}
				got.Done()
			}
		})
	}
	post() // all are live when they have the first
	got.Wait()
	b.ReportAllocs()
	for b.Loop() {
		got.Add(subscribers)
		post()
		if taken {
			got.Wait()
		}
	}
	for h.Stats().Position < at {
	}
	b.StopTimer()
	got.Wait()
}

// fedLog is a log whose events come from a channel.
type fedLog struct {
	eventstore.Log
	feed <-chan []eventstore.Event
}

func (l fedLog) Follow(ctx context.Context, _ domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for batch := range l.feed {
			if !yield(batch, nil) {
				return
			}
		}
		<-ctx.Done()
	}
}

// Hashes returns the same hash for every position, because all events are of one
// stream and time.
func (fedLog) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	hashes := make(map[domain.Position]domain.EventHash)
	for _, p := range positions {
		hashes[p] = eventstore.Event{}.Hash()
	}
	return hashes, nil
}

// allVisible are views that show every event at once. Their snapshots are of
// position 0, at which every user follows bob.
type allVisible struct{ readmodel.Store }

func (allVisible) Await(_ context.Context, beyond domain.Position) (domain.Position, error) {
	return beyond + 1, nil
}

func (allVisible) Snapshot(context.Context) (readmodel.Snapshot, error) { return atTheStart{}, nil }

type atTheStart struct{ readmodel.Snapshot }

func (atTheStart) Close() {}

func (atTheStart) Generation() readmodel.Generation { return readmodel.Generation{Number: 1} }

func (atTheStart) ProfileByID(context.Context, domain.UserID) (readmodel.Profile, error) {
	return readmodel.Profile{Key: 1}, nil
}

func (atTheStart) Timeline(context.Context, readmodel.UserKey, readmodel.Window) ([]domain.Position, error) {
	return nil, nil
}

func (atTheStart) Sources(context.Context, readmodel.UserKey, domain.Position) ([]readmodel.Source, error) {
	return nil, nil
}

func (atTheStart) FolloweeIDs(context.Context, readmodel.UserKey) ([]domain.UserID, error) {
	return []domain.UserID{bob}, nil
}
