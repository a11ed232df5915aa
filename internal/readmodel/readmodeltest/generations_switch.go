package readmodeltest

import (
	"errors"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

func checkBehind(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10}, Profiles: users(1)})
	before := one.view(1, 2)
	b := other.build(99)
	for _, at := range []readmodel.Checkpoint{{}, {Position: 4}, {Position: 9, Partial: 7}} {
		if at != (readmodel.Checkpoint{}) {
			other.apply(readmodel.Batch{To: at})
		}
		if at.Position == 4 {
			other.ok("Finish", b.Finish(other.ctx))
		}
		if err := b.Switch(other.ctx); !errors.Is(err, readmodel.ErrBehind) {
			other.Fatalf("Switch at %+v, with the serving generation at 10, returned %v, want ErrBehind", at, err)
		}
		for _, w := range []*world{one, other} {
			same(w, "after a switch that was refused", w.view(1, 2), before)
		}
		same(other, "what is being built", other.generation().Checkpoint, at)
	}
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10, Partial: 3}})
	other.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10}, Profiles: users(1, 2)})
	other.ok("Switch at the serving position", b.Switch(other.ctx))
	same(other, "after the switch", other.view(1, 2).Profiles, users(1, 2))
}

func checkSwitch(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10}, Profiles: users(1)})
	other.serve()
	old := []*world{{TB: one, ctx: one.ctx, writer: one.writer, at: one.at}, {TB: other, ctx: other.ctx, writer: other.writer, at: other.at}}
	same(other, "before the switch", other.view(1, 2), one.view(1, 2))
	other.build(99)
	built := other.generation()
	other.replace(99, 12, 2)
	built.Checkpoint.Position = 12
	for _, w := range []*world{one, other} {
		w.awaitGeneration(built.Number)
		same(w, "the generation that serves", w.view().Generation, built)
		same(w, "its rows", w.view(1, 2).Profiles, users(2))
	}
	for _, w := range old {
		err := w.writer.Apply(w.ctx, readmodel.Batch{From: w.at, To: readmodel.Checkpoint{Position: 11}, Profiles: users(3)})
		if !errors.Is(err, readmodel.ErrFenced) {
			w.Errorf("Apply to the old generation returned %v, want ErrFenced", err)
		}
	}
	for i, w := range []*world{one, other} { // with the old threshold, which has no effect
		same(w, "the generation that a projector opens", w.serve(), built)
		w.apply(readmodel.Batch{Profiles: users(readmodel.UserKey(3 + i))})
		built.Checkpoint = w.at
	}
	same(one, "what the projectors applied", one.view(1, 2, 3, 4).Profiles, users(2, 3, 4))
}

func checkSwitchWakes(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10}})
	var waiters sync.WaitGroup
	for _, w := range []*world{one, other} {
		for _, beyond := range []domain.Position{10, 39} {
			waiters.Go(func() {
				if at, err := w.store.Await(w.ctx, beyond); err != nil || at != 40 {
					w.Errorf("Await beyond %d returned %d, %v, want 40", beyond, at, err)
					return
				}
				s, err := w.store.Snapshot(w.ctx)
				if err != nil {
					w.Errorf("Snapshot: %v", err)
					return
				}
				defer s.Close()
				if at := s.Generation().Checkpoint.Position; at != 40 {
					w.Errorf("a snapshot after Await is at %d, want 40", at)
				}
			})
		}
	}
	other.replace(99, 40, 1)
	waiters.Wait()
}

func checkSwitchSnapshots(one, other *world) {
	one.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 10}, Profiles: users(1, 2), Chirps: chirps(2, push, 5), Follows: []readmodel.Follow{follow(1, 2, 6)},
		FanOuts: []readmodel.FanOut{{Chirp: 5, Author: 2, Range: through(0, 10)}},
	})
	held := []readmodel.Snapshot{one.snapshot(), other.snapshot()}
	before := one.view(1, 2, 3)
	other.replace(99, 12, 1, 2, 3)
	for i, w := range []*world{one, other} {
		same(w, "a snapshot from before the switch", w.viewOf(held[i], 1, 2, 3), before)
		held[i].Close()
	}
}

