package projectortest

import (
	"cmp"
	"maps"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Rows are the rows that the views must have, except for timelines, which follow from
// Feed and the chirps' delivery. Each list is in the order of its keys.
type Rows struct {
	Profiles []readmodel.Profile
	Chirps   []readmodel.Chirp
	Follows  []readmodel.Follow // by Since
}

// Rules are what the rows depend on besides the events.
type Rules struct {
	// Threshold is the number of followers at which a user becomes a celebrity.
	Threshold int64
	// Backfill is the size of a group of chirps: a follow skips all pushed chirps
	// but the last full group and those after it. 0 means that it skips none.
	Backfill int
}

// Rows returns the rows for some rules.
func (o Oracle) Rows(r Rules) Rows {
	profiles := make(map[domain.UserID]*readmodel.Profile)
	pushed := make(map[domain.UserID][]domain.Position)
	follows := make(map[[2]domain.UserID]readmodel.Follow)
	var chirps []readmodel.Chirp
	for _, e := range o.events {
		switch fact := e.fact.(type) {
		case domain.UserRegistered:
			profiles[fact.UserID] = &readmodel.Profile{
				Key: readmodel.UserKey(e.position), ID: fact.UserID, Username: fact.Username, JoinedAt: e.at,
			}
		case domain.ChirpPosted:
			chirp := posted(profiles[fact.AuthorID])
			chirp.Position, chirp.ID, chirp.Content, chirp.PostedAt = e.position, fact.ChirpID, fact.Content, e.at
			chirps = append(chirps, chirp)
			if chirp.Delivery == readmodel.Push {
				pushed[fact.AuthorID] = append(pushed[fact.AuthorID], e.position)
				author := profiles[fact.AuthorID]
				author.Split, author.NextSplit = r.split(pushed[fact.AuthorID], 1), r.split(pushed[fact.AuthorID], 0)
			}
		case domain.UserFollowed:
			follows[[2]domain.UserID{fact.FollowerID, fact.FolloweeID}] = readmodel.Follow{
				Since: e.position, Split: r.split(pushed[fact.FolloweeID], 1),
			}
			followed(profiles[fact.FollowerID], profiles[fact.FolloweeID], +1, r.Threshold)
		case domain.UserUnfollowed:
			delete(follows, [2]domain.UserID{fact.FollowerID, fact.FolloweeID})
			followed(profiles[fact.FollowerID], profiles[fact.FolloweeID], -1, r.Threshold)
		case domain.UsernameReserved, domain.IdentityReserved:
		}
	}
	rows := Rows{Chirps: chirps}
	for p := range maps.Values(profiles) {
		rows.Profiles = append(rows.Profiles, *p)
	}
	for pair, f := range follows {
		follower, followee := profiles[pair[0]], profiles[pair[1]]
		f.Follower, f.Followee, f.Pull = follower.Key, followee.Key, followee.PullSource
		rows.Follows = append(rows.Follows, f)
	}
	slices.SortFunc(rows.Profiles, func(a, b readmodel.Profile) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(rows.Follows, func(a, b readmodel.Follow) int { return cmp.Compare(a.Since, b.Since) })
	return rows
}

// split returns the split after all full groups of some chirps but the last few.
func (r Rules) split(pushed []domain.Position, except int) readmodel.Split {
	if r.Backfill == 0 {
		return readmodel.Split{}
	}
	skipped := (len(pushed)/r.Backfill - except) * r.Backfill
	if skipped <= 0 {
		return readmodel.Split{}
	}
	return readmodel.Split{Older: pushed[skipped-1], Skipped: int64(skipped)}
}

// posted counts a chirp of an author, and returns it with its author and delivery.
func posted(author *readmodel.Profile) readmodel.Chirp {
	author.Chirps++
	if author.Celebrity {
		author.PullSource = true
		return readmodel.Chirp{Author: author.Key, Delivery: readmodel.Pull}
	}
	author.Pushed++
	return readmodel.Chirp{Author: author.Key, Delivery: readmodel.Push}
}

// followed changes the counts of both users by +1 or -1, and applies the celebrity
// rule.
func followed(follower, followee *readmodel.Profile, by, threshold int64) {
	follower.Following += by
	followee.Followers += by
	switch n := float64(followee.Followers); {
	case n >= float64(threshold):
		followee.Celebrity = true
	case n < 0.8*float64(threshold):
		followee.Celebrity = false
	}
}

// Followers returns the follows of a followee, newest first.
func (r Rows) Followers(of readmodel.UserKey) []readmodel.Follow {
	return r.follows(func(f readmodel.Follow) bool { return f.Followee == of })
}

// Following returns the follows of a follower, newest first.
func (r Rows) Following(by readmodel.UserKey) []readmodel.Follow {
	return r.follows(func(f readmodel.Follow) bool { return f.Follower == by })
}

func (r Rows) follows(want func(readmodel.Follow) bool) []readmodel.Follow {
	var found []readmodel.Follow
	for _, f := range slices.Backward(r.Follows) {
		if want(f) {
			found = append(found, f)
		}
	}
	return found
}
