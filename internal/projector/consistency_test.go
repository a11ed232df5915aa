package projector_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector"
	"chirp/internal/projector/projectortest"
)

// allEvents reads a whole log.
func allEvents(t testing.TB, log eventstore.Log) []eventstore.Event {
	t.Helper()
	var all []eventstore.Event
	for {
		next, err := log.ReadAll(context.Background(), domain.Position(len(all)), 1000)
		if err != nil {
			t.Fatalf("read the log: %v", err)
		}
		if len(next) == 0 {
			return all
		}
		all = append(all, next...)
	}
}

// wantExact waits until the views are at the log's head and compares them.
func wantExact(t testing.TB, stores storePair, threshold int64) {
	t.Helper()
	events := allEvents(t, stores.log)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := stores.views.Await(ctx, domain.Position(len(events))-1); err != nil {
		t.Fatalf("await position %d: %v", len(events), err)
	}
	oracle, err := projectortest.Read(events)
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(ctx, stores.views, oracle, rules(threshold), whole); err != nil {
		t.Error(err)
	}
}

// race has the users of a world act concurrently: two post, and the others follow
// and unfollow them.
func race(t testing.TB, w *world, acts int) {
	var writers sync.WaitGroup
	for u := range w.users {
		own := newWorld(t, w.log)
		own.users, own.follows = w.users, maps.Clone(w.follows)
		own.versions = maps.Clone(w.versions)
		writers.Go(func() {
			for i := range acts {
				if u < 2 {
					own.post(u, 1)
				} else {
					own.follow(u, (i+u)%2)
				}
				own.write()
			}
		})
	}
	writers.Wait()
}

func TestFeedsAreExactAfterFollowsThatRaceAFanOut(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := newWorld(t, stores.log)
		w.register(7)
		w.write()
		start(t, projector.Config{
			Log: stores.log, Views: stores.views, Threshold: 4, Holder: "a", MaxEvents: 3, MaxDeliveries: 2,
		})
		race(t, w, 25)
		wantExact(t, stores, 4)
	})
}

func TestTwoProjectorsAtOnceKeepFeedsExact(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := newWorld(t, stores.log)
		w.register(7)
		w.write()
		for i := range 2 { // both believe that they hold the lease
			views := newFaultyViews(stores.views, nil)
			views.leases = true
			p := start(t, projector.Config{
				Log: stores.log, Views: views, Threshold: 4, Holder: fmt.Sprint(i),
				MaxEvents: 3 + i, MaxDeliveries: 2 + i, RetryDelay: time.Millisecond,
			})
			defer func() {
				if s := p.State(); s.Phase == projector.Halted {
					t.Errorf("projector %d halted: %v", i, s.Failure)
				}
			}()
		}
		race(t, w, 25)
		wantExact(t, stores, 4)
	})
}

func TestStandbyTakesOverFromADeadProjector(t *testing.T) {
	for _, k := range []kind{memory, onMongoDB} {
		t.Run(k.name, func(t *testing.T) {
			stores := k.open(t)
			w := small(t, stores)
			dying := newFaultyViews(stores.views, map[int]fault{3: crashedAfter})
			cfg := projector.Config{
				Log: stores.log, Views: dying, Threshold: 3, Holder: "a", LeaseTTL: 500 * time.Millisecond,
				MaxEvents: 2, MaxDeliveries: 1,
			}
			start(t, cfg)
			<-dying.crashed
			cfg.Views, cfg.Holder = stores.views, "b"
			start(t, cfg)
			w.post(1, 3)
			w.write()
			wantExact(t, stores, 3)
		})
	}
}

func TestFeedsAreExactWhenAUserBecomesACelebrityAndBack(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := newWorld(t, stores.log)
		w.register(6)
		w.follow(0, 5) // throughout
		for round := range 6 {
			w.post(5, 1) // pushed
			crowd(w, 5, 1, 4)
			w.post(5, 2)   // pulled
			w.follow(4, 5) // follows a celebrity in one round, and unfollows in the next
			w.post(5, 1)
			crowd(w, 5, 1, 4)
			w.post(5, 1) // pushed again
			w.write()
			cfg := limits(1+3*round, 1+2*round) // at first one event a batch, at last the whole round
			cfg.Threshold = 3
			project(t, stores, w, cfg)
			wantExact(t, stores, 3)
		}
	})
}

func TestNothingTakesEffectTwiceAfterACrash(t *testing.T) {
	for i, c := range []struct {
		name  string
		fault fault
	}{{"before a call", crashedBefore}, {"after a call", crashedAfter}, {"after a commit without an answer", committed}} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, stores storePair) {
				first, step := 0, 1
				if stores.stride > 4 { // slow: different calls for each fault
					first, step = i, 3
				}
				for call, met := first, true; met; call += step {
					met = crashes(t, stores, call, c.fault)
				}
			})
		})
	}
}

// crashes projects a world in which every kind of batch occurs, with a fault in one
// call, and reports whether there was such a call.
func crashes(t *testing.T, stores storePair, call int, f fault) bool {
	w := newWorld(t, stores.log)
	w.register(5)
	w.post(4, 3)
	crowd(w, 4, 0, 3) // three backfills
	w.post(4, 1)      // a fan-out, in parts
	w.follow(1, 4)    // a cleanup
	crowd(w, 4, 1, 2)
	w.follow(3, 4)
	w.post(4, 2) // marks, in parts
	w.write()
	views := newFaultyViews(stores.views, map[int]fault{call: f})
	cfg := limits(4, 2)
	cfg.Log, cfg.Views, cfg.Threshold, cfg.Holder, cfg.RetryDelay = stores.log, views, 4, "a", time.Millisecond
	if err := projectTo(cfg, w.head(), views.crashed); err != nil {
		t.Fatal(err)
	}
	if cfg.Views = stores.views; views.isDead() {
		if err := projectTo(cfg, w.head(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := compare(context.Background(), stores.views, w.oracle, rules(4), whole); err != nil {
		t.Fatalf("fault %d at call %d: %v", f, call, err)
	}
	views.mu.Lock()
	defer views.mu.Unlock()
	return views.calls > call
}

func TestRestartWithAnotherThresholdChangesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, stores storePair) {
		w := newWorld(t, stores.log)
		w.register(6)
		crowd(w, 5, 0, 2)
		w.post(5, 1)
		w.write()
		project(t, stores, w, projector.Config{Threshold: 3})
		for _, threshold := range []int64{1, 100, 2, 3} {
			w.follow(2, 5)
			w.post(5, 1)
			w.follow(3, 5)
			w.post(5, 1)
			w.write()
			var log bytes.Buffer
			project(t, stores, w, projector.Config{Threshold: threshold, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			wantExact(t, stores, 3)
			if warned := strings.Contains(log.String(), "celebrity threshold"); warned != (threshold != 3) {
				t.Errorf("with threshold %d, while the views have 3, the projector warned: %t", threshold, warned)
			}
		}
	})
}
