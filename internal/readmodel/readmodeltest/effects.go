package readmodeltest

import (
	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

const (
	push = readmodel.Push
	pull = readmodel.Pull
)

// checkOrder applies a batch whose steps undo one another, so that a wrong order has
// another effect.
func checkOrder(w *world) {
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 20}, Profiles: users(1, 2, 3, 4), Chirps: chirps(2, push, 10, 11),
		Follows:   []readmodel.Follow{follow(1, 2, 12), follow(3, 2, 13)},
		Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 12)}, {Owner: 3, Author: 2, Range: through(0, 13)}},
	})
	w.apply(readmodel.Batch{
		To:     readmodel.Checkpoint{Position: 30},
		Chirps: chirps(2, push, 21, 22),
		// Users 1 and 3 unfollow and lose all entries, even of the batch's own chirps.
		Unfollows: []readmodel.Follow{{Follower: 1, Followee: 2}, {Follower: 3, Followee: 2}},
		Cleanups:  []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 30)}, {Owner: 3, Author: 2, Range: through(0, 30)}},
		// Users 1 and 4 follow. The mark includes follows of the batch in its range.
		Follows: []readmodel.Follow{follow(1, 2, 24), follow(4, 2, 25)},
		Marks:   []readmodel.Mark{{Followee: 2, Range: through(0, 24)}},
		// The backfill adds a chirp that the cleanup removed, and a new one.
		Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(10, 21)}},
		// The fan-out reaches the new follows and not the old ones.
		FanOuts: []readmodel.FanOut{{Chirp: 22, Author: 2, Range: through(0, 30)}},
	})
	v := w.view(1, 2, 3, 4)
	w.wantTimeline(1, 22, 21, 11)
	w.wantTimeline(3)
	w.wantTimeline(4, 22)
	marked := follow(1, 2, 24)
	marked.Pull = true
	same(w, "followers", v.Users[2].Followers, []readmodel.Follow{follow(4, 2, 25), marked})
}

func checkRefresh(w *world) {
	old := follow(1, 2, 5)
	old.Pull = true
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 9}, Profiles: users(1, 2), Follows: []readmodel.Follow{old}})
	w.apply(readmodel.Batch{
		To:        readmodel.Checkpoint{Position: 20},
		Unfollows: []readmodel.Follow{{Follower: 1, Followee: 2}}, Follows: []readmodel.Follow{follow(1, 2, 12)},
	})
	want := []readmodel.Follow{follow(1, 2, 12)}
	v := w.view(1, 2)
	same(w, "followers", v.Users[2].Followers, want)
	same(w, "following", v.Users[1].Following, want)
	same(w, "sources", v.Users[1].Sources, nil)
}

// checkCleanup works on timelines that hold chirps of two authors.
func checkCleanup(w *world) {
	var rows []readmodel.Chirp
	var fill []readmodel.Delivered
	rows = append(rows, chirps(2, push, 10, 12, 14, 16)...)
	rows = append(rows, chirps(3, push, 11, 13, 15)...)
	for _, owner := range []readmodel.UserKey{1, 4} {
		fill = append(fill, readmodel.Delivered{Owner: owner, Author: 2, Range: through(0, 20)}, readmodel.Delivered{Owner: owner, Author: 3, Range: through(0, 20)})
	}
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 20}, Profiles: users(1, 2, 3, 4), Chirps: rows, Backfills: fill})
	w.apply(readmodel.Batch{Cleanups: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(10, 14)}}})
	w.wantTimeline(1, 16, 15, 13, 11, 10)
	w.wantTimeline(4, 16, 15, 14, 13, 12, 11, 10)
	w.apply(readmodel.Batch{Cleanups: []readmodel.Delivered{
		{Owner: 1, Author: 2, Range: through(0, 20)},  // a part of it is removed already
		{Owner: 4, Author: 2, Range: through(15, 16)}, // only the upper bound
		{Owner: 4, Author: 3, Range: through(11, 12)}, // no chirps of this author
		{Owner: 9, Author: 2, Range: through(0, 20)},  // a timeline without entries
	}})
	w.wantTimeline(1, 15, 13, 11)
	w.wantTimeline(4, 15, 14, 13, 12, 11, 10)
	if got := len(w.view(2).Users[2].Chirps); got != 4 {
		w.Errorf("%d of 4 chirps are left after cleanups, want all: cleanups affect only timelines", got)
	}
}

func checkBackfill(w *world) {
	var rows []readmodel.Chirp
	rows = append(rows, chirps(2, push, 10, 12, 16)...)
	rows = append(rows, chirps(2, pull, 13, 14)...)
	rows = append(rows, chirps(3, push, 11, 15)...)
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 20}, Profiles: users(1, 2, 3), Chirps: rows,
		Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(10, 14)}},
	})
	w.wantTimeline(1, 12)
	w.apply(readmodel.Batch{Backfills: []readmodel.Delivered{
		{Owner: 1, Author: 2, Range: through(14, 16)}, {Owner: 1, Author: 2, Range: through(9, 10)}, {Owner: 1, Author: 3, Range: through(15, 19)},
	}})
	w.wantTimeline(1, 16, 12, 10)
	w.wantTimeline(2)
	w.wantTimeline(3)
}

