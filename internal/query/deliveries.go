package query

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// PostDeliveries returns how many timeline entries a chirp would add if the author
// posted it now. The first chirp that is not pushed changes as many follows instead.
func (r *Reader) PostDeliveries(ctx context.Context, author domain.UserID) (int64, error) {
	p, err := r.Profile(ctx, author)
	if err != nil || p.Celebrity && p.PullSource {
		return 0, err
	}
	return p.Followers, nil
}

// FollowDeliveries returns how many timeline entries a follow of a user adds now.
func (r *Reader) FollowDeliveries(ctx context.Context, followee domain.UserID) (int64, error) {
	p, err := r.Profile(ctx, followee)
	return p.Pushed - p.Split.Skipped, err
}

// UnfollowDeliveries returns how many timeline entries an unfollow would remove; 0 if
// the user does not follow the other.
func (r *Reader) UnfollowDeliveries(ctx context.Context, follower, followee domain.UserID) (int64, error) {
	a, err := r.Profile(ctx, follower)
	if err != nil {
		return 0, err
	}
	b, err := r.Profile(ctx, followee)
	if err != nil {
		return 0, err
	}
	rows, err := r.views.Follows(ctx, a.Key, []readmodel.UserKey{b.Key})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return b.Pushed - rows[0].Skipped, nil
}
