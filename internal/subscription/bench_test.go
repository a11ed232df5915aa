package subscription_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/subscription"
)

// BenchmarkDispatch hands one chirp to so many local subscribers. "pushed" is
// until the hub is past it, "taken" until every consumer has it.
func BenchmarkDispatch(b *testing.B) {
	for _, n := range []int{0, 1, 100, 10_000} {
		b.Run(fmt.Sprintf("pushed/%d", n), func(b *testing.B) { dispatch(b, n, false) })
		b.Run(fmt.Sprintf("taken/%d", n), func(b *testing.B) { dispatch(b, n, true) })
	}
}

func dispatch(b *testing.B, subscribers int, taken bool) {
	feed := make(chan []subscription.Recorded)
	h := subscription.New(subscription.Config{
		Buffer: 1 << 30, // nobody is let go
		Follow: func(ctx context.Context, _ domain.Position) iter.Seq2[[]subscription.Recorded, error] {
			return func(yield func([]subscription.Recorded, error) bool) {
				for batch := range feed {
					if !yield(batch, nil) {
						return
					}
				}
				<-ctx.Done()
			}
		},
		Await: func(_ context.Context, beyond domain.Position) (domain.Position, error) { return beyond + 1, nil },
		Read: func(context.Context, domain.UserID, domain.Position, int) (subscription.Reading, error) {
			return subscription.Reading{Followees: []domain.UserID{bob}}, nil
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer func() { cancel(); close(feed); all.Wait() }()
	all.Go(func() { _ = h.Run(ctx) })

	at := domain.Position(0)
	post := func() {
		at++
		feed <- []subscription.Recorded{{Position: at, Event: domain.ChirpPosted{AuthorID: bob, Content: "hello"}}}
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
