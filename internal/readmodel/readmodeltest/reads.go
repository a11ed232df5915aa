package readmodeltest

import (
	"errors"
	"slices"
	"strings"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

func checkProfiles(w *world) {
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 9}, Profiles: users(1, 2, 3)})
	s := w.snapshot()
	defer s.Close()
	got, err := s.ProfileByID(w.ctx, userID(2))
	w.ok("ProfileByID", err)
	same(w, "profile by id", got, user(2))
	for _, fold := range []func(string) string{strings.Clone, strings.ToLower, strings.ToUpper} {
		name := domain.Username(fold(string(user(3).Username)))
		got, err := s.ProfileByName(w.ctx, name)
		w.ok("ProfileByName "+string(name), err)
		same(w, "profile by name", got, user(3))
	}
	many, err := s.Profiles(w.ctx, []readmodel.UserKey{3, 8, 1, 3, 0})
	w.ok("Profiles", err)
	sortBy(many, func(p readmodel.Profile) int64 { return int64(p.Key) })
	same(w, "profiles by key", many, users(1, 3))
	many, err = w.writer.ProfilesByID(w.ctx, []domain.UserID{userID(3), userID(8), userID(1), userID(3)})
	w.ok("ProfilesByID", err)
	sortBy(many, func(p readmodel.Profile) int64 { return int64(p.Key) })
	same(w, "profiles by id for the projector", many, users(1, 3))

	// A profile that was replaced is found under its new name only.
	renamed := user(2)
	renamed.Username, renamed.Chirps = "Other", 7
	w.apply(readmodel.Batch{Profiles: []readmodel.Profile{renamed}})
	now := w.snapshot()
	defer now.Close()
	got, err = now.ProfileByName(w.ctx, "oTHER")
	w.ok("ProfileByName", err)
	same(w, "renamed profile", got, renamed)
	if _, err := now.ProfileByName(w.ctx, user(2).Username); !errors.Is(err, readmodel.ErrNotFound) {
		w.Errorf("the old name returned %v, want ErrNotFound", err)
	}
}

func checkMissing(w *world) {
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: 9}, Profiles: users(1), Chirps: chirps(1, push, 5)})
	s := w.snapshot()
	defer s.Close()
	c, err := s.ChirpByID(w.ctx, chirpID(5))
	w.ok("ChirpByID", err)
	same(w, "chirp by id", c, chirps(1, push, 5)[0])

	for n := range 3 { // more than a store may look up at once, then some, then none
		var at []domain.Position
		for p := range domain.Position([]int{3000, 40, 5}[n]) {
			at = append(at, p, 2*p)
		}
		some, err := s.Chirps(w.ctx, at)
		w.ok("Chirps", err)
		same(w, "chirps by position", some, chirps(1, push, 5)[:min(1, 2-n)])
	}
	none, err := s.Chirps(w.ctx, nil)
	w.ok("Chirps", err)
	same(w, "chirps at no position", none, nil)

	_, byID := s.ProfileByID(w.ctx, userID(2))
	_, byName := s.ProfileByName(w.ctx, "User_2")
	_, byPart := s.ProfileByName(w.ctx, "User%")
	_, chirp := s.ChirpByID(w.ctx, chirpID(6))
	for name, err := range map[string]error{"ProfileByID": byID, "ProfileByName": byName, "ProfileByName of a pattern": byPart, "ChirpByID": chirp} {
		if !errors.Is(err, readmodel.ErrNotFound) {
			w.Errorf("%s of a missing row returned %v, want ErrNotFound", name, err)
		}
	}
	v := w.viewOf(s, 2)
	same(w, "lists of a missing user", v, view{Generation: v.Generation, Users: map[readmodel.UserKey]userView{2: {}}})
}

// checkWindows reads every list in many windows, and compares the result with the
// whole list, filtered. Users 1 to 3 have rows in every list, interleaved.
func checkWindows(w *world) {
	b := readmodel.Batch{To: readmodel.Checkpoint{Position: 500}, Profiles: users(1, 2, 3)}
	for at := domain.Position(100); at < 160; at++ {
		author := readmodel.UserKey(at%3 + 1)
		b.Chirps = append(b.Chirps, chirps(author, readmodel.Delivery(at/3%2), at)...)
	}
	for at := domain.Position(200); at < 230; at++ {
		one, other := readmodel.UserKey(at%3+1), readmodel.UserKey(at)
		b.Follows = append(b.Follows, follow(one, other, at), follow(other, one, at+100))
	}
	for _, owner := range []readmodel.UserKey{1, 2, 3} {
		for _, author := range []readmodel.UserKey{1, 2, 3} {
			b.Backfills = append(b.Backfills, readmodel.Delivered{Owner: owner, Author: author, Range: through(0, 300)})
		}
	}
	w.apply(b)
	s := w.snapshot()
	defer s.Close()
	keys := []readmodel.UserKey{1, 2, 3}
	whole := w.viewOf(s, keys...)
	for _, win := range windows() {
		got, err := readView(w.ctx, s, keys, win)
		w.ok("a read", err)
		want := view{Generation: whole.Generation, Profiles: whole.Profiles, Pulled: window(whole.Pulled, chirpAt, win), Users: map[readmodel.UserKey]userView{}}
		for _, k := range keys {
			u := whole.Users[k]
			u.Chirps, u.Timeline = window(u.Chirps, chirpAt, win), window(u.Timeline, chirpAt, win)
			u.Followers, u.Following = window(u.Followers, followAt, win), window(u.Following, followAt, win)
			want.Users[k] = u
		}
		if d := diff(got, want); d != "" {
			w.Fatalf("window %+v (- want, + got):\n%s", win, d)
		}
	}
	same(w, "whole timeline", positions(whole.Users[1].Timeline), positions(window(pushedOf(b.Chirps), chirpAt, everything)))
}

