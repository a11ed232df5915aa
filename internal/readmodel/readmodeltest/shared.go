package readmodeltest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

func checkSharedServing(one, other *world) {
	first := one.serve()
	writer, err := other.store.Serving(other.ctx, "another-epoch", 99)
	other.ok("Serving", err)
	g, err := writer.Generation(other.ctx)
	other.ok("Generation", err)
	same(other, "generation of the other", g, first)
	same(other, "generation in a snapshot of the other", other.view().Generation, first)
}

func checkSharedRows(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 9}, Profiles: users(1)})
	held := other.snapshot()
	defer held.Close()
	before := other.viewOf(held, 1, 2)
	one.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 30}, Profiles: users(2), Chirps: chirps(2, push, 10),
		Follows: []readmodel.Follow{follow(1, 2, 20)}, Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 10)}},
	})
	same(other, "a snapshot that was open", other.viewOf(held, 1, 2), before)
	same(other, "a new snapshot of the other", other.view(1, 2), one.view(1, 2))
	other.wantTimeline(1, 10)
}

func checkSharedAwait(one, other *world) {
	const last = 5
	var waiters sync.WaitGroup
	defer waiters.Wait()
	for beyond := range domain.Position(last) {
		waiters.Go(func() {
			got, err := other.store.Await(other.ctx, beyond)
			if err != nil || got <= beyond {
				other.Errorf("Await beyond %d returned %d, %v", beyond, got, err)
				return
			}
			s, err := other.store.Snapshot(other.ctx)
			if err != nil {
				other.Errorf("Snapshot: %v", err)
				return
			}
			defer s.Close()
			if at := s.Generation().Checkpoint.Position; at < got {
				other.Errorf("a snapshot opened after Await returned %d is at %d", got, at)
			}
		})
	}
	for n := range domain.Position(last) {
		one.apply(readmodel.Batch{})
		got, err := other.store.Await(other.ctx, n) // in step: Await learns of each batch
		other.ok("Await", err)
		if got != n+1 {
			other.Errorf("Await beyond %d returned %d, want %d", n, got, n+1)
		}
	}
}

func checkSharedFencing(one, other *world) {
	one.apply(readmodel.Batch{Profiles: users(1)})
	other.serve()
	one.apply(readmodel.Batch{Profiles: users(2)})
	err := other.writer.Apply(other.ctx, readmodel.Batch{From: other.at, To: readmodel.Checkpoint{Position: 9}, Profiles: users(3)})
	if !errors.Is(err, readmodel.ErrFenced) {
		other.Errorf("Apply from a checkpoint that the other has moved returned %v, want ErrFenced", err)
	}
	same(other, "after the fenced Apply", other.view(1, 2, 3), one.view(1, 2, 3))
	other.serve()
	other.apply(readmodel.Batch{Profiles: users(3)})
	same(one, "what the other applied", one.view(3).Profiles, users(3))
}

// lease requests the lease and reports whether it was granted.
func (w *world) lease(holder string, ttl time.Duration) bool {
	w.Helper()
	held, err := w.store.Lease(w.ctx, holder, ttl)
	w.ok("Lease", err)
	return held
}

func checkLease(one, other *world) {
	for _, step := range []struct {
		what   string
		by     *world
		holder string
		want   bool
	}{
		{"the first to ask", one, "a", true},
		{"another", other, "b", false},
		{"another beside the holder", one, "b", false},
		{"the holder again", one, "a", true},
		{"another after the renewal", other, "b", false},
	} {
		if got := step.by.lease(step.holder, time.Hour); got != step.want {
			one.Fatalf("Lease by %s returned %v, want %v", step.what, got, step.want)
		}
	}
	other.ok("Release by another", other.store.Release(other.ctx, "b"))
	if other.lease("b", time.Hour) {
		other.Error("a Release by another took the holder's lease")
	}
	one.ok("Release", one.store.Release(one.ctx, "a"))
	if !other.lease("b", time.Hour) {
		other.Error("the lease is not free after its Release")
	}
	one.ok("Release by the old holder", one.store.Release(one.ctx, "a"))
	if one.lease("a", time.Hour) {
		one.Error("the old holder has the lease together with the new one")
	}
}

func checkLeaseEnds(one, other *world) {
	if !one.lease("a", 50*time.Millisecond) {
		one.Fatal("the first to ask does not get the lease")
	}
	for !other.lease("b", time.Hour) {
		if other.ctx.Err() != nil {
			other.Fatal("the lease of a holder that does not renew it does not expire")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if one.lease("a", time.Hour) {
		one.Error("the holder whose lease expired has it together with the new one")
	}
}

func checkLeaseRace(one, other *world) {
	const racers = 8
	for round := range 5 {
		var won atomic.Int32
		var winner atomic.Value
		var all sync.WaitGroup
		for r := range racers {
			all.Go(func() {
				w, holder := []*world{one, other}[r%2], fmt.Sprintf("%d-%d", round, r)
				held, err := w.store.Lease(w.ctx, holder, time.Hour)
				if err != nil {
					w.Errorf("Lease: %v", err)
				}
				if held {
					won.Add(1)
					winner.Store(holder)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			one.Fatalf("%d of %d racing holders have the lease, want 1", won.Load(), racers)
		}
		one.ok("Release", one.store.Release(one.ctx, winner.Load().(string)))
	}
}
