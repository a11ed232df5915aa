package readmodeltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

func checkServing(w *world) {
	if _, err := w.store.Snapshot(w.ctx); !errors.Is(err, readmodel.ErrNoViews) || domain.KindOf(err) != domain.Unavailable {
		w.Errorf("a Snapshot of an empty store returned %v, want ErrNoViews, of kind Unavailable", err)
	}
	var all sync.WaitGroup
	made := make([]readmodel.Generation, 4)
	for i := range made {
		all.Go(func() {
			writer, err := w.store.Serving(w.ctx, testEpoch, int64(i+1))
			if err == nil {
				made[i], err = writer.Generation(w.ctx)
			}
			if err != nil {
				w.Errorf("Serving: %v", err)
			}
		})
	}
	all.Wait()
	first := made[0]
	if first.Number != 1 || first.Epoch != testEpoch || first.Threshold < 1 || first.Threshold > 4 || first.Checkpoint != (readmodel.Checkpoint{}) {
		w.Errorf("the first generation is %+v", first)
	}
	for _, g := range made[1:] {
		same(w, "generation of another first call", g, first)
	}
	w.serve()
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 3}})
	first.Checkpoint.Position = 3
	later, err := w.store.Serving(w.ctx, "another-epoch", 99)
	w.ok("Serving", err)
	g, err := later.Generation(w.ctx)
	w.ok("Generation", err)
	same(w, "generation of a later call", g, first)
	same(w, "generation of a snapshot", w.view().Generation, first)
}

// checkSnapshot keeps snapshots open while everything in them changes, and reads
// them from many goroutines.
func checkSnapshot(w *world) {
	keys := []readmodel.UserKey{1, 2, 3}
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 30}, Profiles: users(1, 2),
		Chirps:    append(chirps(2, push, 10, 11), chirps(2, pull, 12)...),
		Follows:   []readmodel.Follow{follow(1, 2, 20)},
		Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 20)}},
	})
	// One is read only after the change: its moment must be that of its opening.
	unread, read := w.snapshot(), w.snapshot()
	defer unread.Close()
	defer read.Close()
	before := w.viewOf(read, keys...)

	var all sync.WaitGroup
	defer all.Wait()
	compare := func(s readmodel.Snapshot) {
		all.Go(func() {
			got, err := readView(w.ctx, s, keys, everything)
			if err != nil {
				w.Errorf("a read of a snapshot: %v", err)
				return
			}
			same(w, "a snapshot while others write", got, before)
		})
	}
	for range 8 {
		compare(read)
	}
	changed := user(2)
	changed.Followers = 7
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 40}, Profiles: append(users(3), changed),
		Chirps:    append(chirps(2, push, 31), chirps(2, pull, 32)...),
		Unfollows: []readmodel.Follow{{Follower: 1, Followee: 2}},
		Cleanups:  []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 11)}},
		Follows:   []readmodel.Follow{follow(1, 3, 33), follow(3, 2, 34)},
		Backfills: []readmodel.Delivered{{Owner: 3, Author: 2, Range: through(0, 31)}},
	})
	for range 8 {
		compare(unread)
		compare(read)
	}
	all.Wait()
	if d := diff(w.view(keys...), before); d == "" {
		w.Error("a snapshot opened after the batch does not show the batch")
	}
	w.wantTimeline(3, 31, 11, 10)
}

// checkAtomic applies batches that each add one row to every list, and fails if the
// lists of any snapshot differ in length.
func checkAtomic(w *world) {
	const batches = 60
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 1}, Profiles: users(1), Follows: []readmodel.Follow{follow(2, 1, 1)}})
	done := make(chan struct{})
	var readers sync.WaitGroup
	defer func() {
		close(done)
		readers.Wait()
	}()
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := lengthsAgree(w.ctx, w.store); err != nil {
					w.Errorf("a snapshot between batches: %v", err)
					return
				}
			}
		})
	}
	for n := domain.Position(2); n < batches; n++ {
		p := user(1)
		p.Chirps = int64(n - 1)
		w.apply(readmodel.Batch{
			Profiles: []readmodel.Profile{p}, Chirps: chirps(1, push, n), Follows: []readmodel.Follow{follow(1, readmodel.UserKey(100+n), n)},
			FanOuts: []readmodel.FanOut{{Chirp: n, Author: 1, Range: through(0, 1)}},
		})
	}
}

