package projector_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector"
	"chirp/internal/projector/projectortest"
	"chirp/internal/readmodel"
)

func TestRebuildsAreExactInMemory(t *testing.T) {
	rapid.Check(t, func(t2 *rapid.T) { rebuildsAreExact(t2, memory.open(t)) })
}

func TestRebuildsAreExactOnSQLite(t *testing.T) {
	rebuildsAreExactOn(t, onSQLite, 30)
}

func TestRebuildsAreExactOnMongoDB(t *testing.T) {
	rebuildsAreExactOn(t, onMongoDB, 3)
}

// rebuildsAreExactOn checks a few rounds only. They share a store, because opening
// one is slow, and so each round replays those before it.
func rebuildsAreExactOn(t *testing.T, k kind, rounds int) {
	stores := k.open(t)
	rapid.Check(t, func(t2 *rapid.T) {
		if rounds > 0 {
			rounds--
			rebuildsAreExact(t2, stores)
		}
	})
}

// rebuildsAreExact performs random acts, and rebuilds the views with one threshold
// after another. Rebuilds are killed at random calls and resumed. With every
// threshold the views must be what a projector builds with it, which is what the
// oracle says.
func rebuildsAreExact(t *rapid.T, stores storePair) {
	w := newWorld(t, stores.log)
	w.register(rapid.IntRange(2, 6).Draw(t, "users"))
	w.write()
	act := rapid.Custom(func(t *rapid.T) [3]int {
		return [3]int{
			rapid.IntRange(0, 99).Draw(t, "act"), rapid.IntRange(0, 7).Draw(t, "user"), rapid.IntRange(0, 7).Draw(t, "other"),
		}
	})
	for range rapid.IntRange(1, 3).Draw(t, "rebuilds") {
		for _, a := range rapid.SliceOfN(act, 0, 40).Draw(t, "acts") {
			w.act(a[0], a[1], a[2])
		}
		w.write()
		threshold := rapid.SampledFrom([]int64{1, 2, 3, 5, 100}).Draw(t, "threshold")
		cfg := projector.Config{
			Log: stores.log, Threshold: threshold, RetryDelay: time.Millisecond,
			Backfill:  rapid.IntRange(1, 3).Draw(t, "backfill"),
			MaxEvents: rapid.IntRange(1, 40).Draw(t, "events"), MaxDeliveries: rapid.IntRange(1, 20).Draw(t, "deliveries"),
		}
		from := domain.Position(0)
		for kills := rapid.IntRange(0, 3).Draw(t, "kills"); ; kills-- {
			views := &mortalViews{Store: stores.views, dieAt: -1}
			if kills > 0 {
				views.dieAt = rapid.IntRange(0, 5).Draw(t, "call")
				views.late = rapid.Bool().Draw(t, "after it took effect")
			}
			died, at := views.rebuild(t, cfg, from)
			if !died {
				break
			}
			from = at
		}
		if err := compare(context.Background(), stores.views, w.oracle, projectortest.Rules{Threshold: threshold, Backfill: cfg.Backfill}, whole); err != nil {
			t.Fatalf("after a rebuild with threshold %d: %v", threshold, err)
		}
	}
}

// mortalViews are views of a process that dies at a call of its builder.
type mortalViews struct {
	readmodel.Store
	dieAt int  // the call's index, negative for never
	late  bool // die after the call took effect
	calls int
	kill  context.CancelFunc
	at    domain.Position // the checkpoint of the last batch that took effect
	first domain.Position // the checkpoint at which the building began
	dead  bool
	built int // number of the generation
}

// rebuild runs one process, which must resume after position from. It returns
// whether the process died before the switch, and the checkpoint that it left.
func (v *mortalViews) rebuild(t rapid.TB, cfg projector.Config, from domain.Position) (died bool, at domain.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	v.kill, v.at = cancel, from
	cfg.Views = v
	var last projector.Progress
	err := projector.Rebuild(ctx, cfg, projector.RebuildConfig{
		Progress: func(p projector.Progress) { last = p }, Watch: time.Millisecond,
	})
	switch {
	case v.first != from:
		t.Fatalf("a rebuild began after position %d, want %d", v.first, from)
	case v.dead && errors.Is(err, context.Canceled):
		return !v.switched(t), v.at
	case err != nil:
		t.Fatalf("Rebuild: %v", err)
	case !last.Done || last.Position != last.Head || last.From != from || last.Generation != v.built:
		t.Fatalf("the last progress is %+v, for generation %d from position %d", last, v.built, from)
	}
	return false, 0
}

// switched reports whether the generation that the dead process built serves.
func (v *mortalViews) switched(t rapid.TB) bool {
	s, err := v.Store.Snapshot(context.Background())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer s.Close()
	return s.Generation().Number == v.built
}

func (v *mortalViews) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	b, err := v.Store.Build(ctx, epoch, threshold)
	if err != nil {
		return nil, err
	}
	g, err := b.Generation(ctx)
	v.built, v.first = g.Number, g.Checkpoint.Position
	return mortalBuilder{b, v}, err
}

func (v *mortalViews) DropRetired(ctx context.Context, age time.Duration) ([]int, error) {
	return v.Store.DropRetired(ctx, age)
}

func (v *mortalViews) meet(call func() error) error {
	if v.dead {
		return context.Canceled
	}
	v.calls++
	if v.calls-1 != v.dieAt {
		return call()
	}
	v.dead = true
	var err error
	if v.late {
		err = call()
	}
	v.kill()
	return errors.Join(err, context.Canceled)
}

