package readmodeltest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// RunGenerations checks how a generation of the views is built and replaces the
// serving one. open returns two handles on one empty store, as two processes have
// them.
func RunGenerations(t *testing.T, open func(t testing.TB) (one, other readmodel.Store)) {
	run(t, SharedSuite{Open: open, Patience: time.Minute}.GenerationChecks())
}

// GenerationChecks returns the checks of RunGenerations.
func (s SharedSuite) GenerationChecks() []Check {
	return s.checks([]sharedCheck{
		{"build fails while nothing serves", checkBuildOfNothing},
		{"a generation that is being built is not visible", checkOutOfSight},
		{"all processes see what is unfinished", checkUnfinished},
		{"building is resumed where it stopped", checkResume},
		{"another threshold or epoch starts a new generation", checkDiscard},
		{"a builder applies like a projector", checkBuilderApplies},
		{"rows that do not fit each other end a build", checkMisfitsOfBuild},
		{"two builders fence each other", checkBuilderFencing},
		{"racing builders build one generation", checkRacingBuilders},
		{"a switch waits for the serving checkpoint", checkBehind},
		{"a switch takes effect in all processes", checkSwitch},
		{"a switch wakes every waiter", checkSwitchWakes},
		{"a switch does not affect open snapshots", checkSwitchSnapshots},
		{"a switch beside an active projector loses nothing", checkSwitchAtWork},
		{"a hold lasts until the switch", checkHold},
		{"a hold ends by itself", checkHoldEnds},
		{"finish and switch may be repeated", checkRepeats},
		{"retired generations are dropped in time", checkDrop},
	})
}

// build opens a builder and reads its checkpoint. From then on the world applies to
// the generation that is being built.
func (w *world) build(threshold int64) readmodel.Builder {
	w.Helper()
	b, err := w.store.Build(w.ctx, testEpoch, threshold)
	w.ok("Build", err)
	w.writer = b
	w.at = w.generation().Checkpoint
	return b
}

// drop drops the generations that retired at least age ago, and returns them.
func (w *world) drop(age time.Duration) []int {
	w.Helper()
	dropped, err := w.store.DropRetired(w.ctx, age)
	w.ok("DropRetired", err)
	return dropped
}

// replace builds a generation with some profiles and switches to it.
func (w *world) replace(threshold int64, to domain.Position, keys ...readmodel.UserKey) {
	w.Helper()
	b := w.build(threshold)
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: to}, Profiles: users(keys...)})
	w.ok("Finish", b.Finish(w.ctx))
	w.ok("Switch", b.Switch(w.ctx))
}

// awaitGeneration waits until a generation serves for the world's handle.
func (w *world) awaitGeneration(number int) {
	w.Helper()
	for w.view().Generation.Number != number {
		if w.ctx.Err() != nil {
			w.Fatal("a process does not see the switch")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// fenced checks that a builder is fenced in all its methods.
func (w *world) fenced(what string, b readmodel.Builder, at readmodel.Checkpoint) {
	w.Helper()
	for call, err := range map[string]error{
		"Apply":  b.Apply(w.ctx, readmodel.Batch{From: at, To: readmodel.Checkpoint{Position: at.Position + 1}}),
		"Finish": b.Finish(w.ctx),
		"Hold":   b.Hold(w.ctx, readmodel.LongestHold),
		"Switch": b.Switch(w.ctx),
	} {
		if !errors.Is(err, readmodel.ErrFenced) {
			w.Errorf("%s by %s returned %v, want ErrFenced", call, what, err)
		}
	}
}

func checkBuildOfNothing(one, other *world) {
	for _, w := range []*world{one, other} {
		if _, err := w.store.Build(w.ctx, testEpoch, testThreshold); domain.KindOf(err) != domain.Unavailable {
			w.Errorf("Build in an empty store returned %v, want an error of kind Unavailable", err)
		}
		same(w, "generations dropped from an empty store", w.drop(0), nil)
	}
	if g := one.serve(); g.Number != 1 {
		one.Errorf("the first generation is %+v, want number 1", g)
	}
}

func checkOutOfSight(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 5}, Profiles: users(1)})
	before := one.view(1, 2)
	other.build(99)
	other.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 9}, Profiles: users(1, 2), Chirps: chirps(2, push, 4),
		Follows: []readmodel.Follow{follow(1, 2, 3)}, FanOuts: []readmodel.FanOut{{Chirp: 4, Author: 2, Range: through(0, 9)}},
	})
	for _, w := range []*world{one, other} {
		same(w, "a snapshot beside a build", w.view(1, 2), before)
		ctx, cancel := context.WithTimeout(w.ctx, 300*time.Millisecond)
		if at, err := w.store.Await(ctx, 5); err == nil {
			w.Errorf("Await beyond the serving checkpoint returned %d beside a build", at)
		}
		cancel()
		writer, err := w.store.Serving(w.ctx, testEpoch, testThreshold)
		w.ok("Serving", err)
		g, err := writer.Generation(w.ctx)
		w.ok("Generation", err)
		same(w, "the serving generation", g, before.Generation)
	}
	one.apply(readmodel.Batch{Profiles: users(2)})
	same(one, "what the projector applied beside a build", one.view(2).Profiles, users(2))
	same(other, "what is being built", other.generation().Checkpoint, readmodel.Checkpoint{Position: 9})
}

