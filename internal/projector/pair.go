package projector

import (
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// rules are what the views depend on besides the log.
type rules struct {
	// threshold is the number of followers at which a user becomes a celebrity.
	threshold int64
	// backfill is how many of a followee's newest pushed chirps a follow
	// delivers, if there are as many. It delivers fewer than twice as many.
	backfill int64
}

// push counts a chirp that is pushed. A user's chirps form groups of the size of
// backfill, and a follow delivers the last full group and the one being filled. So
// its split is known from the profile alone, is the same in whatever batches the
// events are folded, and stays for the next backfill-1 chirps.
func (r rules) push(author *readmodel.Profile, at domain.Position) {
	author.Pushed++
	if author.Pushed-author.NextSplit.Skipped >= r.backfill {
		author.Split, author.NextSplit = author.NextSplit, readmodel.Split{Older: at, Skipped: author.Pushed}
	}
}

// push also counts the chirp as one of the batch's own.
func (a *accumulator) push(author *readmodel.Profile, at domain.Position) {
	a.rules.push(author, at)
	a.pushed[author]++
}

// splits are those of follows before the batch.
type splits map[readmodel.Pair]readmodel.Split

// pair is what the batch changes between two users.
type pair struct {
	follower, followee *readmodel.Profile
	before, after      bool             // whether follower follows followee, before and after the batch
	old                readmodel.Split  // of the follow before the batch
	last               readmodel.Follow // the last follow in the batch
	deliveries         int64            // the pair's part of the batch's deliveries
}

// costOfFollow returns how many deliveries a follow or an unfollow adds to those of
// the batch. The result is negative if it undoes what was folded before it.
func (a *accumulator) costOfFollow(followerID, followeeID domain.UserID, follows bool) (int64, error) {
	follower, followee := a.profiles[followerID], a.profiles[followeeID]
	if follower == nil || followee == nil {
		return 0, fmt.Errorf("follower %s or followee %s is not registered", followerID, followeeID)
	}
	p := a.pair(follower, followee, !follows)
	if p.after == follows {
		return 0, fmt.Errorf("it repeats the event before it about %s and %s", followerID, followeeID)
	}
	return a.deliveriesOf(p, follows) - p.deliveries, nil
}

// deliveriesOf returns how many timeline entries the batch writes or removes for a
// pair that ends the batch with follows: whether the follower follows the followee.
func (a *accumulator) deliveriesOf(p *pair, follows bool) int64 {
	own, now := a.pushed[p.followee], p.followee
	switch {
	case p.before && follows: // what the new split skips, and the batch's own chirps
		return now.Split.Skipped - p.old.Skipped + own
	case follows:
		return now.Pushed - now.Split.Skipped
	case p.before:
		return now.Pushed - own - p.old.Skipped
	default:
		return 0
	}
}

// skipsOwn reports whether an event is a follow that skips chirps of the batch itself,
// which a fan-out of the batch would deliver.
func (a *accumulator) skipsOwn(e event) bool {
	fact, follows := e.fact.(domain.UserFollowed)
	return follows && a.profiles[fact.FolloweeID].Split.Older > a.from.Position
}

// pair returns what the batch has changed between two users. If that is nothing,
// before says whether the follower follows the followee.
func (a *accumulator) pair(follower, followee *readmodel.Profile, before bool) *pair {
	key := readmodel.Pair{Follower: follower.Key, Followee: followee.Key}
	if p := a.pairOf[key]; p != nil {
		return p
	}
	return &pair{follower: follower, followee: followee, before: before, after: before, old: a.splits[key]}
}

func (a *accumulator) addFollow(e event, follower, followee *readmodel.Profile, follows bool) {
	p := a.pair(follower, followee, !follows)
	key := readmodel.Pair{Follower: follower.Key, Followee: followee.Key}
	if a.pairOf[key] == nil {
		a.pairOf[key] = p
		a.pairs = append(a.pairs, p)
	}
	p.after, p.deliveries = follows, a.deliveriesOf(p, follows)
	step := int64(-1)
	if follows {
		p.last = readmodel.Follow{Follower: follower.Key, Followee: followee.Key, Since: e.Position, Split: followee.Split}
		step = 1
	}
	a.markChanged(follower)
	a.markChanged(followee)
	follower.Following += step
	followee.Followers += step
	followee.Celebrity = celebrity(followee.Celebrity, followee.Followers, a.threshold)
}

// addTo adds the pair's net change to a batch. older is how many pushed chirps the
// followee has from before the batch.
func (p *pair) addTo(b *readmodel.Batch, older int64) {
	// A follow that was removed and made again in the batch is both: its row is
	// replaced, because Since is newer.
	if p.before {
		b.Unfollows = append(b.Unfollows, readmodel.Follow{Follower: p.follower.Key, Followee: p.followee.Key})
	}
	if p.after {
		p.last.Pull = p.followee.PullSource
		b.Follows = append(b.Follows, p.last)
	}
	chirps := readmodel.Delivered{Owner: p.follower.Key, Author: p.followee.Key}
	switch {
	case p.before && p.after && p.last.Skipped > p.old.Skipped:
		chirps.Range = readmodel.Range{After: p.old.Older, Through: p.last.Older}
		b.Cleanups = append(b.Cleanups, chirps)
	case p.before && !p.after && older > p.old.Skipped:
		chirps.Range = readmodel.Range{After: p.old.Older, Through: b.From.Position}
		b.Cleanups = append(b.Cleanups, chirps)
	case !p.before && p.after && older > p.last.Skipped:
		chirps.Range = readmodel.Range{After: p.last.Older, Through: b.From.Position}
		b.Backfills = append(b.Backfills, chirps)
	}
}
