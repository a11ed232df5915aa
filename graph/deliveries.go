package graph

import (
	"context"
	"time"

	"chirp/graph/model"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/query"
)

const (
	// effectTimeout bounds how long a mutation waits for what the views know about its
	// effect. A mutation itself does not depend on the views, and keeps others waiting.
	effectTimeout = 100 * time.Millisecond
	// unknownFollow is the effect of a follow while the views cannot be read: no follow
	// delivers as many.
	unknownFollow = 64
	// maxUnfollow is the most that an unfollow is charged, because the authors of the
	// chirps that it removes have paid for delivering them.
	maxUnfollow = 1000
)

// Effect returns how many timeline entries a mutation with an input adds or removes, as
// far as the views know, and whom it lets the caller follow or unfollow. If the views
// cannot be read, it returns no deliveries except for a follow: chirps and unfollows are
// limited in other ways. It is guard.Config.Effect.
func (r *Resolver) Effect(ctx context.Context, input any) (deliveries int64, followee string) {
	caller, ok := auth.Caller(ctx)
	if !ok {
		return 0, ""
	}
	switch input := input.(type) {
	case model.PostChirpInput:
		return r.deliveries(ctx, caller, 0, (*query.Reader).PostDeliveries), ""
	case model.FollowUserInput:
		return r.followEffect(ctx, input.UserID, unknownFollow, (*query.Reader).FollowDeliveries)
	case model.UnfollowUserInput:
		return r.followEffect(ctx, input.UserID, 0, func(views *query.Reader, ctx context.Context, followee domain.UserID) (int64, error) {
			n, err := views.UnfollowDeliveries(ctx, caller, followee)
			return min(n, maxUnfollow), err
		})
	default:
		return 0, ""
	}
}

// followEffect returns the effect of a follow or an unfollow. One of an id that is not
// valid has none, because it is refused.
func (r *Resolver) followEffect(ctx context.Context, id string, unknown int64, read deliveriesOf) (deliveries int64, followee string) {
	user, err := domain.ParseUserID(id)
	if err != nil {
		return 0, ""
	}
	return r.deliveries(ctx, user, unknown, read), string(user)
}

// deliveriesOf is a method of query.Reader that counts the deliveries of a mutation
// about a user.
type deliveriesOf func(*query.Reader, context.Context, domain.UserID) (int64, error)

// deliveries reads a number of deliveries from the views as they are: 0 if they don't
// show the user, and unknown if they cannot be read.
func (r *Resolver) deliveries(ctx context.Context, user domain.UserID, unknown int64, read deliveriesOf) int64 {
	ctx, cancel := context.WithTimeout(ctx, effectTimeout)
	defer cancel()
	views, err := r.snapshots.queries.Open(ctx, 0)
	if err != nil {
		return unknown
	}
	defer views.Close()
	n, err := read(views, ctx, user)
	switch {
	case err == nil:
		return n
	case domain.KindOf(err) == domain.NotFound:
		return 0
	default:
		return unknown
	}
}
