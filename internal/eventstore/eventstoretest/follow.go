package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

func followCases() []Case {
	return []Case{
		{"follow yields past events and then new ones", followsPastAndLive},
		{"followers that start during appends miss and repeat nothing", followsDuringAppends},
		{"follow starts at any position", followsFromTheMiddle},
		{"each iteration of follow starts again", followsAgain},
		{"follow ends with its context", followEnds},
		{"follow from a position outside the log is refused", followRefusesOutside},
		{"a slow follower delays no other", followersRest},
	}
}

func followsPastAndLive(t testing.TB, open Open) {
	log := open(t)
	fill(t, log, "past", 20)
	g, ctx := errgroup.WithContext(guarded(t))
	got := make(chan domain.Position, 64)
	g.Go(func() error {
		at := domain.Position(0)
		for batch, err := range log.Follow(ctx, 0) {
			if err == nil {
				err = wantNext(at, batch)
			}
			if err != nil {
				return fmt.Errorf("Follow at %d: %w", at, err)
			}
			if at += domain.Position(len(batch)); len(batch) == 0 {
				return errors.New("Follow yielded an empty batch")
			}
			got <- at
			if at >= 40 {
				return nil
			}
		}
		return errors.New("Follow ended without an error")
	})
	// Wait for each live event before appending the next, so that none can be
	// noticed only because of a later one.
	for at := domain.Position(0); at < 40; {
		if at >= 20 {
			mustAppend(t, log, command(fmt.Sprint(at), to("live", int64(at-20), 1)))
		}
		select {
		case at = <-got:
		case <-ctx.Done():
			t.Fatalf("Follow yielded nothing after %d: %v", at, errors.Join(ctx.Err(), g.Wait()))
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func followsDuringAppends(t testing.TB, open Open) {
	log := open(t)
	const writers, appends, followers = 4, 50, 20
	const total = writers * appends
	g, ctx := errgroup.WithContext(guarded(t))
	events := make([][]eventstore.Event, followers)
	for w := range writers {
		g.Go(func() error {
			for i := range appends {
				if f := w*appends + i; f%(total/followers) == 0 {
					g.Go(func() (err error) {
						events[f/(total/followers)], err = followFromHead(ctx, log, total)
						return err
					})
				}
				stream := "w:" + eventstoreID(w, i)
				if _, err := log.Append(ctx, command(string(stream), to(stream, 0, 1))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	all := everything(t, log)
	for _, got := range events {
		wantEvents(t, "Follow", got, all[len(all)-len(got):])
	}
}

// followFromHead follows from the current head up to a position.
func followFromHead(ctx context.Context, log eventstore.Log, until domain.Position) ([]eventstore.Event, error) {
	head, err := log.Head(ctx)
	if err != nil || head.Position >= until {
		return nil, err
	}
	return follow(ctx, log, head.Position, until)
}

func followsFromTheMiddle(t testing.TB, open Open) {
	log := open(t)
	fill(t, log, "s", 12)
	all := everything(t, log)
	for _, after := range []domain.Position{0, 1, 5, 11} {
		got, err := follow(guarded(t), log, after, 12)
		if err != nil {
			t.Fatal(err)
		}
		wantEvents(t, fmt.Sprintf("Follow after %d", after), got, all[after:])
	}
}

func followsAgain(t testing.TB, open Open) {
	log := open(t)
	fill(t, log, "s", 3)
	followed := log.Follow(guarded(t), 1)
	for round := range 3 {
		for batch, err := range followed {
			if err != nil || len(batch) == 0 || batch[0].Position != 2 {
				t.Fatalf("iteration %d: got %d events, error %v; want those from position 2", round, len(batch), err)
			}
			break
		}
	}
}

func followEnds(t testing.TB, open Open) {
	log := open(t)
	fill(t, log, "s", 3)
	followEndsWith(t, log, 0)
}

// followEndsWith checks that Follow ends with its context's error.
func followEndsWith(t testing.TB, log eventstore.Log, after domain.Position) {
	t.Helper()
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		},
		"cancelled before": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		},
		"past its deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 20*time.Millisecond)
		},
	} {
		outer := guarded(t)
		ctx, cancel := end(outer)
		var last error
		for _, err := range log.Follow(ctx, after) {
			last = err
		}
		if ctx.Err() == nil || !errors.Is(last, ctx.Err()) || outer.Err() != nil {
			t.Errorf("Follow with a context %s: ended with %v, want %v", name, last, ctx.Err())
		}
		cancel()
	}
}

func followRefusesOutside(t testing.TB, open Open) {
	log := open(t)
	refused := func(after domain.Position) {
		t.Helper()
		batches := 0
		for batch, err := range log.Follow(guarded(t), after) {
			if domain.KindOf(err) != domain.CursorInvalid || len(batch) > 0 {
				t.Fatalf("Follow after %d: got %d events, error %v; want one of kind CursorInvalid", after, len(batch), err)
			}
			batches++
		}
		if batches != 1 {
			t.Fatalf("Follow after %d: went on after its error", after)
		}
	}
	refused(1)
	refused(-1)
	fill(t, log, "s", 3)
	refused(4)
	refused(-1)
	refused(1_000_000)
	g, ctx := errgroup.WithContext(guarded(t))
	g.Go(func() error { _, err := follow(ctx, log, 3, 4); return err })
	fill(t, log, "t", 1)
	if err := g.Wait(); err != nil {
		t.Fatalf("Follow after the head itself: %v", err)
	}
}

func followersRest(t testing.TB, open Open) {
	log := open(t)
	fill(t, log, "s", 1)
	g, ctx := errgroup.WithContext(guarded(t))
	resting, wake := make(chan struct{}), make(chan struct{})
	wakeUp := sync.OnceFunc(func() { close(wake) })
	defer wakeUp()
	g.Go(func() error {
		at := domain.Position(0)
		for batch, err := range log.Follow(ctx, 0) {
			if err == nil {
				err = wantNext(at, batch)
			}
			if err != nil {
				return err
			}
			if at == 0 {
				close(resting)
				<-wake
			}
			if at += domain.Position(len(batch)); at >= 301 {
				return nil
			}
		}
		return errors.New("Follow ended without an error")
	})
	select {
	case <-resting:
	case <-ctx.Done():
		t.Fatalf("Follow yielded nothing: %v", ctx.Err())
	}
	for i := range int64(100) {
		mustAppend(t, log, command(fmt.Sprint(i), to("live", 3*i, 3)))
	}
	_, err := follow(ctx, log, 0, 301)
	wakeUp()
	if err := errors.Join(err, g.Wait()); err != nil {
		t.Fatal(err)
	}
}