func checkResume(one, other *world) {
	serving := one.serve()
	b := one.build(99)
	first := one.generation()
	if first.Number <= serving.Number || first.Epoch != testEpoch || first.Threshold != 99 || first.Checkpoint != (readmodel.Checkpoint{}) {
		one.Errorf("the generation that is built is %+v, beside %+v", first, serving)
	}
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 7, Partial: 3}, Profiles: users(1)})
	first.Checkpoint = one.at
	for _, w := range []*world{one, other} {
		w.build(99)
		same(w, "the resumed generation", w.generation(), first)
		found, err := w.writer.ProfilesByID(w.ctx, []domain.UserID{userID(1), userID(2)})
		w.ok("ProfilesByID", err)
		same(w, "the rows of the resumed generation", found, users(1))
	}
	one.ok("Finish", b.Finish(one.ctx))
	other.build(99)
	same(other, "the generation resumed after Finish", other.generation(), first)
	other.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 8}, Profiles: users(2)})
}

func checkDiscard(one, other *world) {
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 20}, Profiles: users(7)})
	served := one.view(1, 7)
	last := served.Generation.Number
	for _, next := range []struct {
		name      string
		epoch     string
		threshold int64
	}{{"another threshold", testEpoch, 98}, {"another epoch", "another-epoch", 99}} {
		old := one.build(99)
		one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 30}, Profiles: users(1)})
		b, err := other.store.Build(other.ctx, next.epoch, next.threshold)
		other.ok("Build", err)
		other.writer = b
		g := other.generation()
		if g.Number <= last || g.Epoch != next.epoch || g.Threshold != next.threshold || g.Checkpoint != (readmodel.Checkpoint{}) {
			other.Errorf("Build with %s returned %+v after generation %d", next.name, g, last)
		}
		last = g.Number
		found, err := b.ProfilesByID(other.ctx, []domain.UserID{userID(1)})
		other.ok("ProfilesByID", err)
		same(other, "the rows of the new generation", found, nil)
		one.fenced("a builder that was discarded", old, one.at)
		same(one, "what serves", one.view(1, 7), served)
	}
	same(one, "generations dropped", one.drop(0), nil)
}