func lengthsAgree(ctx context.Context, store readmodel.Store) error {
	s, err := store.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	v, err := readView(ctx, s, []readmodel.UserKey{1, 2}, everything)
	if err != nil {
		return err
	}
	u := v.Users[1]
	got := []int{int(v.Profiles[0].Chirps), len(u.Chirps), len(u.Following), len(v.Users[2].Timeline)}
	rows := int(v.Generation.Checkpoint.Position) - 1
	if d := diff(got, []int{rows, rows, rows, rows}); d != "" {
		return fmt.Errorf("at checkpoint %d there is a part of a batch (- want, + got):\n%s", rows+1, d)
	}
	return nil
}

func checkAwaitBeyond(w *world) {
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 7, Partial: 3}})
	for _, beyond := range []domain.Position{0, 5, 6} {
		got, err := w.store.Await(w.ctx, beyond)
		w.ok("Await", err)
		if got != 7 {
			w.Errorf("Await beyond %d returned %d, want 7", beyond, got)
		}
	}
}

// checkAwaitWakes has waiters for every position while batches are applied one by
// one. Each must wake, with a position beyond its own, and a snapshot that it then
// opens must be at least there.
func checkAwaitWakes(w *world) {
	const last = 30
	var waiters sync.WaitGroup
	defer waiters.Wait()
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	for n := range 4 * last {
		beyond := domain.Position(n % last)
		waiters.Go(func() {
			got, err := w.store.Await(ctx, beyond)
			if err != nil || got <= beyond {
				w.Errorf("Await beyond %d returned %d, %v", beyond, got, err)
				return
			}
			s, err := w.store.Snapshot(ctx)
			if err != nil {
				w.Errorf("Snapshot: %v", err)
				return
			}
			defer s.Close()
			if at := s.Generation().Checkpoint.Position; at < got {
				w.Errorf("a snapshot opened after Await returned %d is at %d", got, at)
			}
		})
	}
	// One waits in step with the batches. The pause before each lets it begin to
	// wait, to find stores that lose a wake-up; a correct store does not need it.
	seen := make(chan domain.Position, last)
	waiters.Go(func() {
		defer close(seen)
		for at := domain.Position(0); at < last; {
			got, err := w.store.Await(ctx, at)
			if err != nil || got <= at {
				w.Errorf("Await in step beyond %d returned %d, %v", at, got, err)
				return
			}
			at = got
			seen <- at
		}
	})
	time.Sleep(5 * time.Millisecond)
	w.serve() // the first generation is created only now
	for range last {
		time.Sleep(time.Millisecond)
		w.apply(readmodel.Batch{})
		if _, ok := <-seen; !ok {
			break
		}
	}
	waiters.Wait()
}

func checkAwaitEnds(w *world) {
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 7, Partial: 9}})
	short, cancel := context.WithTimeout(w.ctx, 10*time.Millisecond)
	defer cancel()
	if got, err := w.store.Await(short, 7); !errors.Is(err, context.DeadlineExceeded) {
		w.Errorf("Await beyond the checkpoint returned %d, %v, want the context's error", got, err)
	}
	ended, cancel := context.WithCancel(w.ctx)
	result := make(chan error)
	for range 3 {
		go func() {
			_, err := w.store.Await(ended, 99)
			result <- err
		}()
	}
	cancel()
	for range 3 {
		if err := <-result; !errors.Is(err, context.Canceled) {
			w.Errorf("Await returned %v after its context was cancelled", err)
		}
	}
}

func checkOneHolder(w *world) {
	for range 2 { // requested, then renewed
		held, err := w.store.Lease(w.ctx, "one", time.Hour)
		w.ok("Lease", err)
		if !held {
			w.Error("the only holder does not get the lease")
		}
	}
	w.ok("Release by a stranger", w.store.Release(w.ctx, "stranger"))
	w.ok("Release", w.store.Release(w.ctx, "one"))
	w.ok("second Release", w.store.Release(w.ctx, "one"))
	held, err := w.store.Lease(w.ctx, "two", time.Hour)
	w.ok("Lease", err)
	if !held {
		w.Error("the next holder does not get the lease that was released")
	}
}