func checkFanOut(w *world) {
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 30}, Profiles: users(1, 2, 3, 4, 5, 6, 7),
		Follows: []readmodel.Follow{follow(1, 2, 20), follow(3, 2, 21), follow(4, 2, 22), follow(5, 2, 23), follow(6, 7, 24), follow(2, 1, 25)},
	})
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 40}, Chirps: chirps(2, push, 31, 33),
		Unfollows: []readmodel.Follow{{Follower: 4, Followee: 2}},
		Follows:   []readmodel.Follow{follow(6, 2, 32), follow(7, 2, 34)},
		FanOuts: []readmodel.FanOut{
			{Chirp: 31, Author: 2, Range: through(20, 32)},
			{Chirp: 33, Author: 2, Range: through(0, 20)}, {Chirp: 33, Author: 2, Range: through(20, 21)}, {Chirp: 33, Author: 2, Range: through(23, 33)},
		},
	})
	w.wantTimeline(1, 33)
	w.wantTimeline(3, 33, 31)
	w.wantTimeline(4)
	w.wantTimeline(5, 31)
	w.wantTimeline(6, 33, 31)
	w.wantTimeline(7)
	w.wantTimeline(2)
}

// checkEarlyFanOut delivers a chirp in parts. Its row comes with the last part.
func checkEarlyFanOut(w *world) {
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 30}, Profiles: users(1, 2, 3, 4),
		Chirps: chirps(2, push, 10), Follows: []readmodel.Follow{follow(1, 2, 20), follow(3, 2, 21), follow(4, 2, 22)},
		Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 10)}},
	})
	w.apply(readmodel.Batch{
		To:      readmodel.Checkpoint{Position: 30, Partial: 21},
		FanOuts: []readmodel.FanOut{{Chirp: 31, Author: 2, Range: through(0, 21)}},
	})
	w.wantTimeline(1, 10)
	s := w.snapshot()
	got, err := s.Timeline(w.ctx, 1, readmodel.Window{Before: 31, Limit: 1})
	s.Close()
	w.ok("Timeline", err)
	same(w, "timeline up to the checkpoint", got, []domain.Position{10})
	w.apply(readmodel.Batch{
		To:      readmodel.Checkpoint{Position: 31},
		Chirps:  chirps(2, push, 31),
		FanOuts: []readmodel.FanOut{{Chirp: 31, Author: 2, Range: through(21, 30)}},
	})
	w.wantTimeline(1, 31, 10)
	w.wantTimeline(3, 31)
	w.wantTimeline(4, 31)
}

func checkMarks(w *world) {
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 30}, Profiles: users(1, 2, 3, 4, 5),
		Follows: []readmodel.Follow{follow(1, 2, 20), follow(3, 2, 21), follow(4, 2, 22), follow(5, 2, 23), follow(3, 5, 24)},
	})
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 40}, Follows: []readmodel.Follow{follow(1, 5, 31)},
		Marks: []readmodel.Mark{{Followee: 2, Range: through(20, 22)}, {Followee: 5, Range: through(30, 31)}},
	})
	w.apply(readmodel.Batch{Marks: []readmodel.Mark{{Followee: 2, Range: through(21, 22)}}}) // again: no change
	v := w.view(1, 3, 4, 5)
	for owner, want := range map[readmodel.UserKey][]readmodel.UserKey{1: {5}, 3: {2}, 4: {2}, 5: nil} {
		same(w, "sources", v.Users[owner].Sources, pulledOf(want))
		for _, f := range v.Users[owner].Following {
			if marked := len(want) > 0 && f.Followee == want[0]; f.Pull != marked {
				w.Errorf("the follow %v has Pull %v, want %v", f, f.Pull, marked)
			}
		}
	}
}

// checkDelivery checks that no chirp is both in a timeline and pulled.
func checkDelivery(w *world) {
	marked := follow(1, 2, 20)
	marked.Pull = true
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 40}, Profiles: users(1, 2, 3),
		Chirps:    append(chirps(2, push, 10, 12, 31), chirps(2, pull, 11, 13, 32)...),
		Follows:   []readmodel.Follow{marked},
		Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 20)}},
		FanOuts:   []readmodel.FanOut{{Chirp: 31, Author: 2, Range: through(0, 20)}},
	})
	v := w.view(1, 2)
	same(w, "timeline", positions(v.Users[1].Timeline), []domain.Position{31, 12, 10})
	same(w, "pulled", positions(v.Pulled), []domain.Position{32, 13, 11})
	same(w, "posted", positions(v.Users[2].Chirps), []domain.Position{32, 31, 13, 12, 11, 10})
}

// checkTotals includes rows of users without a profile.
func checkTotals(w *world) {
	total := func(what string, want readmodel.Totals) {
		w.Helper()
		s := w.snapshot()
		defer s.Close()
		got, err := s.Totals(w.ctx)
		w.ok("Totals", err)
		same(w, "totals "+what, got, want)
	}
	w.serve()
	total("of an empty store", readmodel.Totals{})
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 40}, Profiles: users(1, 2, 3),
		Chirps:  append(chirps(2, push, 10, 12, 31), chirps(9, pull, 11)...),
		Follows: []readmodel.Follow{splitFollow(1, 2, 20, 10, 1), follow(3, 2, 21), splitFollow(8, 9, 22, 11, 40)},
		Backfills: []readmodel.Delivered{
			{Owner: 1, Author: 2, Range: through(0, 20)}, {Owner: 7, Author: 2, Range: through(0, 20)},
		},
		FanOuts: []readmodel.FanOut{{Chirp: 31, Author: 2, Range: through(0, 30)}},
	})
	total("with rows of users without a profile", readmodel.Totals{Profiles: 3, Chirps: 4, Follows: 3, Entries: 6, Skipped: 41})
	w.apply(readmodel.Batch{
		Unfollows: []readmodel.Follow{follow(1, 2, 20)},
		Cleanups:  []readmodel.Delivered{{Owner: 1, Author: 2, Range: through(0, 40)}},
	})
	total("after an unfollow", readmodel.Totals{Profiles: 3, Chirps: 4, Follows: 2, Entries: 3, Skipped: 40})
}
