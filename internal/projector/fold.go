package projector

import (
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// event is a decoded event of the log. If err is not nil, the event could not be
// decoded, and fact is nil.
type event struct {
	eventstore.Event
	fact domain.Event
	err  error
}

// profiles are the profiles in memory, as they are after the last event that was
// folded.
type profiles map[domain.UserID]*readmodel.Profile

// accumulator folds consecutive events into one batch. A batch becomes visible as
// a whole, so it holds the net effect of its events:
//
//   - Profiles change in the order of the events, because a follow decides
//     whether the followee's next chirp is pushed or pulled.
//   - A pair of users that ends the batch as it began it leaves no trace, or only
//     a newer row and a cleanup of what that row skips. A pair that ends it
//     otherwise leaves a backfill or a cleanup of the chirps from before the batch.
//   - The batch's own pushed chirps go to the author's followers at the end of the
//     batch, no matter who followed when they were posted.
type accumulator struct {
	rules
	profiles profiles
	splits   splits
	from     readmodel.Checkpoint
	to       domain.Position
	hash     domain.EventHash // of the event at to
	// deliveries is at least the number of timeline entries and marks that the
	// batch writes or removes. An event may lower it, by undoing an earlier one.
	deliveries int64

	changed        []*readmodel.Profile
	isChanged      map[*readmodel.Profile]bool // the set of changed
	posts          []post
	pushed         map[*readmodel.Profile]int64 // chirps that the batch pushes
	pairs          []*pair
	pairOf         map[readmodel.Pair]*pair
	newPullSources []*readmodel.Profile // users who became pull sources in the batch
}

// post is a chirp of the batch, with its author's profile.
type post struct {
	readmodel.Chirp
	author *readmodel.Profile
}

func newAccumulator(r rules, known profiles, followed splits, from readmodel.Checkpoint) *accumulator {
	return &accumulator{
		rules: r, profiles: known, splits: followed, from: from, to: from.Position, hash: from.Event,
		isChanged: make(map[*readmodel.Profile]bool),
		pushed:    make(map[*readmodel.Profile]int64),
		pairOf:    make(map[readmodel.Pair]*pair),
	}
}

// fold folds events until one would bring the deliveries above limit, needs a batch of
// its own or cannot be folded, and returns how many it folded. It folds the first event
// no matter how many deliveries that has; if the first cannot be folded, it returns the
// error and changes nothing.
func (a *accumulator) fold(events []event, limit int64) (int, error) {
	for i, e := range events {
		n, err := a.cost(e)
		if i > 0 && (err != nil || a.deliveries+n > limit || a.skipsOwn(e)) {
			return i, nil
		}
		if err != nil {
			return 0, err
		}
		a.deliveries += n
		a.add(e)
	}
	return len(events), nil
}

// cost returns the number of deliveries of an event, or why it cannot be folded. It
// changes nothing.
func (a *accumulator) cost(e event) (int64, error) {
	if e.err != nil {
		return 0, e.err
	}
	if e.Position != a.to+1 {
		return 0, fmt.Errorf("the log returned it after position %d", a.to)
	}
	switch fact := e.fact.(type) {
	case domain.UserRegistered:
		if a.profiles[fact.UserID] != nil {
			return 0, fmt.Errorf("user %s is registered already", fact.UserID)
		}
		return 0, nil
	case domain.UsernameReserved, domain.IdentityReserved:
		return 0, nil
	case domain.ChirpPosted:
		author := a.profiles[fact.AuthorID]
		if author == nil {
			return 0, fmt.Errorf("its author %s is not registered", fact.AuthorID)
		}
		if author.Celebrity && author.PullSource {
			return 0, nil
		}
		// One entry for each follower if the chirp is pushed, and one mark for
		// each if it is the author's first pulled chirp.
		return author.Followers, nil
	case domain.UserFollowed:
		return a.costOfFollow(fact.FollowerID, fact.FolloweeID, true)
	case domain.UserUnfollowed:
		return a.costOfFollow(fact.FollowerID, fact.FolloweeID, false)
	default:
		return 0, &domain.UnknownEventError{WireName: e.Type}
	}
}

// add folds an event for which cost returned no error.
func (a *accumulator) add(e event) {
	switch fact := e.fact.(type) {
	case domain.UserRegistered:
		a.addUser(e, fact)
	case domain.UsernameReserved, domain.IdentityReserved:
	case domain.ChirpPosted:
		a.addChirp(e, fact)
	case domain.UserFollowed:
		a.addFollow(e, a.profiles[fact.FollowerID], a.profiles[fact.FolloweeID], true)
	case domain.UserUnfollowed:
		a.addFollow(e, a.profiles[fact.FollowerID], a.profiles[fact.FolloweeID], false)
	}
	a.to, a.hash = e.Position, e.Hash()
}

func (a *accumulator) addUser(e event, fact domain.UserRegistered) {
	p := &readmodel.Profile{
		Key: readmodel.UserKey(e.Position), ID: fact.UserID,
		Username: fact.Username, JoinedAt: e.RecordedAt,
	}
	a.profiles[p.ID] = p
	a.markChanged(p)
}

func (a *accumulator) addChirp(e event, fact domain.ChirpPosted) {
	author := a.profiles[fact.AuthorID]
	a.markChanged(author)
	author.Chirps++
	delivery := readmodel.Push
	switch {
	case !author.Celebrity:
		a.push(author, e.Position)
	case author.PullSource:
		delivery = readmodel.Pull
	default:
		delivery = readmodel.Pull
		author.PullSource = true
		a.newPullSources = append(a.newPullSources, author)
	}
	a.posts = append(a.posts, post{author: author, Chirp: readmodel.Chirp{
		Position: e.Position, ID: fact.ChirpID, Author: author.Key,
		Content: fact.Content, PostedAt: e.RecordedAt, Delivery: delivery,
	}})
}

// celebrity reports whether a user with a number of followers is a celebrity,
// given whether the user was one before. A user stops being one only below 0.8 of
// the threshold, so that one whose followers vary around the threshold does not
// change back and forth.
func celebrity(was bool, followers, threshold int64) bool {
	if was {
		return followers >= threshold-threshold/5 // the smallest integer ≥ 0.8 × threshold
	}
	return followers >= threshold
}

func (a *accumulator) markChanged(p *readmodel.Profile) {
	if !a.isChanged[p] {
		a.isChanged[p] = true
		a.changed = append(a.changed, p)
	}
}

// batch returns the net effect of the events that were folded.
func (a *accumulator) batch() readmodel.Batch {
	b := readmodel.Batch{From: a.from, To: readmodel.Checkpoint{Position: a.to, Event: a.hash}}
	for _, p := range a.changed {
		b.Profiles = append(b.Profiles, *p)
	}
	for _, p := range a.posts {
		b.Chirps = append(b.Chirps, p.Chirp)
		if p.Delivery != readmodel.Push {
			continue
		}
		if p.author.Followers > 0 {
			b.FanOuts = append(b.FanOuts, readmodel.FanOut{
				Chirp: p.Position, Author: p.author.Key, Range: readmodel.Range{Through: a.to},
			})
		}
	}
	for _, p := range a.pairs {
		p.addTo(&b, p.followee.Pushed-a.pushed[p.followee])
	}
	for _, p := range a.newPullSources {
		b.Marks = append(b.Marks, readmodel.Mark{Followee: p.Key, Range: readmodel.Range{Through: a.from.Position}})
	}
	return b
}