func checkBuilderApplies(one, other *world) {
	one.serve()
	model := &world{TB: one.TB, ctx: one.ctx, store: NewMemory()}
	b := other.build(99)
	for _, step := range []readmodel.Batch{
		{
			To: readmodel.Checkpoint{Position: 20}, Profiles: users(1, 2, 3, 4), Chirps: append(chirps(2, push, 8, 9, 10, 11), chirps(3, pull, 12)...),
			Follows: []readmodel.Follow{follow(1, 2, 13), follow(1, 3, 14), splitFollow(3, 2, 15, 10, 3), splitFollow(4, 2, 16, 9, 2)},
			Backfills: []readmodel.Delivered{
				{Owner: 1, Author: 2, Range: through(0, 12)}, {Owner: 3, Author: 2, Range: through(10, 12)}, {Owner: 4, Author: 2, Range: through(9, 12)},
			},
		},
		{To: readmodel.Checkpoint{Position: 20, Partial: 4}, Marks: []readmodel.Mark{{Followee: 3, Range: through(0, 20)}}},
		{
			// User 1 unfollows, and follows again with another split.
			To: readmodel.Checkpoint{Position: 30}, Chirps: chirps(2, push, 21), Unfollows: []readmodel.Follow{follow(3, 2, 0), follow(1, 2, 0)},
			Cleanups: []readmodel.Delivered{{Owner: 3, Author: 2, Range: through(10, 20)}, {Owner: 1, Author: 2, Range: through(0, 8)}},
			Follows:  []readmodel.Follow{splitFollow(1, 2, 22, 8, 1)},
			FanOuts:  []readmodel.FanOut{{Chirp: 21, Author: 2, Range: through(0, 30)}},
		},
	} {
		model.apply(step)
		other.apply(step)
		for name, misfit := range map[string]readmodel.Batch{
			"a follow that exists":         {Profiles: users(5), Follows: []readmodel.Follow{follow(1, 2, 40)}},
			"a chirp that exists":          {Profiles: users(5), Chirps: chirps(2, push, 10)},
			"an unfollow without a follow": {Profiles: users(5), Unfollows: []readmodel.Follow{follow(2, 1, 0)}},
		} {
			misfit.From, misfit.To = other.at, readmodel.Checkpoint{Position: 40}
			if err := b.Apply(other.ctx, misfit); !errors.Is(err, readmodel.ErrDoesNotFit) {
				other.Errorf("a batch with %s returned %v, want ErrDoesNotFit", name, err)
			}
		}
		same(other, "checkpoint", other.generation().Checkpoint, model.at)
		for _, through := range []func(readmodel.Writer) (domain.Position, error){
			func(w readmodel.Writer) (domain.Position, error) { return w.FollowersThrough(one.ctx, 2, 0, 1) },
			func(w readmodel.Writer) (domain.Position, error) { return w.PushedThrough(one.ctx, 2, 0, 9) },
		} {
			got, err := through(b)
			other.ok("FollowersThrough or PushedThrough", err)
			want, _ := through(model.writer)
			same(other, "the end of a range of rows", got, want)
		}
	}
	other.ok("Finish", b.Finish(other.ctx))
	other.ok("Switch", b.Switch(other.ctx))
	want := model.view(1, 2, 3, 4, 5)
	want.Generation = other.generation()
	same(other, "what was built", other.view(1, 2, 3, 4, 5), want)
}

// checkMisfitsOfBuild builds views in which two chirps have one id. A store may refuse
// them at once, or when the generation is finished.
func checkMisfitsOfBuild(one, other *world) {
	serving := one.serve()
	for _, end := range []func(readmodel.Builder) error{
		func(b readmodel.Builder) error { return b.Finish(one.ctx) },
		func(b readmodel.Builder) error { return b.Switch(one.ctx) },
	} {
		b := one.build(99)
		first := one.generation()
		if first.Checkpoint != (readmodel.Checkpoint{}) {
			one.Errorf("%+v is built, want one with nothing applied", first)
		}
		two := chirps(1, push, 10, 11)
		two[1].ID = two[0].ID
		batch := readmodel.Batch{From: one.at, To: readmodel.Checkpoint{Position: 20}, Profiles: users(1), Chirps: two}
		if err := b.Apply(one.ctx, batch); errors.Is(err, readmodel.ErrDoesNotFit) {
			return
		} else if err != nil {
			one.Fatalf("Apply: %v", err)
		}
		if err := end(b); !errors.Is(err, readmodel.ErrDoesNotFit) {
			one.Errorf("the end of building views with one chirp twice returned %v, want ErrDoesNotFit", err)
		}
		one.fenced("a builder of views with one chirp twice", b, batch.To)
		for _, w := range []*world{one, other} {
			if g, err := w.store.Unfinished(w.ctx); !errors.Is(err, readmodel.ErrNotFound) {
				w.Errorf("Unfinished returned %+v, %v, want ErrNotFound", g, err)
			}
			same(w, "the generation that serves", w.view().Generation, serving)
		}
	}
}