func pushedOf(rows []readmodel.Chirp) []readmodel.Chirp {
	return slices.DeleteFunc(slices.Clone(rows), func(c readmodel.Chirp) bool { return c.Delivery != push })
}

// windows returns windows with every combination of some bounds, which are at and
// between the rows of checkWindows. Their limits alternate between a few rows, many,
// and more than there are.
func windows() []readmodel.Window {
	var made []readmodel.Window
	bounds := []domain.Position{0, 99, 100, 107, 108, 159, 160, 215, 216, 229, 310, 1 << 60}
	limits := []int{7, 1000, 1, 30}
	for i, after := range bounds {
		for j, before := range bounds {
			w := readmodel.Window{After: after, Before: before, Limit: limits[(i+j)%len(limits)]}
			made = append(made, w)
			w.Ascending = true
			made = append(made, w)
		}
	}
	return made
}

func checkFollows(w *world) {
	// User 9 has no profile, so the ids do not include one.
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 40}, Profiles: users(1, 2, 3, 4, 5),
		Follows: []readmodel.Follow{follow(1, 2, 20), follow(1, 4, 21), follow(1, 5, 22), follow(2, 1, 23), follow(3, 2, 24), follow(1, 9, 25)},
	})
	s := w.snapshot()
	defer s.Close()
	got, err := s.Follows(w.ctx, 1, []readmodel.UserKey{4, 3, 2, 4, 8})
	w.ok("Follows", err)
	sortBy(got, func(f readmodel.Follow) int64 { return int64(f.Followee) })
	same(w, "follows among some", got, []readmodel.Follow{follow(1, 2, 20), follow(1, 4, 21)})
	got, err = s.Follows(w.ctx, 1, nil)
	w.ok("Follows", err)
	same(w, "follows among none", got, nil)
	for _, pairs := range [][]readmodel.Pair{{{Follower: 1, Followee: 4}, {Follower: 4, Followee: 1}, {Follower: 3, Followee: 2}}, nil} {
		got, err = w.writer.Follows(w.ctx, pairs)
		w.ok("Follows of pairs", err)
		sortBy(got, func(f readmodel.Follow) int64 { return int64(f.Since) })
		same(w, "follows of pairs", got, []readmodel.Follow{follow(1, 4, 21), follow(3, 2, 24)}[:2*min(1, len(pairs))])
	}
	v := w.viewOf(s, 1, 2, 4)
	same(w, "ids of the followees", v.Users[1].FolloweeIDs, []domain.UserID{userID(2), userID(4), userID(5)})
	same(w, "ids of no followees", v.Users[4].FolloweeIDs, nil)
	same(w, "followers", v.Users[2].Followers, []readmodel.Follow{follow(3, 2, 24), follow(1, 2, 20)})
	same(w, "following", v.Users[2].Following, []readmodel.Follow{follow(2, 1, 23)})
}

func checkThrough(w *world) {
	w.apply(readmodel.Batch{
		To: readmodel.Checkpoint{Position: 40}, Profiles: users(1, 2, 3, 4),
		Chirps:  append(chirps(2, push, 10, 12, 14), append(chirps(2, pull, 11, 15), chirps(3, push, 13)...)...),
		Follows: []readmodel.Follow{follow(1, 2, 20), follow(3, 2, 22), follow(4, 2, 24), follow(1, 3, 21), follow(2, 1, 23)},
	})
	for _, c := range []struct {
		after     domain.Position
		limit     int
		followers domain.Position
		pushed    domain.Position
	}{
		{after: 0, limit: 1, followers: 20, pushed: 10},
		{after: 0, limit: 2, followers: 22, pushed: 12},
		{after: 0, limit: 3, followers: 24, pushed: 14},
		{after: 0, limit: 1000, followers: 24, pushed: 14},
		{after: 10, limit: 1, followers: 20, pushed: 12},
		{after: 12, limit: 5, followers: 24, pushed: 14},
		{after: 20, limit: 1, followers: 22, pushed: 0},
		{after: 24, limit: 1, followers: 0, pushed: 0},
	} {
		followers, err := w.writer.FollowersThrough(w.ctx, 2, c.after, c.limit)
		w.ok("FollowersThrough", err)
		pushed, err := w.writer.PushedThrough(w.ctx, 2, c.after, c.limit)
		w.ok("PushedThrough", err)
		if followers != c.followers || pushed != c.pushed {
			w.Errorf("%d rows after %d end at follower %d and chirp %d, want %d and %d", c.limit, c.after, followers, pushed, c.followers, c.pushed)
		}
	}
	// The writer sees what it last applied.
	w.apply(readmodel.Batch{Chirps: chirps(2, push, 16), Unfollows: []readmodel.Follow{{Follower: 4, Followee: 2}}})
	followers, err := w.writer.FollowersThrough(w.ctx, 2, 0, 9)
	w.ok("FollowersThrough", err)
	pushed, err := w.writer.PushedThrough(w.ctx, 2, 0, 9)
	w.ok("PushedThrough", err)
	if followers != 22 || pushed != 16 {
		w.Errorf("after another batch the rows end at follower %d and chirp %d, want 22 and 16", followers, pushed)
	}
}
