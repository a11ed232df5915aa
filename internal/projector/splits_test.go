package projector_test

import (
	"fmt"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// inGroups returns limits with a backfill of 2.
func inGroups(events, deliveries int) projector.Config {
	cfg := limits(events, deliveries)
	cfg.Backfill = 2
	return cfg
}

func split(older domain.Position, skipped int64) readmodel.Split {
	return readmodel.Split{Older: older, Skipped: skipped}
}

func TestFollowSkipsAllButTheNewestChirps(t *testing.T) {
	for _, c := range []foldCase{
		{
			name: "a follow backfills the last full group and the one being filled", users: 2, limits: inGroups(100, 100),
			given: func(w *world) { w.post(1, 7) }, // at 5 to 11
			when:  func(w *world) { w.follow(0, 1) },
			then: batches{{From: at(11), To: at(12),
				Follows:   follows{{Follower: 1, Followee: 3, Since: 12, Split: split(8, 4)}},
				Backfills: delivered{{Owner: 1, Author: 3, Range: span(8, 11)}}}},
		},
		{
			name: "fewer than two groups are backfilled whole", users: 2, limits: inGroups(100, 100),
			given: func(w *world) { w.post(1, 3) },
			when:  func(w *world) { w.follow(0, 1) },
			then: batches{{From: at(7), To: at(8), Follows: follows{{Follower: 1, Followee: 3, Since: 8}},
				Backfills: delivered{{Owner: 1, Author: 3, Range: span(0, 7)}}}},
		},
		{
			name: "the batch's own chirps count in the groups", users: 2, limits: inGroups(100, 100),
			given: func(w *world) { w.post(1, 3) },                               // at 5 to 7
			when:  func(w *world) { w.post(1, 1); w.follow(0, 1); w.post(1, 2) }, // at 8, 10 and 11
			then: batches{{From: at(7), To: at(11),
				Follows:   follows{{Follower: 1, Followee: 3, Since: 9, Split: split(6, 2)}},
				Backfills: delivered{{Owner: 1, Author: 3, Range: span(6, 7)}},
				FanOuts: fanOuts{{Chirp: 8, Author: 3, Range: span(0, 11)}, {Chirp: 10, Author: 3, Range: span(0, 11)},
					{Chirp: 11, Author: 3, Range: span(0, 11)}}}},
		},
		{
			name: "a follow that skips the batch's own chirps begins another batch", users: 2, limits: inGroups(100, 100),
			given: func(w *world) { w.post(1, 1) },                 // at 5
			when:  func(w *world) { w.post(1, 4); w.follow(0, 1) }, // at 6 to 9
			then: batches{{From: at(5), To: at(9)}, {From: at(9), To: at(10),
				Follows:   follows{{Follower: 1, Followee: 3, Since: 10, Split: split(6, 2)}},
				Backfills: delivered{{Owner: 1, Author: 3, Range: span(6, 9)}}}},
		},
		{
			name: "an unfollow cleans up what was delivered", users: 2, limits: inGroups(100, 100),
			given: func(w *world) { w.post(1, 7); w.follow(0, 1); w.post(1, 2) },
			when:  func(w *world) { w.follow(0, 1) },
			then: batches{{From: at(14), To: at(15), Unfollows: follows{{Follower: 1, Followee: 3}},
				Cleanups: delivered{{Owner: 1, Author: 3, Range: span(8, 14)}}}},
		},
		{
			name: "a follow made again cleans up only what it skips now", users: 2, limits: inGroups(100, 100),
			given: func(w *world) { w.post(1, 7); w.follow(0, 1); w.post(1, 3) }, // at 5 to 11, and 13 to 15
			when:  func(w *world) { w.follow(0, 1); w.post(1, 1); w.follow(0, 1) },
			then: batches{{From: at(15), To: at(18), Unfollows: follows{{Follower: 1, Followee: 3}},
				Follows:  follows{{Follower: 1, Followee: 3, Since: 18, Split: split(13, 8)}},
				Cleanups: delivered{{Owner: 1, Author: 3, Range: span(8, 13)}},
				FanOuts:  fanOuts{{Chirp: 17, Author: 3, Range: span(0, 18)}}}},
		},
		{
			name: "a follow made again that skips the same keeps its timeline", users: 2, limits: inGroups(100, 100),
			given: func(w *world) { w.post(1, 6); w.follow(0, 1) },
			when:  func(w *world) { w.follow(0, 1); w.follow(0, 1) },
			then: batches{{From: at(11), To: at(13), Unfollows: follows{{Follower: 1, Followee: 3}},
				Follows: follows{{Follower: 1, Followee: 3, Since: 13, Split: split(8, 4)}}}},
		},
		{
			name: "an undone follow costs the batch nothing", users: 3, limits: inGroups(100, 3),
			given: func(w *world) { w.post(1, 7); w.post(2, 7) }, // at 7 to 13, and 14 to 20
			when:  func(w *world) { w.follow(0, 1); w.follow(0, 1); w.follow(0, 2) },
			then: batches{{From: at(20), To: at(23), Follows: follows{{Follower: 1, Followee: 5, Since: 23, Split: split(17, 4)}},
				Backfills: delivered{{Owner: 1, Author: 5, Range: span(17, 20)}}}},
		},
		{
			name: "the parts of a cleanup begin after what was skipped", users: 2, limits: inGroups(100, 2),
			given: func(w *world) { w.post(1, 7); w.follow(0, 1); w.post(1, 1) },
			when:  func(w *world) { w.follow(0, 1) },
			then: batches{
				{From: at(13), To: part(13, 10), Cleanups: delivered{{Owner: 1, Author: 3, Range: span(8, 10)}}},
				{From: part(13, 10), To: at(14), Unfollows: follows{{Follower: 1, Followee: 3}},
					Cleanups: delivered{{Owner: 1, Author: 3, Range: span(10, 13)}}},
			},
		},
	} {
		t.Run(c.name, c.run)
	}
}

// TestFollowsOfAProlificUserAreCheap alternates follows and unfollows of users who
// have posted more and more, and counts what the batches deliver and clean up.
func TestFollowsOfAProlificUserAreCheap(t *testing.T) {
	const backfill, alternations = 8, 40
	for _, posted := range []int{100, 1000} {
		for _, events := range []int{1, 100} { // each alone, and all that are pending at once
			t.Run(fmt.Sprintf("%d chirps, %d events at once", posted, events), func(t *testing.T) {
				stores := memory.open(t)
				w := newWorld(t, stores.log)
				w.register(2)
				w.post(1, posted)
				w.write()
				cfg := projector.Config{Threshold: 100, Backfill: backfill}
				project(t, stores, w, cfg)
				for range alternations {
					w.follow(0, 1)
				}
				w.write()
				r := &recorder{Store: stores.views}
				cfg.MaxEvents = events
				project(t, storePair{log: stores.log, views: r}, w, cfg)
				got, most := r.deliveries(w), alternations*(2*backfill-1)
				if events > 1 {
					most = 0 // the alternations undo one another
				}
				if got > most {
					t.Errorf("%d alternations delivered or cleaned up %d entries in %d batches, want at most %d", alternations, got, len(r.batches), most)
				}
			})
		}
	}
}

// deliveries returns how many entries the recorded backfills and cleanups add and
// remove in a world with one author.
func (r *recorder) deliveries(w *world) int {
	n := 0
	for _, b := range r.batches {
		for _, d := range append(b.Backfills, b.Cleanups...) {
			for _, e := range w.events {
				if e.Position > d.After && e.Position <= d.Through && e.Type == "chirp.posted.v1" {
					n++
				}
			}
		}
	}
	return n
}
