package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

func raceCases() []Case {
	return []Case{
		{"of writers racing for one version exactly one wins and no reader skips a position", oneWinsTheRace},
		{"of writers racing for overlapping streams exactly one wins", oneWinsTheOverlap},
		{"positions are gap-free and in commit order under many writers", positionsUnderLoad},
	}
}

// appendAndCancel appends with a context that ends meanwhile: immediately if the
// delay is 0, otherwise some time later.
func appendAndCancel(ctx context.Context, log eventstore.Log, a eventstore.Append, delay int) (eventstore.Commit, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if delay == 0 {
		cancel()
	} else {
		defer time.AfterFunc(time.Duration(delay)*100*time.Microsecond, cancel).Stop()
	}
	return log.Append(ctx, a)
}

func oneWinsTheRace(t testing.TB, open Open) {
	log := open(t)
	const rounds, writers = 60, 2
	g, ctx := errgroup.WithContext(guarded(t))
	g.Go(func() error { _, err := follow(ctx, log, 0, rounds); return err })
	g.Go(func() error { return poll(ctx, log, rounds) })
	g.Go(func() error {
		for round := range int64(rounds) {
			wins, err := race(ctx, log, writers, func(writer int) eventstore.Append {
				return command(fmt.Sprintf("%d of writer %d", round, writer), to("s", round, 1))
			})
			if err != nil || wins != 1 {
				return fmt.Errorf("round %d: got %d winners, error %v; want 1", round, wins, err)
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	wantHead(t, log, rounds)
	wantVersions(t, log, "s", rounds)
}

func oneWinsTheOverlap(t testing.TB, open Open) {
	log := open(t)
	const rounds = 20
	for round := range int64(rounds) {
		wins, err := race(guarded(t), log, 4, func(writer int) eventstore.Append {
			own := domain.StreamID(fmt.Sprintf("own:%d:%d", round, writer))
			return command(string(own), to(own, 0, 1), to("shared", round, 1))
		})
		if err != nil || wins != 1 {
			t.Fatalf("round %d: got %d winners, error %v; want 1", round, wins, err)
		}
	}
	wantVersions(t, log, "shared", rounds)
	wantHead(t, log, 2*rounds)
}

// race makes appends at the same moment, and returns how many succeeded. The
// others must fail with a conflict.
func race(ctx context.Context, log eventstore.Log, writers int, make func(writer int) eventstore.Append) (int, error) {
	var wins atomic.Int64
	var start sync.WaitGroup
	start.Add(writers)
	g, ctx := errgroup.WithContext(ctx)
	for writer := range writers {
		g.Go(func() error {
			a := make(writer)
			start.Done()
			start.Wait()
			_, err := log.Append(ctx, a)
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, eventstore.ErrConflict) {
				return err
			}
			return nil
		})
	}
	err := g.Wait()
	return int(wins.Load()), err
}

// positionsUnderLoad makes 32 writers append one to three events at a time, with
// failing appends in between.
func positionsUnderLoad(t testing.TB, open Open) {
	log := open(t)
	const writers, appends = 32, 12
	const total = writers * appends * 2 // one to three events each, two on average
	g, ctx := errgroup.WithContext(guarded(t))
	g.Go(func() error { _, err := follow(ctx, log, 0, total); return err })
	g.Go(func() error { return poll(ctx, log, total) })
	var returned atomic.Int64 // the highest position that an append has returned
	for writer := range writers {
		g.Go(func() error {
			for i := range appends {
				if err := failingAppend(ctx, log, fmt.Sprintf("bad %d %d", writer, i)); err != nil {
					return err
				}
				stream := domain.StreamID(fmt.Sprintf("s:%d:%d", writer, i))
				before := domain.Position(returned.Load())
				commit, err := log.Append(ctx, command(string(stream), to(stream, 0, 1+i%3)))
				if err != nil {
					return err
				}
				if err := wantNext(commit.Events[0].Position-1, commit.Events); err != nil {
					return fmt.Errorf("commit: %w", err)
				}
				if first := commit.Events[0].Position; first <= before {
					return fmt.Errorf("got position %d for an append begun after %d had returned", first, before)
				}
				raise(&returned, int64(commit.Position()))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	wantHead(t, log, total)
}

// failingAppend appends to a new stream and to one that is not at the expected
// version.
func failingAppend(ctx context.Context, log eventstore.Log, id string) error {
	_, err := log.Append(ctx, command(id, to(domain.StreamID(id), 0, 1), to("nowhere", 5, 1)))
	if !errors.Is(err, eventstore.ErrConflict) {
		return fmt.Errorf("append to a stream that does not exist: got error %v, want ErrConflict", err)
	}
	return nil
}

func raise(max *atomic.Int64, to int64) {
	for old := max.Load(); old < to && !max.CompareAndSwap(old, to); old = max.Load() {
	}
}
