package projector

import (
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// event is an event of the log together with what it says. If err is set, it
// could not be read.
type event struct {
	eventstore.Event
	fact domain.Event
	err  error
}

// users are the profiles that a projector knows, as they are after the last
// event that was folded.
type users map[domain.UserID]*readmodel.Profile

// fold turns consecutive events into one batch. A batch becomes visible as a
// whole, so what it holds is the net effect of its events:
//
//   - Profiles change in the order of the events, because a follow decides
//     whether the next chirp of the followee is pushed or pulled.
//   - A pair of users that ends as it began leaves no trace, or only a newer
//     row; one that ends otherwise gives a backfill or a cleanup of the chirps
//     from before the batch.
//   - The batch's own pushed chirps go to those who follow the author at its
//     end, whoever followed when they were posted.
type fold struct {
	threshold int64
	users     users
	from      readmodel.Checkpoint
	to        domain.Position
	hash      domain.EventHash // of the event at to
	// deliveries is at least the number of timeline entries and marks that the
	// batch writes or removes.
	deliveries int64

	changed []*readmodel.Profile
	isIn    map[*readmodel.Profile]bool // the changed, as a set
	posts   []post
	pairs   []*pair
	pairOf  map[[2]readmodel.UserKey]*pair
	risen   []*readmodel.Profile // became pull sources in this batch
}

// post is a chirp of the batch.
type post struct {
	readmodel.Chirp
	author *readmodel.Profile
}

// pair is what a batch does to one user's following another.
type pair struct {
	follower, followee *readmodel.Profile
	before, after      bool            // whether the one follows the other
	since              domain.Position // the last follow
}

func newFold(u users, threshold int64, from readmodel.Checkpoint) *fold {
	return &fold{
		threshold: threshold, users: u, from: from, to: from.Position, hash: from.Event,
		isIn:   make(map[*readmodel.Profile]bool),
		pairOf: make(map[[2]readmodel.UserKey]*pair),
	}
}

// take folds events until one would bring the deliveries beyond limit, or does
// not fit, and says how many it took. The first event is taken however many
// deliveries it has; if it does not fit, that is an error and nothing changes.
func (f *fold) take(events []event, limit int64) (int, error) {
	for i, e := range events {
		n, err := f.weigh(e)
		if i > 0 && (err != nil || f.deliveries+n > limit) {
			return i, nil
		}
		if err != nil {
			return 0, err
		}
		f.deliveries += n
		f.add(e)
	}
	return len(events), nil
}

// weigh says how many deliveries an event has, or why it cannot be folded.
func (f *fold) weigh(e event) (int64, error) {
	if e.err != nil {
		return 0, e.err
	}
	if e.Position != f.to+1 {
		return 0, fmt.Errorf("the log gave it after position %d", f.to)
	}
	switch fact := e.fact.(type) {
	case domain.UserRegistered:
		if f.users[fact.UserID] != nil {
			return 0, fmt.Errorf("user %s is registered already", fact.UserID)
		}
		return 0, nil
	case domain.UsernameReserved, domain.IdentityReserved:
		return 0, nil
	case domain.ChirpPosted:
		author := f.users[fact.AuthorID]
		if author == nil {
			return 0, fmt.Errorf("its author %s is not registered", fact.AuthorID)
		}
		if author.Celebrity && author.PullSource {
			return 0, nil
		}
		return author.Followers, nil
	case domain.UserFollowed:
		return f.weighFollow(fact.FollowerID, fact.FolloweeID, true)
	case domain.UserUnfollowed:
		return f.weighFollow(fact.FollowerID, fact.FolloweeID, false)
	default:
		return 0, &domain.UnknownEventError{WireName: e.Type}
	}
}

func (f *fold) weighFollow(followerID, followeeID domain.UserID, follows bool) (int64, error) {
	follower, followee := f.users[followerID], f.users[followeeID]
	if follower == nil || followee == nil {
		return 0, fmt.Errorf("follower %s or followee %s is not registered", followerID, followeeID)
	}
	p := f.pairOf[[2]readmodel.UserKey{follower.Key, followee.Key}]
	if p != nil && p.after == follows {
		return 0, fmt.Errorf("it repeats the event before it about %s and %s", followerID, followeeID)
	}
	return followee.Pushed, nil
}

// add folds an event that weigh accepted.
func (f *fold) add(e event) {
	switch fact := e.fact.(type) {
	case domain.UserRegistered:
		f.register(e, fact)
	case domain.UsernameReserved, domain.IdentityReserved:
	case domain.ChirpPosted:
		f.post(e, fact)
	case domain.UserFollowed:
		f.follow(e, f.users[fact.FollowerID], f.users[fact.FolloweeID], true)
	case domain.UserUnfollowed:
		f.follow(e, f.users[fact.FollowerID], f.users[fact.FolloweeID], false)
	}
	f.to, f.hash = e.Position, e.Hash()
}

func (f *fold) register(e event, fact domain.UserRegistered) {
	p := &readmodel.Profile{
		Key: readmodel.UserKey(e.Position), ID: fact.UserID,
		Username: fact.Username, JoinedAt: e.RecordedAt,
	}
	f.users[p.ID] = p
	f.change(p)
}

func (f *fold) post(e event, fact domain.ChirpPosted) {
	author := f.users[fact.AuthorID]
	f.change(author)
	author.Chirps++
	delivery := readmodel.Push
	switch {
	case !author.Celebrity:
		author.Pushed++
	case author.PullSource:
		delivery = readmodel.Pull
	default:
		delivery = readmodel.Pull
		author.PullSource = true
		f.risen = append(f.risen, author)
	}
	f.posts = append(f.posts, post{author: author, Chirp: readmodel.Chirp{
		Position: e.Position, ID: fact.ChirpID, Author: author.Key,
		Content: fact.Content, PostedAt: e.RecordedAt, Delivery: delivery,
	}})
}

func (f *fold) follow(e event, follower, followee *readmodel.Profile, follows bool) {
	key := [2]readmodel.UserKey{follower.Key, followee.Key}
	p := f.pairOf[key]
	if p == nil {
		p = &pair{follower: follower, followee: followee, before: !follows}
		f.pairOf[key] = p
		f.pairs = append(f.pairs, p)
	}
	p.after = follows
	step := int64(-1)
	if follows {
		p.since = e.Position
		step = 1
	}
	f.change(follower)
	f.change(followee)
	follower.Following += step
	followee.Followers += step
	followee.Celebrity = celebrity(followee.Celebrity, followee.Followers, f.threshold)
}

// celebrity says whether a user with so many followers is one, given whether
// they were. The lower end is at 0.8 of the threshold, so that a user who
// hovers at it does not change all the time.
func celebrity(was bool, followers, threshold int64) bool {
	if was {
		return followers >= threshold-threshold/5 // the least whole number ≥ 0.8 threshold
	}
	return followers >= threshold
}

func (f *fold) change(p *readmodel.Profile) {
	if !f.isIn[p] {
		f.isIn[p] = true
		f.changed = append(f.changed, p)
	}
}

// batch gives the net effect of the events taken.
func (f *fold) batch() readmodel.Batch {
	b := readmodel.Batch{From: f.from, To: readmodel.Checkpoint{Position: f.to, Event: f.hash}}
	for _, p := range f.changed {
		b.Profiles = append(b.Profiles, *p)
	}
	before := readmodel.Range{Through: f.from.Position}
	pushed := make(map[*readmodel.Profile]int64) // in this batch
	for _, p := range f.posts {
		b.Chirps = append(b.Chirps, p.Chirp)
		if p.Delivery != readmodel.Push {
			continue
		}
		pushed[p.author]++
		if p.author.Followers > 0 {
			b.FanOuts = append(b.FanOuts, readmodel.FanOut{
				Chirp: p.Position, Author: p.author.Key, Range: readmodel.Range{Through: f.to},
			})
		}
	}
	for _, p := range f.pairs {
		p.addTo(&b, before, p.followee.Pushed > pushed[p.followee])
	}
	for _, p := range f.risen {
		b.Marks = append(b.Marks, readmodel.Mark{Followee: p.Key, Range: before})
	}
	return b
}

// addTo adds the pair's net change to a batch. older says whether the followee
// has pushed chirps from before it.
func (p *pair) addTo(b *readmodel.Batch, before readmodel.Range, older bool) {
	row := readmodel.Follow{Follower: p.follower.Key, Followee: p.followee.Key}
	if p.before {
		b.Unfollows = append(b.Unfollows, row)
	}
	if p.after {
		row.Since, row.Pull = p.since, p.followee.PullSource
		b.Follows = append(b.Follows, row)
	}
	chirps := readmodel.Delivered{Owner: p.follower.Key, Author: p.followee.Key, Range: before}
	switch {
	case p.before == p.after || !older:
	case p.after:
		b.Backfills = append(b.Backfills, chirps)
	default:
		b.Cleanups = append(b.Cleanups, chirps)
	}
}
