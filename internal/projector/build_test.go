package projector_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/logtest"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// behindBy returns a Config.FarBehind that allows fewer than n missing events.
func behindBy(n int) func(position, head domain.Position) bool {
	return func(position, head domain.Position) bool { return int(head-position) >= n }
}

// serving describes the generation that serves.
func serving(t testing.TB, stores storePair) readmodel.Generation {
	t.Helper()
	s, err := stores.views.Snapshot(context.Background())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer s.Close()
	return s.Generation()
}

func TestFarBehindViewsAreBuilt(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := small(t, stores)
		project(t, stores, w, projector.Config{Threshold: 3})
		w.post(0, 30)
		crowd(w, 2, 3, 4)
		w.write()
		var log bytes.Buffer
		var committed []domain.Position
		cfg := projector.Config{
			Log: stores.log, Views: stores.views, Holder: "a", Threshold: 1, FarBehind: behindBy(30), Watch: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Committed: func(at domain.Position) { committed = append(committed, at) },
		}
		p := start(t, cfg)
		eventually(t, "the state shows the head", func() bool { return p.State().Position == w.head() })
		p.stop(t)
		if g := serving(t, stores); g.Number != 2 || g.Threshold != 3 || g.Checkpoint.Position != w.head() {
			t.Errorf("%+v serves, want generation 2 with the threshold 3 at %d", g, w.head())
		}
		if len(committed) != 1 || committed[0] != w.head() {
			t.Errorf("Committed was called with %v, want %d alone", committed, w.head())
		}
		for _, want := range []string{"builds others", "the views that were built serve", "head=" + w.head().String()} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, log.String())
			}
		}
		if err := compare(t.Context(), stores.views, w.oracle, rules(3), whole); err != nil {
			t.Error(err)
		}
		w.post(1, 3) // few enough to be applied
		w.write()
		project(t, stores, w, cfg)
		if g := serving(t, stores); g.Number != 2 {
			t.Errorf("generation %d serves after a few more events, want 2", g.Number)
		}
	})
}

// TestAStandbyResumesBuilding has a server lose its lease, or end, while it builds.
func TestAStandbyResumesBuilding(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := newWorld(t, stores.log)
		w.register(3)
		for i := range 100 {
			w.follow(i%3, (i+1)%3)
		}
		w.post(0, 10)
		w.write()
		cfg := projector.Config{
			Log: stores.log, Threshold: 3, MaxEvents: 1, FarBehind: behindBy(50), Holder: "a",
			LeaseTTL: 100 * time.Millisecond, RetryDelay: time.Millisecond, Watch: time.Millisecond,
		}
		slow := &slowViews{Store: stores.views, begun: make(chan struct{})}
		cfg.Views = slow
		first := start(t, cfg)
		<-slow.begun
		if s := first.State(); s.Building == nil || s.Building.Head != w.head() || s.Position != 0 {
			t.Errorf("while it builds the state is %+v", s)
		}
		first.stop(t)
		began := unfinishedAt(t, stores)
		if began == 0 || began == w.head() {
			t.Fatalf("the first server left position %d", began)
		}
		cfg.Views, cfg.Holder = stores.views, "b"
		resumed := &mortalViews{Store: stores.views, dieAt: -1}
		cfg.Views = resumed
		second := start(t, cfg)
		eventually(t, "the second server has built the views", func() bool { return second.State().Position == w.head() })
		second.stop(t)
		if resumed.first < began {
			t.Errorf("the second server began after position %d, want %d, where the first one was", resumed.first, began)
		}
		if err := compare(t.Context(), stores.views, w.oracle, rules(3), whole); err != nil {
			t.Error(err)
		}
	})
}

func unfinishedAt(t testing.TB, stores storePair) domain.Position {
	t.Helper()
	g, err := stores.views.Unfinished(context.Background())
	if err != nil {
		t.Fatalf("Unfinished: %v", err)
	}
	return g.Checkpoint.Position
}

