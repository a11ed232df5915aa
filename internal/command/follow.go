package command

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/domain/aggregate"
)

// FollowUser is the command to follow a user.
type FollowUser struct {
	Meta
	// Follower is the caller.
	Follower domain.UserID
	// Followee is the id of the user to follow, not yet parsed.
	Followee string
}

// UnfollowUser is the command to unfollow a user.
type UnfollowUser FollowUser

// Followed is the result of FollowUser and UnfollowUser.
type Followed struct {
	// RelationshipID identifies the two users' relationship. It stays the same
	// however often one follows and unfollows the other.
	RelationshipID string
	Followee       User
	Position       domain.Position
	// Repeated is set if an earlier call carried out the command.
	Repeated bool
}

// FollowUser lets one user follow another. A malformed followee or the follower's
// own id is Invalid, an unknown followee NotFound, a follower without an account
// Unauthenticated, and a followee whom the user already follows
// AlreadyFollowing.
func (h *Handler) FollowUser(ctx context.Context, c FollowUser) (Followed, error) {
	return h.changeFollow(ctx, c, "FollowUser", aggregate.FollowRelationship.Follow)
}

// UnfollowUser lets one user unfollow another. Its errors are those of
// FollowUser, but a followee whom the user does not follow is NotFollowing, which
// includes the user's own id.
func (h *Handler) UnfollowUser(ctx context.Context, c UnfollowUser) (Followed, error) {
	return h.changeFollow(ctx, FollowUser(c), "UnfollowUser", aggregate.FollowRelationship.Unfollow)
}

// changeFollow carries out either command; they differ in name and rule only.
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
		if err := h.checkCaller(ctx, c.Follower); err != nil {
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