func checkUnfinished(one, other *world) {
	one.serve()
	unfinished := func(when string, want readmodel.Generation) {
		one.Helper()
		for _, w := range []*world{one, other} {
			got, err := w.store.Unfinished(w.ctx)
			if want.Number == 0 {
				if !errors.Is(err, readmodel.ErrNotFound) {
					w.Errorf("Unfinished %s returned %+v, %v, want ErrNotFound", when, got, err)
				}
				continue
			}
			w.ok("Unfinished "+when, err)
			same(w, "the unfinished generation "+when, got, want)
		}
	}
	unfinished("at first", readmodel.Generation{})
	first := one.build(99)
	unfinished("before anything is applied", one.generation())
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 5, Partial: 2, Event: 7}, Profiles: users(1)})
	unfinished("when it has begun", one.generation())
	other.build(98)
	unfinished("with another threshold", other.generation())
	other.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 9}, Profiles: users(1)})
	other.ok("Switch", other.writer.(readmodel.Builder).Switch(other.ctx))
	unfinished("after the switch", readmodel.Generation{})
	one.fenced("the first builder", first, one.at)
}

func checkBuilderFencing(one, other *world) {
	one.serve()
	b := one.build(99)
	other.build(99)
	one.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 5}, Profiles: users(1)})
	for name, from := range map[string]readmodel.Checkpoint{"the beginning": {}, "a partial": {Position: 5, Partial: 1}} {
		err := other.writer.Apply(other.ctx, readmodel.Batch{From: from, To: readmodel.Checkpoint{Position: 6}, Profiles: users(2)})
		if !errors.Is(err, readmodel.ErrFenced) {
			other.Errorf("Apply from %s returned %v, want ErrFenced", name, err)
		}
	}
	other.build(99)
	other.apply(readmodel.Batch{Profiles: users(3)})
	if err := b.Apply(one.ctx, readmodel.Batch{From: one.at, To: readmodel.Checkpoint{Position: 9}}); !errors.Is(err, readmodel.ErrFenced) {
		one.Errorf("Apply by the first builder returned %v, want ErrFenced", err)
	}
	other.ok("Switch", b.Switch(one.ctx))
	same(one, "what was built", one.view(1, 2, 3).Profiles, users(1, 3))
}

// checkRacingBuilders has both processes build concurrently, in the same steps.
func checkRacingBuilders(one, other *world) {
	const racers, steps = 4, 12
	one.serve()
	var numbers sync.Map
	for step := range domain.Position(steps) {
		from, to := readmodel.Checkpoint{Position: step}, readmodel.Checkpoint{Position: step + 1}
		var won atomic.Int32
		var all sync.WaitGroup
		for r := range racers {
			all.Go(func() {
				w := []*world{one, other}[r%2]
				b, err := w.store.Build(w.ctx, testEpoch, 99)
				if err != nil {
					w.Errorf("a racing Build returned %v", err)
					return
				}
				if g, err := b.Generation(w.ctx); err == nil {
					numbers.Store(g.Number, true)
				}
				switch err = b.Apply(w.ctx, readmodel.Batch{From: from, To: to, Profiles: users(readmodel.UserKey(to.Position))}); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, readmodel.ErrFenced):
					w.Errorf("a racing Apply returned %v, want nil or ErrFenced", err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			one.Fatalf("%d of %d racing builders applied the batch to %d, want 1", won.Load(), racers, to.Position)
		}
	}
	built := 0
	numbers.Range(func(any, any) bool { built++; return true })
	if built != 1 {
		one.Errorf("racing builders built %d generations, want 1", built)
	}
}
