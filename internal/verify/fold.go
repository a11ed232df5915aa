package verify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
)

// fold is what the log says up to a position. Where it needs a text only to
// tell it from others it keeps a hash: a false alarm by one is as likely as one
// in millions for ten million events.
type fold struct {
	threshold int64
	report    func(Difference)
	seed      maphash.Seed

	at      domain.Position
	users   map[domain.UserID]*user
	order   []*user // by key
	chirps  int64
	follows int64

	names    map[string]domain.UserID // by folded name: who registered with it
	reserved map[string]domain.UserID // by folded name: whom it was reserved for
	// identities says whose each external identity is, by its stream.
	identities map[domain.StreamID]domain.UserID
	versions   map[uint64]int64 // by stream
	commands   map[uint64]struct{}
	command    uint64 // of the event before
}

// user is one user's rows.
type user struct {
	readmodel.Profile
	posts     []post
	following map[*user]domain.Position // since when
	followers []edge                    // as listFollowers left them
}

// post is a chirp, without what a hash stands for.
type post struct {
	at   domain.Position
	sum  uint64
	pull bool
}

// edge is one end of a follow.
type edge struct {
	since domain.Position
	user  *user // the other end
}

func (u *user) String() string { return fmt.Sprintf("@%s (user %d)", u.Username, u.Key) }

func newFold(threshold int64, report func(Difference)) *fold {
	return &fold{
		threshold: threshold, report: report, seed: maphash.MakeSeed(),
		users: make(map[domain.UserID]*user), names: make(map[string]domain.UserID), reserved: make(map[string]domain.UserID),
		identities: make(map[domain.StreamID]domain.UserID),
		versions:   make(map[uint64]int64), commands: make(map[uint64]struct{}),
	}
}

// hash gives a number that stands for some texts.
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

// sum stands for those fields of a chirp that the fold does not keep.
func (f *fold) sum(id domain.ChirpID, content domain.Content, postedAt time.Time) uint64 {
	return f.hash(string(id), string(content), postedAt.UTC().Format(time.RFC3339Nano))
}

// apply folds one event, or says why it does not fit those before it.
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

// claim notes whose a name is.
func claim(names map[string]domain.UserID, name domain.Username, id domain.UserID) error {
	if owner, taken := names[name.Folded()]; taken {
		return fmt.Errorf("the name %q for %s, though it is that of %s", name, id, owner)
	}
	names[name.Folded()] = id
	return nil
}

// identify notes whose an external identity is.
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
		author.PullSource = true
	} else {
		author.Pushed++
	}
	author.posts = append(author.posts, post{
		at: e.Position, sum: f.sum(fact.ChirpID, fact.Content, e.RecordedAt), pull: author.Celebrity,
	})
}

// pair finds both ends of a follow.
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

// below80Percent compares in whole numbers. A threshold that no number of
// followers comes near is cut, for its multiple must fit.
func below80Percent(followers, threshold int64) bool {
	return 5*followers < 4*min(threshold, 1<<60)
}

// listFollowers turns the follows round.
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