type mortalBuilder struct {
	readmodel.Builder
	views *mortalViews
}

func (b mortalBuilder) Apply(ctx context.Context, batch readmodel.Batch) error {
	return b.views.meet(func() error {
		err := b.Builder.Apply(ctx, batch)
		if err == nil {
			b.views.at = batch.To.Position
		}
		return err
	})
}

func (b mortalBuilder) Finish(ctx context.Context) error {
	return b.views.meet(func() error { return b.Builder.Finish(ctx) })
}

func (b mortalBuilder) Switch(ctx context.Context) error {
	return b.views.meet(func() error { return b.Builder.Switch(ctx) })
}

func TestASecondRebuildIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := newWorld(t, stores.log)
		w.register(3)
		for i := range 400 {
			w.follow(i%3, (i+1)%3)
		}
		w.write()
		cfg := projector.Config{Log: stores.log, Views: stores.views, Threshold: 3, MaxEvents: 1}
		ctx, cancel := context.WithCancel(context.Background())
		var first sync.WaitGroup
		defer first.Wait()
		defer cancel()
		begun := make(chan struct{})
		slow := cfg
		slow.Views = &slowViews{Store: stores.views, begun: begun}
		first.Go(func() {
			if err := projector.Rebuild(ctx, slow, projector.RebuildConfig{}); err == nil {
				t.Error("the first rebuild ended too soon for the test")
			}
		})
		<-begun
		if err := projector.Rebuild(t.Context(), cfg, projector.RebuildConfig{}); !errors.Is(err, projector.ErrOtherRebuild) {
			t.Errorf("a second Rebuild returned %v, want ErrOtherRebuild", err)
		}
	})
}

// slowViews let a builder apply 20 batches a second, and signal when it has applied
// a few.
type slowViews struct {
	readmodel.Store
	begun chan struct{}
	n     int
}

func (v *slowViews) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	b, err := v.Store.Build(ctx, epoch, threshold)
	return slowBuilder{b, v}, err
}

func (v *slowViews) DropRetired(context.Context, time.Duration) ([]int, error) { return nil, nil }

type slowBuilder struct {
	readmodel.Builder
	views *slowViews
}

func (b slowBuilder) Apply(ctx context.Context, batch readmodel.Batch) error {
	err := b.Builder.Apply(ctx, batch)
	if b.views.n++; b.views.n == 3 {
		close(b.views.begun)
	}
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
	return err
}

// TestRebuildPausesAFasterProjector has a projector that is ahead whenever the new
// generation is about to serve, unless the serving one is paused.
func TestRebuildPausesAFasterProjector(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := newWorld(t, stores.log)
		w.register(2)
		w.write()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var active sync.WaitGroup
		defer active.Wait()
		defer cancel()
		p := projector.New(projector.Config{Log: stores.log, Views: stores.views, Threshold: 3, Holder: "fast"})
		active.Go(func() { _ = p.Run(ctx) })
		if _, err := stores.views.Await(ctx, w.head()-1); err != nil {
			t.Fatal(err)
		}
		views := overtakenViews{stores.views, func() {
			w.post(0, 1)
			w.write()
			soon, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			defer cancel()
			_, _ = stores.views.Await(soon, w.head()-1)
		}}
		cfg := projector.Config{Log: stores.log, Views: views, Threshold: 2}
		if err := projector.Rebuild(ctx, cfg, projector.RebuildConfig{}); err != nil {
			t.Fatalf("Rebuild: %v", err)
		}
		if _, err := stores.views.Await(ctx, w.head()-1); err != nil {
			t.Fatalf("the projector does not continue after the switch: %v", err)
		}
		wantExact(t, stores, 2)
	})
}

// overtakenViews call a func before each switch.
type overtakenViews struct {
	readmodel.Store
	before func()
}

func (v overtakenViews) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	b, err := v.Store.Build(ctx, epoch, threshold)
	return overtakenBuilder{b, v.before}, err
}

func (v overtakenViews) DropRetired(context.Context, time.Duration) ([]int, error) { return nil, nil }

type overtakenBuilder struct {
	readmodel.Builder
	before func()
}

func (b overtakenBuilder) Switch(ctx context.Context) error {
	b.before()
	return b.Builder.Switch(ctx)
}

func TestRebuildNamesTheEventThatStopsIt(t *testing.T) {
	log := newMemoryLog()
	stores := storePair{log: log, views: memory.open(t).views}
	w := newWorld(t, log)
	w.register(3)
	w.post(0, 20)
	w.write()
	log.Tamper(17, func(e *eventstore.Event) { e.Type = "chirp.unheard-of.v1" })
	err := projector.Rebuild(t.Context(), projector.Config{Log: log, Views: stores.views, Threshold: 3, RetryDelay: time.Millisecond}, projector.RebuildConfig{})
	var failed *projector.Failure
	if !errors.As(err, &failed) || failed.Position != 17 || !strings.Contains(err.Error(), "unheard-of") {
		t.Errorf("Rebuild returned %v, want a failure at event 17", err)
	}
}

func TestRebuildOfOtherViewsIsRefused(t *testing.T) {
	log := newMemoryLog()
	views := memory.open(t).views
	if _, err := views.Serving(t.Context(), "epoch of another log", 3); err != nil {
		t.Fatal(err)
	}
	err := projector.Rebuild(t.Context(), projector.Config{Log: log, Views: views, Threshold: 3}, projector.RebuildConfig{})
	if !errors.Is(err, projector.ErrOtherLog) {
		t.Errorf("Rebuild returned %v, want ErrOtherLog", err)
	}
}
