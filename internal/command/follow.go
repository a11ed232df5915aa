package command

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
)

// FollowUser asks to follow a user.
type FollowUser struct {
	Meta
	// Follower is who is calling.
	Follower domain.UserID
	// Followee is a user's id, as the caller wrote it.
	Followee string
}

// UnfollowUser asks to cease to follow a user.
type UnfollowUser FollowUser

// Followed is the answer to FollowUser and UnfollowUser.
type Followed struct {
	// RelationshipID names the two users' relationship; it is the same however
	// often it comes and goes.
	RelationshipID string
	Followee       User
	Position       domain.Position
	// Repeated is set when an earlier call did it.
	Repeated bool
}

// FollowUser makes one user follow another. A malformed followee or the
// follower's own id is Invalid, an unknown followee NotFound, a follower
// without an account Unauthenticated, and a followee followed already
// AlreadyFollowing.
func (h *Handler) FollowUser(ctx context.Context, c FollowUser) (Followed, error) {
	return h.changeFollow(ctx, c, "FollowUser", aggregate.FollowRelationship.Follow)
}

// UnfollowUser makes one user cease to follow another. Its errors are those of
// FollowUser, with NotFollowing for a followee who is not followed, which a
// user's own id never is.
func (h *Handler) UnfollowUser(ctx context.Context, c UnfollowUser) (Followed, error) {
	return h.changeFollow(ctx, FollowUser(c), "UnfollowUser", aggregate.FollowRelationship.Unfollow)
}

// changeFollow carries out either command; only the name and the rule differ.
func (h *Handler) changeFollow(ctx context.Context, c FollowUser, name string,
	rule func(f aggregate.FollowRelationship, follower, followee domain.UserID) ([]domain.Event, error),
) (Followed, error) {
	id, err := domain.ParseUserID(c.Followee)
	if err != nil {
		return Followed{}, err
	}
	x, err := h.newExecution(c.Meta, string(c.Follower), name, string(id))
	if err != nil {
		return Followed{}, err
	}
	var followee User
	x.decide = func(ctx context.Context, d *decision) ([]domain.Event, error) {
		if err := h.acting(ctx, c.Follower); err != nil {
			return nil, err
		}
		var err error
		if followee, err = h.User(ctx, id); err != nil {
			return nil, err
		}
		events, err := d.load(ctx, domain.FollowStream(c.Follower, id))
		if err != nil {
			return nil, err
		}
		return rule(aggregate.LoadFollowRelationship(events), c.Follower, id)
	}
	commit, err := h.execute(ctx, x)
	if err != nil {
		return Followed{}, err
	}
	return Followed{
		RelationshipID: string(commit.Events[0].Stream), Followee: followee,
		Position: commit.Position(), Repeated: commit.Repeated,
	}, nil
}
