package projector_test

import (
	"context"
	"testing"

	"chirp/internal/projector"
)

func limits(events, deliveries int) projector.Config {
	return projector.Config{MaxEvents: events, MaxDeliveries: deliveries}
}

func TestBatchesAreBounded(t *testing.T) {
	for _, c := range []foldCase{
		{
			name: "a batch is cut at its events", users: 2, limits: limits(2, 100),
			when: func(w *world) { w.post(1, 5) },
			then: batches{{From: at(4), To: at(6)}, {From: at(6), To: at(8)}, {From: at(8), To: at(9)}},
		},
		{
			name: "a batch is cut before its fan-outs are too many", users: 3, limits: limits(100, 5),
			given: func(w *world) { crowd(w, 2, 0, 2) },
			when:  func(w *world) { w.post(2, 3) },
			then: batches{
				{From: at(8), To: at(10), FanOuts: fanOuts{
					{Chirp: 9, Author: 5, Range: span(0, 10)}, {Chirp: 10, Author: 5, Range: span(0, 10)}}},
				{From: at(10), To: at(11), FanOuts: fanOuts{{Chirp: 11, Author: 5, Range: span(0, 11)}}},
			},
		},
		{
			name: "the batch's own chirps count in a follow", users: 3, limits: limits(100, 3),
			given: func(w *world) { w.follow(0, 2) },
			when:  func(w *world) { w.post(2, 2); w.follow(1, 2) },
			then: batches{
				{From: at(7), To: at(9), FanOuts: fanOuts{
					{Chirp: 8, Author: 5, Range: span(0, 9)}, {Chirp: 9, Author: 5, Range: span(0, 9)}}},
				{From: at(9), To: at(10), Follows: follows{{Follower: 3, Followee: 5, Since: 10}},
					Backfills: delivered{{Owner: 3, Author: 5, Range: span(0, 9)}}},
			},
		},
		{
			name: "a fan-out of just the limit is one batch", users: 3, limits: limits(100, 2),
			given: func(w *world) { crowd(w, 2, 0, 2) },
			when:  func(w *world) { w.post(2, 1) },
			then:  batches{{From: at(8), To: at(9), FanOuts: fanOuts{{Chirp: 9, Author: 5, Range: span(0, 9)}}}},
		},
	} {
		t.Run(c.name, c.run)
	}
}

func TestLargeEventIsAppliedInParts(t *testing.T) {
	for _, c := range []foldCase{
		{
			name: "a fan-out that ends at a boundary", users: 5, limits: limits(100, 2),
			given: func(w *world) { crowd(w, 4, 0, 4) }, // at 11 to 14
			when:  func(w *world) { w.post(4, 1) },
			then: batches{
				{From: at(14), To: part(14, 12), FanOuts: fanOuts{{Chirp: 15, Author: 9, Range: span(0, 12)}}},
				{From: part(14, 12), To: at(15), FanOuts: fanOuts{{Chirp: 15, Author: 9, Range: span(12, 15)}}},
			},
		},
		{
			name: "a fan-out with one more, and other events around it", users: 6, limits: limits(100, 2),
			given: func(w *world) { crowd(w, 5, 0, 5) }, // at 13 to 17
			when:  func(w *world) { w.post(0, 1); w.post(5, 1); w.post(1, 1) },
			then: batches{
				{From: at(17), To: at(18)},
				{From: at(18), To: part(18, 14), FanOuts: fanOuts{{Chirp: 19, Author: 11, Range: span(0, 14)}}},
				{From: part(18, 14), To: part(18, 16), FanOuts: fanOuts{{Chirp: 19, Author: 11, Range: span(14, 16)}}},
				{From: part(18, 16), To: at(19), FanOuts: fanOuts{{Chirp: 19, Author: 11, Range: span(16, 19)}}},
				{From: at(19), To: at(20)},
			},
		},
		{
			name: "the marks of a first pulled chirp", users: 4, threshold: 3, limits: limits(100, 2),
			given: func(w *world) { crowd(w, 3, 0, 3) }, // at 9 to 11
			when:  func(w *world) { w.post(3, 1) },
			then: batches{
				{From: at(11), To: part(11, 10), Marks: marks{{Followee: 7, Range: span(0, 10)}}},
				{From: part(11, 10), To: at(12), Marks: marks{{Followee: 7, Range: span(10, 11)}}},
			},
		},
		{
			name: "a backfill, which is bounded, is applied whole", users: 2, limits: limits(100, 2),
			given: func(w *world) { w.post(1, 3) }, // at 5 to 7
			when:  func(w *world) { w.follow(0, 1) },
			then: batches{{From: at(7), To: at(8), Follows: follows{{Follower: 1, Followee: 3, Since: 8}},
				Backfills: delivered{{Owner: 1, Author: 3, Range: span(0, 7)}}}},
		},
		{
			name: "a cleanup", users: 2, limits: limits(100, 2),
			given: func(w *world) { w.post(1, 3); w.follow(0, 1) },
			when:  func(w *world) { w.follow(0, 1) },
			then: batches{
				{From: at(8), To: part(8, 6), Cleanups: delivered{{Owner: 1, Author: 3, Range: span(0, 6)}}},
				{From: part(8, 6), To: at(9), Unfollows: follows{{Follower: 1, Followee: 3}},
					Cleanups: delivered{{Owner: 1, Author: 3, Range: span(6, 8)}}},
			},
		},
	} {
		t.Run(c.name, c.run)
	}
}

func TestLargeEventIsResumedAfterItsLastPart(t *testing.T) {
	for _, then := range []int{1, 2, 3, 100} { // MaxDeliveries after the crash
		stores := memory.open(t)
		w := newWorld(t, stores.log)
		w.register(6)
		crowd(w, 5, 0, 5)
		w.write()
		project(t, stores, w, projector.Config{Threshold: 100})
		w.post(5, 1)
		w.post(0, 1)
		w.write()

		dying := newFaultyViews(stores.views, map[int]fault{3: crashedAfter}) // the calls before: profiles, the part's end, what comes after it
		cfg := limits(100, 2)
		cfg.Log, cfg.Views, cfg.Threshold, cfg.Holder = stores.log, dying, 100, "test"
		if err := projectTo(cfg, w.head(), dying.crashed); err != nil {
			t.Fatal(err)
		}
		if got, want := checkpoint(t, stores), part(17, 14); got != want {
			t.Fatalf("checkpoint after the crash is %+v, want %+v", got, want)
		}
		if err := compare(context.Background(), stores.views, w.oracle, rules(100), whole); err != nil {
			t.Errorf("after the crash: %v", err)
		}
		project(t, stores, w, limits(100, then))
		if err := compare(context.Background(), stores.views, w.oracle, rules(100), whole); err != nil {
			t.Errorf("resumed with %d deliveries: %v", then, err)
		}
	}
}