// TestBuildingLeavesOtherRebuildsAlone has an operator rebuild the views while they
// are far behind.
func TestBuildingLeavesOtherRebuildsAlone(t *testing.T) {
	for name, threshold := range map[string]int64{"with the same threshold": 3, "with another threshold": 5} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, stores storePair) {
				w := newWorld(t, stores.log)
				w.register(3)
				for i := range 60 {
					w.follow(i%3, (i+1)%3)
				}
				w.write()
				cfg := projector.Config{Log: stores.log, Views: stores.views, Threshold: 3, Holder: "a", FarBehind: behindBy(50)}
				head, _ := stores.log.Head(t.Context())
				if _, err := stores.views.Serving(t.Context(), head.Epoch, 3); err != nil {
					t.Fatal(err)
				}
				slow := &slowViews{Store: stores.views, begun: make(chan struct{})}
				var manual sync.WaitGroup
				defer manual.Wait()
				manual.Go(func() {
					cfg := projector.Config{Log: stores.log, Views: slow, Threshold: threshold, MaxEvents: 3}
					if err := projector.Rebuild(t.Context(), cfg, projector.RebuildConfig{}); err != nil {
						t.Errorf("Rebuild: %v", err)
					}
				})
				<-slow.begun
				p := start(t, cfg)
				eventually(t, "the projector follows the log", func() bool { return p.State().Position == w.head() })
				if p.State().Building != nil {
					t.Error("it builds all the same")
				}
				manual.Wait()
				if g := serving(t, stores); g.Number != 2 || g.Threshold != threshold {
					t.Errorf("%+v serves, want generation 2 with the threshold %d", g, threshold)
				}
				p.stop(t)
				wantExact(t, stores, threshold)
			})
		})
	}
}

// TestBuildingHaltsBeforeABadEvent has views serve up to the event, like a projector
// that builds nothing.
func TestBuildingHaltsBeforeABadEvent(t *testing.T) {
	for name, from := range map[string]int{"after the views' position": 0, "right after the views": 40} {
		t.Run(name, func(t *testing.T) {
			stores := memory.open(t)
			w := newWorld(t, stores.log)
			w.register(3)
			w.post(0, 35)
			w.write()
			if from > 0 {
				project(t, stores, w, projector.Config{Threshold: 3})
			}
			w.post(0, 60)
			w.write()
			const bad = 42
			stores.log.(*eventstoretest.Memory).Tamper(bad, func(e *eventstore.Event) { e.Type = "chirp.unheard-of.v1" })
			p := start(t, projector.Config{
				Log: stores.log, Views: stores.views, Threshold: 3, Holder: "a", FarBehind: behindBy(50),
				RetryDelay: time.Millisecond, HaltedRetryDelay: time.Millisecond, LeaseTTL: 4 * time.Millisecond,
			})
			eventually(t, "it halts", func() bool { return p.State().Phase == projector.Halted })
			if s := p.State(); s.Failure.Position != bad || s.Building != nil {
				t.Errorf("state is %+v, want a failure at %d", s, bad)
			}
			if at := checkpoint(t, stores).Position; at != bad-1 {
				t.Errorf("the views are at %d, want %d", at, bad-1)
			}
			number := serving(t, stores).Number
			stores.log.(*eventstoretest.Memory).Tamper(bad, func(e *eventstore.Event) { e.Type = "chirp.posted.v1" })
			eventually(t, "it continues", func() bool { return p.State().Position == w.head() })
			p.stop(t)
			if now := serving(t, stores).Number; now != number {
				t.Errorf("it has built generation %d, after %d", now, number)
			}
		})
	}
}

func TestASessionEndsWhenItsViewsAreFarBehind(t *testing.T) {
	stores := memory.open(t)
	w := small(t, stores)
	cfg := projector.Config{
		Log: stores.log, Views: stores.views, Threshold: 3, Holder: "a", FarBehind: behindBy(50), LeaseTTL: 4 * time.Millisecond,
		RetryDelay: time.Millisecond, Watch: time.Millisecond, MaxEvents: 1,
	}
	waiting, first := make(chan struct{}), w.head()
	cfg.Committed = func(at domain.Position) {
		if at == first {
			<-waiting
		}
	}
	p := start(t, cfg)
	eventually(t, "the projector has caught up", func() bool { return p.State().Position == w.head() })
	w.post(0, 100)
	w.write()
	eventually(t, "the projector knows the head", func() bool { return p.State().Head == w.head() })
	close(waiting)
	eventually(t, "other views serve", func() bool { return serving(t, stores).Number == 2 })
	p.stop(t)
	wantExact(t, stores, 3)
}

func TestBuildingRetriesThroughFailures(t *testing.T) {
	stores := memory.open(t)
	w := small(t, stores)
	plan := make(map[int]fault)
	for call := 3; call < 20; call++ {
		plan[call] = []fault{unavailable, unknown, committed}[call%3]
	}
	views := newFaultyViews(stores.views, plan)
	err := projectTo(projector.Config{
		Log: stores.log, Views: views, Threshold: 3, Holder: "a", FarBehind: behindBy(1),
		MaxEvents: 1, RetryDelay: 10 * time.Microsecond, Watch: time.Microsecond,
	}, w.head(), nil)
	if err = errors.Join(err, views.wrong); err != nil {
		t.Fatal(err)
	}
	if err := compare(t.Context(), stores.views, w.oracle, rules(3), whole); err != nil {
		t.Error(err)
	}
	if views.calls < 20 {
		t.Errorf("the store was called %d times, so not every fault occurred", views.calls)
	}
}

