package aggregate

import "chirp/internal/domain"

// FollowRelationship is whether one user follows another. It comes and goes
// any number of times; the zero value is that of two users who never met.
type FollowRelationship struct {
	Following bool
}

// LoadFollowRelationship folds the events of the stream of the two.
func LoadFollowRelationship(events []domain.Event) FollowRelationship {
	var f FollowRelationship
	fold(events, f.apply)
	return f
}

// Follow decides on beginning to follow. To follow oneself is Invalid, to
// follow twice AlreadyFollowing.
func (f FollowRelationship) Follow(follower, followee domain.UserID) ([]domain.Event, error) {
	if follower == followee {
		return nil, domain.Errorf(domain.Invalid, "you cannot follow yourself; name another user")
	}
	if f.Following {
		return nil, domain.Errorf(domain.AlreadyFollowing, "you follow user %s already", followee)
	}
	return []domain.Event{domain.UserFollowed{FollowerID: follower, FolloweeID: followee}}, nil
}

// Unfollow decides on ceasing to follow, which is NotFollowing for whoever
// does not follow; nobody follows themself.
func (f FollowRelationship) Unfollow(follower, followee domain.UserID) ([]domain.Event, error) {
	if !f.Following {
		return nil, domain.Errorf(domain.NotFollowing, "you do not follow user %s", followee)
	}
	return []domain.Event{domain.UserUnfollowed{FollowerID: follower, FolloweeID: followee}}, nil
}

func (f *FollowRelationship) apply(e domain.FollowEvent) {
	switch e.(type) {
	case domain.UserFollowed:
		f.Following = true
	case domain.UserUnfollowed:
		f.Following = false
	}
}
