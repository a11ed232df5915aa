package aggregate

import "chirp/internal/domain"

// FollowRelationship says whether one user follows another. It may begin and end
// any number of times. The zero value is a user who has never followed the other.
type FollowRelationship struct {
	Following bool
}

// LoadFollowRelationship folds the events of the two users' stream.
func LoadFollowRelationship(events []domain.Event) FollowRelationship {
	var f FollowRelationship
	fold(events, f.apply)
	return f
}

// Follow decides on following a user. Following oneself is Invalid, and
// following a user twice AlreadyFollowing.
func (f FollowRelationship) Follow(follower, followee domain.UserID) ([]domain.Event, error) {
	if follower == followee {
		return nil, domain.Errorf(domain.Invalid, "you cannot follow yourself; name another user")
	}
	if f.Following {
		return nil, domain.Errorf(domain.AlreadyFollowing, "you already follow user %s", followee)
	}
	return []domain.Event{domain.UserFollowed{FollowerID: follower, FolloweeID: followee}}, nil
}

// Unfollow decides on unfollowing a user. It is NotFollowing if the follower
// does not follow the followee, which includes oneself.
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