// checkSwitchAtWork has an active projector and readers while another generation
// catches up with the projector and replaces the serving one. Both generations have a
// profile for each position, so every snapshot must have as many as the position of
// its checkpoint, and neither the checkpoint nor the generation may ever go back.
func checkSwitchAtWork(one, other *world) {
	const last = domain.Position(120)
	one.serve()
	done := make(chan struct{})
	var readers, work sync.WaitGroup
	for _, w := range []*world{one, other} {
		readers.Go(func() { w.checkMonotonic(done, last) })
	}
	work.Go(func() { one.project(last) })
	_, err := other.store.Await(other.ctx, last/3)
	other.ok("Await", err)
	other.build(99)
	for switched := false; !switched && other.ctx.Err() == nil; {
		err := other.writer.(readmodel.Builder).Switch(other.ctx)
		switch {
		case err == nil:
			switched = true
		case !errors.Is(err, readmodel.ErrBehind):
			other.Errorf("Switch: %v", err)
			switched = true
		case other.at.Position < last:
			other.apply(nextProfile(other.at.Position))
		}
	}
	work.Wait()
	close(done)
	readers.Wait()
	if at := one.view().Generation.Checkpoint.Position; at != last {
		one.Errorf("the projector ended at %d, want %d", at, last)
	}
}

// nextProfile returns a batch with the profile of the next position.
func nextProfile(at domain.Position) readmodel.Batch {
	return readmodel.Batch{
		From: readmodel.Checkpoint{Position: at}, To: readmodel.Checkpoint{Position: at + 1},
		Profiles: users(readmodel.UserKey(at + 1)),
	}
}

// project applies batches up to a position. When it is fenced it opens the serving
// generation again.
func (w *world) project(last domain.Position) {
	for w.ctx.Err() == nil {
		writer, err := w.store.Serving(w.ctx, testEpoch, testThreshold)
		if err != nil {
			w.Errorf("Serving: %v", err)
			return
		}
		g, err := writer.Generation(w.ctx)
		for at := g.Checkpoint.Position; err == nil; at++ {
			if at == last {
				return
			}
			err = writer.Apply(w.ctx, nextProfile(at))
			time.Sleep(time.Millisecond)
		}
		if !errors.Is(err, readmodel.ErrFenced) {
			w.Errorf("the projector's Apply returned %v, want nil or ErrFenced", err)
			return
		}
	}
}

// checkMonotonic reads snapshots until done is closed, and fails if one goes back.
func (w *world) checkMonotonic(done <-chan struct{}, last domain.Position) {
	var keys []readmodel.UserKey
	for k := range readmodel.UserKey(last) {
		keys = append(keys, k+1)
	}
	var seen readmodel.Generation
	for {
		select {
		case <-done:
			return
		default:
		}
		s, err := w.store.Snapshot(w.ctx)
		if err != nil {
			w.Errorf("Snapshot beside a switch: %v", err)
			return
		}
		g := s.Generation()
		found, err := s.Profiles(w.ctx, keys)
		s.Close()
		if err != nil || len(found) != int(g.Checkpoint.Position) {
			w.Errorf("a snapshot of %+v has %d profiles, %v", g, len(found), err)
			return
		}
		if g.Number < seen.Number || g.Checkpoint.Position < seen.Checkpoint.Position {
			w.Errorf("a snapshot of %+v came after one of %+v", g, seen)
			return
		}
		seen = g
	}
}

func checkHold(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10}, Profiles: users(1)})
	before := one.view(1, 2)
	b := other.build(99)
	other.ok("Hold", b.Hold(other.ctx, readmodel.LongestHold))
	if err := one.writer.Apply(one.ctx, nextProfile(10)); !errors.Is(err, readmodel.ErrHeld) {
		one.Errorf("Apply to the held generation returned %v, want ErrHeld", err)
	}
	for _, w := range []*world{one, other} {
		same(w, "the held generation", w.view(1, 2), before)
	}
	other.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10}, Profiles: users(1, 2)})
	other.ok("Switch", b.Switch(other.ctx))
	other.ok("Hold by the builder of the serving generation", b.Hold(other.ctx, readmodel.LongestHold))
	one.awaitGeneration(other.generation().Number)
	if err := one.writer.Apply(one.ctx, nextProfile(10)); !errors.Is(err, readmodel.ErrFenced) {
		one.Errorf("Apply to the generation that was held and no longer serves returned %v, want ErrFenced", err)
	}
	one.serve()
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 11}, Profiles: users(3)})
}

