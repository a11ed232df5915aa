package verify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"chirp/internal/audit"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// fold is the state that the log implies at a position. It keeps a 64-bit hash of a
// text that it needs only to compare. For ten million events, the probability that two
// hashes collide and cause a false difference is a few in a million.
type fold struct {
	threshold int64
	report    func(Difference)
	reported  bool // a difference in the append that has begun, or just before it
	seed      maphash.Seed

	at      domain.Position
	users   map[domain.UserID]*user
	order   []*user // by key
	chirps  int64
	follows int64

	names    map[string]domain.UserID // by folded name: the user who registered with it
	reserved map[string]domain.UserID // by folded name: the user it is reserved for
	// identities holds the user of each external identity, by its stream.
	identities map[domain.StreamID]domain.UserID
	audit      *audit.Audit
}

// user is what the views must hold about one user.
type user struct {
	readmodel.Profile
	posts     []post
	following map[*user]domain.Position // since when
	followers []edge                    // as listFollowers left them
}

// post is a chirp.
type post struct {
	at     domain.Position
	sum    uint64 // the hash of its id, content and time
	pushed int32  // the number of pushed chirps so far
	pull   bool
}

// edge is one end of a follow.
type edge struct {
	since domain.Position
	user  *user // the other end
}

func (u *user) String() string { return fmt.Sprintf("@%s (user %d)", u.Username, u.Key) }

func newFold(threshold int64, report func(Difference)) *fold {
	f := &fold{
		threshold: threshold, seed: maphash.MakeSeed(),
		users: make(map[domain.UserID]*user), names: make(map[string]domain.UserID), reserved: make(map[string]domain.UserID),
		identities: make(map[domain.StreamID]domain.UserID), audit: audit.New(),
	}
	f.report = func(d Difference) {
		f.reported = true
		report(d)
	}
	return f
}

// hash returns a hash of some texts. It hashes each text's length as well, so that
// the boundaries between them count.
func (f *fold) hash(texts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(f.seed)
	for _, s := range texts {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		_, _ = h.Write(n[:]) // neither can fail
		_, _ = h.WriteString(s)
	}
	return h.Sum64()
}

// sum returns the hash of the fields of a chirp that the fold does not keep.
func (f *fold) sum(id domain.ChirpID, content domain.Content, postedAt time.Time) uint64 {
	return f.hash(string(id), string(content), postedAt.UTC().Format(time.RFC3339Nano))
}

// apply folds one event. It returns an error that says why, if the event does not
// fit those before it.
func (f *fold) apply(e eventstore.Event, fact domain.Event) error {
	switch fact := fact.(type) {
	case domain.UserRegistered:
		f.checkFirst(e, fact)
		return f.register(e, fact)
	case domain.UsernameReserved:
		f.checkFirst(e, fact)
		return claim(f.reserved, fact.Username, fact.UserID)
	case domain.IdentityReserved:
		f.checkFirst(e, fact)
		return f.identify(fact)
	case domain.ChirpPosted:
		f.checkFirst(e, fact)
		author := f.users[fact.AuthorID]
		if author == nil {
			return fmt.Errorf("a chirp by %s, who is not registered", fact.AuthorID)
		}
		f.post(e, author, fact)
		return nil
	case domain.UserFollowed:
		return f.follow(e.Position, fact.FollowerID, fact.FolloweeID)
	case domain.UserUnfollowed:
		return f.unfollow(fact.FollowerID, fact.FolloweeID)
	default:
		return errors.New("an event that verification does not know")
	}
}

func (f *fold) register(e eventstore.Event, fact domain.UserRegistered) error {
	if f.users[fact.UserID] != nil {
		return fmt.Errorf("a second registration of %s", fact.UserID)
	}
	u := &user{Profile: readmodel.Profile{
		Key: readmodel.UserKey(e.Position), ID: fact.UserID, Username: fact.Username, JoinedAt: e.RecordedAt,
	}}
	f.users[fact.UserID] = u
	f.order = append(f.order, u)
	return claim(f.names, fact.Username, fact.UserID)
}

// claim records the user of a name, or returns an error if it has one.
func claim(names map[string]domain.UserID, name domain.Username, id domain.UserID) error {
	if owner, taken := names[name.Folded()]; taken {
		return fmt.Errorf("the name %q for %s, though it is that of %s", name, id, owner)
	}
	names[name.Folded()] = id
	return nil
}

// identify records the user of an external identity, or returns an error if it has
// one.
func (f *fold) identify(fact domain.IdentityReserved) error {
	stream := domain.IdentityStream(fact.Identity())
	if owner, taken := f.identities[stream]; taken {
		return fmt.Errorf("an identity for %s, though it is that of %s", fact.UserID, owner)
	}
	f.identities[stream] = fact.UserID
	return nil
}

func (f *fold) post(e eventstore.Event, author *user, fact domain.ChirpPosted) {
	author.Chirps++
	f.chirps++
	if author.Celebrity {
		author.PullSource = true // for good, although the author may stop being a celebrity
	} else {
		author.Pushed++
	}
	author.posts = append(author.posts, post{
		at: e.Position, sum: f.sum(fact.ChirpID, fact.Content, e.RecordedAt), pushed: int32(author.Pushed), pull: author.Celebrity,
	})
}

// pair returns both ends of a follow.
func (f *fold) pair(follower, followee domain.UserID) (*user, *user, error) {
	a, b := f.users[follower], f.users[followee]
	switch {
	case a == nil:
		return nil, nil, fmt.Errorf("a follower %s who is not registered", follower)
	case b == nil:
		return nil, nil, fmt.Errorf("a followee %s who is not registered", followee)
	case a == b:
		return nil, nil, fmt.Errorf("%s and themself", a)
	}
	return a, b, nil
}

// follow makes the followee a celebrity at the threshold; unfollow ends that only below
// 80 % of it, so that a user near the threshold does not change back and forth.
func (f *fold) follow(at domain.Position, follower, followee domain.UserID) error {
	a, b, err := f.pair(follower, followee)
	if err != nil {
		return err
	}
	if since, follows := a.following[b]; follows {
		return fmt.Errorf("a follow of %s by %s, who has followed them since position %d", b, a, since)
	}
	if a.following == nil {
		a.following = make(map[*user]domain.Position)
	}
	a.following[b] = at
	a.Following++
	b.Followers++
	f.follows++
	if b.Followers >= f.threshold {
		b.Celebrity = true
	}
	return nil
}

func (f *fold) unfollow(follower, followee domain.UserID) error {
	a, b, err := f.pair(follower, followee)
	if err != nil {
		return err
	}
	if _, follows := a.following[b]; !follows {
		return fmt.Errorf("an unfollow of %s by %s, who does not follow them", b, a)
	}
	delete(a.following, b)
	a.Following--
	b.Followers--
	f.follows--
	if below80Percent(b.Followers, f.threshold) {
		b.Celebrity = false
	}
	return nil
}

// below80Percent reports whether a celebrity loses that status: it does when its
// followers fall below 80 % of the threshold. It caps a threshold that no number of
// followers reaches, because four times it must not overflow.
func below80Percent(followers, threshold int64) bool {
	return 5*followers < 4*min(threshold, 1<<60)
}

// listFollowers sets each user's followers from what the users follow.
func (f *fold) listFollowers() {
	for _, u := range f.order {
		u.followers = u.followers[:0]
	}
	for _, u := range f.order {
		for followee, since := range u.following {
			followee.followers = append(followee.followers, edge{since, u})
		}
	}
}
