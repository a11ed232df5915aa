package aggregate_test

import (
	"reflect"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
)

const (
	ann   = domain.UserID("user_01h455vb4pex5vsknk084sn02q")
	bob   = domain.UserID("user_01h455vb4pex5vsknk084sn02r")
	hello = domain.ChirpID("chirp_01h455vb4pex5vsknk084sn02q")
	other = domain.ChirpID("chirp_01h455vb4pex5vsknk084sn02r")
)

type events = []domain.Event

// rule is one case: given events, when a command is decided, then events, or a
// refusal of a kind.
type rule struct {
	name  string
	given events
	when  func(given events) (events, error)
	then  events
	kind  domain.Kind // of the refusal, when then is nil
}

func checkRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			got, err := r.when(r.given)
			if r.then != nil {
				if err != nil || !reflect.DeepEqual(got, r.then) {
					t.Errorf("got %#v, error %v; want %#v", got, err, r.then)
				}
				return
			}
			if err == nil || domain.KindOf(err) != r.kind || got != nil {
				t.Errorf("got %#v, error %v of kind %d; want kind %d", got, err, domain.KindOf(err), r.kind)
			}
		})
	}
}

func TestUserRegister(t *testing.T) {
	register := func(id domain.UserID, name domain.Username) func(events) (events, error) {
		return func(given events) (events, error) { return aggregate.LoadUser(given).Register(id, name) }
	}
	registered := events{
		domain.UserRegistered{UserID: bob, Username: "Bob"},
		domain.UsernameReserved{UserID: bob, Username: "Bob"},
	}
	checkRules(t, []rule{
		{"a free name is registered and reserved", nil, register(bob, "Bob"), registered, 0},
		{"a reserved name is taken", events{domain.UsernameReserved{UserID: ann, Username: "bob"}}, register(bob, "Bob"), nil, domain.UsernameTaken},
		{"one's own name is taken too", registered[1:], register(bob, "Bob"), nil, domain.UsernameTaken},
		{"an account registers once", registered[:1], register(bob, "Robert"), nil, domain.UsernameTaken},
	})
}

func TestIdentityReserve(t *testing.T) {
	who := domain.Identity{Issuer: "https://issuer.example", Subject: "1"}
	reserve := func(id domain.UserID) func(events) (events, error) {
		return func(given events) (events, error) { return aggregate.LoadIdentity(given).Reserve(id, who) }
	}
	reserved := events{domain.IdentityReserved{UserID: bob, Issuer: who.Issuer, Subject: who.Subject}}
	checkRules(t, []rule{
		{"a free identity is reserved", nil, reserve(bob), reserved, 0},
		{"one with an account is not", reserved, reserve(ann), nil, domain.Conflict},
		{"not even for the same user", reserved, reserve(bob), nil, domain.Conflict},
	})
}

func TestChirpPost(t *testing.T) {
	post := func(id domain.ChirpID) func(events) (events, error) {
		return func(given events) (events, error) { return aggregate.LoadChirp(given).Post(id, ann, "hi") }
	}
	posted := events{domain.ChirpPosted{ChirpID: hello, AuthorID: ann, Content: "hi"}}
	checkRules(t, []rule{
		{"a new chirp is posted", nil, post(hello), posted, 0},
		{"a posted one is not posted again", posted, post(hello), nil, domain.Internal},
		{"not even under another id", posted, post(other), nil, domain.Internal},
	})
}

func TestFollowRelationship(t *testing.T) {
	follow := func(given events) (events, error) {
		return aggregate.LoadFollowRelationship(given).Follow(ann, bob)
	}
	unfollow := func(given events) (events, error) {
		return aggregate.LoadFollowRelationship(given).Unfollow(ann, bob)
	}
	followed := domain.UserFollowed{FollowerID: ann, FolloweeID: bob}
	unfollowed := domain.UserUnfollowed{FollowerID: ann, FolloweeID: bob}
	checkRules(t, []rule{
		{"strangers: follow", nil, follow, events{followed}, 0},
		{"strangers: unfollow", nil, unfollow, nil, domain.NotFollowing},
		{"following: follow", events{followed}, follow, nil, domain.AlreadyFollowing},
		{"following: unfollow", events{followed}, unfollow, events{unfollowed}, 0},
		{"parted: follow", events{followed, unfollowed}, follow, events{followed}, 0},
		{"parted: unfollow", events{followed, unfollowed}, unfollow, nil, domain.NotFollowing},
		{"together again: follow", events{followed, unfollowed, followed}, follow, nil, domain.AlreadyFollowing},
		{"together again: unfollow", events{followed, unfollowed, followed}, unfollow, events{unfollowed}, 0},
		{"oneself: follow", nil, func(given events) (events, error) {
			return aggregate.LoadFollowRelationship(given).Follow(ann, ann)
		}, nil, domain.Invalid},
		{"oneself: unfollow", nil, func(given events) (events, error) {
			return aggregate.LoadFollowRelationship(given).Unfollow(ann, ann)
		}, nil, domain.NotFollowing},
	})
}

func TestLoadGivesTheState(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"no user", aggregate.LoadUser(nil), aggregate.User{}},
		{"a user from the account", aggregate.LoadUser(events{domain.UserRegistered{UserID: ann, Username: "Ann"}}), aggregate.User{ID: ann, Username: "Ann"}},
		{"a user from the reservation", aggregate.LoadUser(events{domain.UsernameReserved{UserID: ann, Username: "Ann"}}), aggregate.User{ID: ann, Username: "Ann"}},
		{"no identity", aggregate.LoadIdentity(nil), aggregate.Identity{}},
		{"an identity", aggregate.LoadIdentity(events{domain.IdentityReserved{UserID: ann, Issuer: "https://i.example", Subject: "1"}}), aggregate.Identity{User: ann}},
		{"no chirp", aggregate.LoadChirp(nil), aggregate.Chirp{}},
		{"a chirp", aggregate.LoadChirp(events{domain.ChirpPosted{ChirpID: hello, AuthorID: ann, Content: "hi"}}), aggregate.Chirp{ID: hello, Author: ann, Content: "hi"}},
		{"no follow", aggregate.LoadFollowRelationship(nil), aggregate.FollowRelationship{}},
		{"a follow", aggregate.LoadFollowRelationship(events{domain.UserFollowed{FollowerID: ann, FolloweeID: bob}}), aggregate.FollowRelationship{Following: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("got %+v, want %+v", c.got, c.want)
			}
		})
	}
}
