package readmodeltest

import (
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// checkSources has a user who follows others in every way, and checks the sources
// and what they hold.
func checkSources(w *world) {
	both := splitFollow(1, 4, 23, 13, 2)
	both.Pull = true
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 40}, Profiles: users(1, 2, 3, 4, 5),
		Chirps: slices.Concat(chirps(2, push, 10, 14, 16), chirps(4, push, 11, 13, 15), chirps(4, pull, 12, 17), chirps(5, push, 9, 18)),
		Follows: []readmodel.Follow{
			splitFollow(1, 2, 20, 14, 2), follow(1, 3, 21), both, splitFollow(1, 5, 24, 9, 1), splitFollow(3, 2, 22, 10, 1),
		},
		Backfills: []readmodel.Delivered{
			{Owner: 1, Author: 2, Range: through(14, 40)}, {Owner: 1, Author: 4, Range: through(13, 40)}, {Owner: 1, Author: 5, Range: through(9, 40)},
		},
	})
	pulled := readmodel.Source{Author: 4, Delivery: pull}
	older := func(author readmodel.UserKey, through domain.Position) readmodel.Source {
		return readmodel.Source{Author: author, Delivery: push, Through: through}
	}
	s := w.snapshot()
	defer s.Close()
	for after, want := range map[domain.Position][]readmodel.Source{
		0: {older(2, 14), older(4, 13), pulled, older(5, 9)}, 8: {older(2, 14), older(4, 13), pulled, older(5, 9)},
		9: {older(2, 14), older(4, 13), pulled}, 12: {older(2, 14), older(4, 13), pulled}, 13: {older(2, 14), pulled},
		14: {pulled}, 1000: {pulled},
	} {
		v, err := readView(w.ctx, s, []readmodel.UserKey{1, 2}, readmodel.Window{After: after, Limit: 100})
		w.ok("a read", err)
		same(w, "sources", v.Users[1].Sources, want)
		same(w, "sources of a user who follows no one", v.Users[2].Sources, nil)
	}
	u := w.viewOf(s, 1).Users[1]
	same(w, "chirps of the sources", positions(u.Merged), []domain.Position{17, 14, 13, 12, 11, 10, 9})
	same(w, "timeline", positions(u.Timeline), []domain.Position{18, 16, 15})
	w.apply(readmodel.Batch{Unfollows: []readmodel.Follow{follow(1, 4, 0)}, Follows: []readmodel.Follow{splitFollow(4, 2, 41, 16, 3)}})
	same(w, "sources after an unfollow", w.view(1).Users[1].Sources, []readmodel.Source{older(2, 14), older(5, 9)})
	same(w, "sources after a follow", w.view(4).Users[4].Sources, []readmodel.Source{older(2, 16)})
}

// checkSourceChirps has 500 authors with three pulled and two pushed chirps each,
// interleaved, and one author who posts many more of both.
func checkSourceChirps(w *world) {
	const authors = 500
	b := readmodel.Batch{To: readmodel.Checkpoint{Position: 1 << 20}}
	add := func(k readmodel.UserKey, how readmodel.Delivery, at domain.Position) {
		b.Chirps = append(b.Chirps, chirps(k, how, at)...)
	}
	var pulled, older []readmodel.Source
	for k := readmodel.UserKey(1); k <= authors; k++ {
		for round := range domain.Position(3) {
			add(k, pull, 10_000*(round+1)+domain.Position(k))
		}
		add(k, push, 15_000+domain.Position(k))
		add(k, push, 25_000+domain.Position(k))
		pulled = append(pulled, readmodel.Source{Author: k, Delivery: pull})
		// Each of three authors is bounded before, at or after its second chirp.
		older = append(older, readmodel.Source{Author: k, Delivery: push, Through: 25_000 + domain.Position(k) + domain.Position(k%3) - 1})
	}
	for at := domain.Position(20_600); at < 20_800; at += 2 {
		add(7, pull, at)
		add(7, push, at+1)
	}
	add(authors+1, pull, 60_000) // no read includes this author
	w.apply(b)
	s := w.snapshot()
	defer s.Close()

	one := []readmodel.Source{pulled[6], {Author: 7, Delivery: push, Through: 20_701}}
	for name, of := range map[string][]readmodel.Source{
		"none": {}, "a pulled one": pulled[6:7], "an older one": one[1:], "both of one author": one, "two authors": {pulled[498], older[6]},
		"one several times": {pulled[6], older[498], pulled[6]}, "all pushed chirps": {{Author: 7, Delivery: push}},
		"some pulled chirps": {{Author: 7, Delivery: pull, Through: 20_700}}, "an unknown author": {{Author: 9999, Delivery: pull}, {Author: 9999, Through: 9}},
		"all pulled ones": pulled, "all older ones": older, "all": slices.Concat(pulled, older), "all twice": slices.Concat(pulled, older, older, pulled),
	} {
		mine := slices.DeleteFunc(slices.Clone(b.Chirps), func(c readmodel.Chirp) bool { return !inSome(of, c) })
		for _, win := range sourceWindows() {
			got, err := chirpsAt(w.ctx, s)(s.SourceChirps(w.ctx, of, win))
			w.ok("SourceChirps of "+name, err)
			if d := diff(got, window(mine, chirpAt, win)); d != "" {
				w.Fatalf("SourceChirps of %s in %+v (- want, + got):\n%s", name, win, d)
			}
		}
	}
}

// sourceWindows returns windows at and between the rows of checkSourceChirps.
func sourceWindows() []readmodel.Window {
	return []readmodel.Window{
		{Limit: 1}, {Limit: 20}, {Limit: 150}, {Limit: 5000}, {Limit: 20, Ascending: true}, {Limit: 5000, Ascending: true},
		{After: 20_640, Before: 30_020, Limit: 50}, {After: 20_640, Before: 30_020, Limit: 50, Ascending: true},
		{After: 15_200, Before: 25_300, Limit: 700}, {After: 15_200, Before: 25_300, Limit: 700, Ascending: true},
		{After: 20_650, Before: 20_704, Limit: 9}, {After: 20_650, Before: 20_704, Limit: 9, Ascending: true},
		{After: 25_100, Limit: 40}, {After: 25_100, Limit: 40, Ascending: true}, {Before: 25_010, Limit: 30},
		{After: 30_007, Limit: 10, Ascending: true}, {Before: 10_008, Limit: 10}, {Before: 1, Limit: 10}, {After: 40_000, Limit: 10},
	}
}