func checkHoldEnds(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10}, Profiles: users(1)})
	b := other.build(99)
	other.ok("Hold", b.Hold(other.ctx, readmodel.LongestHold))
	other.ok("a shorter Hold", b.Hold(other.ctx, 300*time.Millisecond))
	err := one.writer.Apply(one.ctx, nextProfile(10))
	for held := 0; errors.Is(err, readmodel.ErrHeld) && one.ctx.Err() == nil; held++ {
		time.Sleep(5 * time.Millisecond)
		err = one.writer.Apply(one.ctx, nextProfile(10))
	}
	one.ok("Apply after the hold", err)
	if at := other.view().Generation.Checkpoint.Position; at != 11 {
		other.Errorf("the serving generation is at %d after the hold, want 11", at)
	}
	if err := b.Switch(other.ctx); !errors.Is(err, readmodel.ErrBehind) {
		other.Errorf("Switch after the hold returned %v, want ErrBehind", err)
	}
}

func checkRepeats(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 10}, Profiles: users(1)})
	first := one.build(99)
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 8}, Profiles: users(1)})
	one.ok("Finish", first.Finish(one.ctx))
	one.ok("a second Finish", first.Finish(one.ctx))
	again := other.build(99) // as after a crash
	other.ok("Finish by another", again.Finish(other.ctx))
	other.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 11}, Profiles: users(2), Chirps: chirps(2, push, 11)})
	other.ok("Finish after more", again.Finish(other.ctx))
	other.ok("Switch", again.Switch(other.ctx))
	other.ok("a second Switch", again.Switch(other.ctx))
	one.ok("Switch by the first builder", first.Switch(one.ctx))
	same(other, "what serves", other.view(1, 2).Profiles, users(1, 2))
	other.serve()
	other.apply(readmodel.Batch{Profiles: users(3)})
	other.ok("a Switch after the projector has continued", again.Switch(other.ctx))

	number := other.generation().Number
	one.build(99)
	if g := one.generation(); g.Number <= number || g.Checkpoint != (readmodel.Checkpoint{}) {
		one.Errorf("Build after the switch to generation %d returned %+v, want a new one", number, g)
	}
	one.replace(99, 20, 1)
	other.fenced("a builder whose generation no longer serves", again, other.at)
	same(one, "what serves in the end", one.view(1, 2, 3).Profiles, users(1))
}

func checkDrop(one, other *world) {
	const gap = time.Second
	first := one.serve().Number
	one.replace(98, 10, 1)
	second := one.generation().Number
	time.Sleep(gap)
	retired := time.Now() // the second will be retired in a moment, and the first has been for at least gap
	other.replace(99, 20, 2)
	third := other.generation().Number
	building := one.build(97)
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 5}, Profiles: users(5)})
	want := one.generation()

	same(other, "dropped that are retired for an hour", other.drop(time.Hour), nil)
	asked := time.Now()
	dropped := other.drop(asked.Sub(retired) + gap/2)
	if time.Since(asked) < gap/2 { // otherwise the second may be due as well
		same(other, "dropped that are retired for a while", dropped, []int{first})
	}
	same(one, "dropped in all", append(dropped, one.drop(0)...), []int{first, second})
	same(other, "dropped when none is left", other.drop(0), nil)

	for _, w := range []*world{one, other} {
		w.awaitGeneration(third)
		same(w, "what serves", w.view(1, 2, 5).Profiles, users(2))
	}
	same(one, "what is being built", one.generation(), want)
	other.build(97)
	same(other, "the resumed generation", other.generation(), want)
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 21}})
	one.ok("Switch", building.Switch(one.ctx))
	same(one, "after the next switch", one.view(2, 5).Profiles, users(5))
}