// TestBuildingHaltsBeforeAnEventThatFitsNoFinishedViews has an event that only the
// indexes refuse that a store creates last.
func TestBuildingHaltsBeforeAnEventThatFitsNoFinishedViews(t *testing.T) {
	sameName := func(w *world) domain.Event {
		id := domain.UserIDFrom(uuid.Must(uuid.NewV7()))
		return domain.UserRegistered{UserID: id, Username: firstOf[domain.UserRegistered](w).Username}
	}
	sameChirp := func(w *world) domain.Event { return firstOf[domain.ChirpPosted](w) }
	for _, test := range []struct {
		name  string
		kind  kind
		event func(w *world) domain.Event
	}{
		{"one name twice in the embedded store", onSQLite, sameName},
		{"one chirp twice in the embedded store", onSQLite, sameChirp},
		{"one chirp twice in MongoDB", onMongoDB, sameChirp},
	} {
		t.Run(test.name, func(t *testing.T) {
			stores := test.kind.open(t)
			w := newWorld(t, stores.log)
			w.register(3)
			w.post(0, 20)
			w.write()
			bad := w.head() + 1
			w.unchecked = true
			w.add(test.event(w))
			w.post(0, 3000) // more than there are near the head
			w.write()
			var log logtest.Recorder
			cfg := projector.Config{
				Log: stores.log, Views: stores.views, Threshold: 3, Holder: "a", FarBehind: behindBy(50),
				RetryDelay: time.Millisecond, LeaseTTL: 3 * time.Second, Watch: time.Millisecond, Logger: log.Logger(),
			}
			p := start(t, cfg)
			eventually(t, "it halts", func() bool { return p.State().Phase == projector.Halted })
			p.stop(t)
			if s := p.State(); s.Failure.Position != bad || s.Building != nil || !errors.Is(s.Failure.Err, readmodel.ErrDoesNotFit) {
				t.Errorf("state is %+v, want a failure at %d", s, bad)
			}
			if at := checkpoint(t, stores).Position; at != bad-1 {
				t.Errorf("the views are at %d, want %d", at, bad-1)
			}
			if n := log.Count("cannot be built"); n != 1 {
				t.Errorf("the log says %d times that the views cannot be built, want once", n)
			}
			if g, err := stores.views.Unfinished(t.Context()); !errors.Is(err, readmodel.ErrNotFound) {
				t.Errorf("Unfinished returned %+v, %v, want ErrNotFound", g, err)
			}
			err := projector.Rebuild(t.Context(), cfg, projector.RebuildConfig{})
			if !errors.Is(err, readmodel.ErrDoesNotFit) {
				t.Errorf("Rebuild returned %v, want ErrDoesNotFit", err)
			}
		})
	}
}

// firstOf returns the world's first event of a type.
func firstOf[E domain.Event](w *world) E {
	for _, e := range w.events {
		if fact, err := domain.DecodeEvent(e.Type, e.Data); err == nil {
			if is, ok := fact.(E); ok {
				return is
			}
		}
	}
	w.t.Fatalf("the world has no %T", *new(E))
	panic("unreachable")
}

// refusingViews refuse the first switches to what was built.
type refusingViews struct {
	readmodel.Store
	left int // of the refusals
}

func (v *refusingViews) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	b, err := v.Store.Build(ctx, epoch, threshold)
	return refusingBuilder{b, v}, err
}

type refusingBuilder struct {
	readmodel.Builder
	views *refusingViews
}

func (b refusingBuilder) Switch(ctx context.Context) error {
	if b.views.left--; b.views.left >= 0 {
		return domain.Errorf(domain.Unavailable, "planned outage")
	}
	return b.Builder.Switch(ctx)
}

func TestWhatWasBuiltBeforeABadEventServesAfterAnOutage(t *testing.T) {
	for name, refusals := range map[string]int{"a short one": 1, "a long one": 23} {
		t.Run(name, func(t *testing.T) {
			stores := memory.open(t)
			w := newWorld(t, stores.log)
			w.register(3)
			w.post(0, 90)
			w.write()
			const bad = 42
			stores.log.(*eventstoretest.Memory).Tamper(bad, func(e *eventstore.Event) { e.Type = "chirp.unheard-of.v1" })
			p := start(t, projector.Config{
				Log: stores.log, Views: &refusingViews{stores.views, refusals}, Threshold: 3, Holder: "a", FarBehind: behindBy(50),
				RetryDelay: 10 * time.Microsecond, Watch: time.Millisecond,
			})
			eventually(t, "it halts", func() bool { return p.State().Phase == projector.Halted })
			p.stop(t)
			if g := serving(t, stores); g.Number != 2 || g.Checkpoint.Position != bad-1 {
				t.Errorf("%+v serves, want generation 2 at %d", g, bad-1)
			}
		})
	}
}
