package views

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// page reads the rows that match and whose field at lies in a window. The index
// must return them in the order of that field.
func page[R any, D decoder[R]](ctx context.Context, s *snapshot, c *mongo.Collection, index string, match bson.D, at string, w readmodel.Window, project bson.D) ([]R, error) {
	if w.Limit < 1 {
		return nil, errNoLimit
	}
	bounds := bson.D{{Key: "$gt", Value: w.After}}
	if w.Before != 0 {
		bounds = append(bounds, bson.E{Key: "$lt", Value: w.Before})
	}
	o := options.Find().SetSort(bson.D{{Key: at, Value: direction(w)}}).SetLimit(int64(w.Limit)).SetHint(index)
	if project != nil {
		o.SetProjection(project)
	}
	return find[R, D](ctx, s, c, append(slices.Clip(match), bson.E{Key: at, Value: bounds}), o)
}

// direction returns a window's order, as MongoDB has it.
func direction(w readmodel.Window) int {
	if w.Ascending {
		return 1
	}
	return -1
}

// ChirpsBy implements readmodel.Snapshot.
func (s *snapshot) ChirpsBy(ctx context.Context, author readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	match := bson.D{{Key: "a", Value: author}, {Key: "d", Value: in([]readmodel.Delivery{readmodel.Push, readmodel.Pull})}}
	rows, err := page[chirpRow](ctx, s, s.c.chirps, authorIndex, match, "_id", w, keyOnly)
	return convert(rows, err, chirpRow.position)
}

// keyOnly is the projection of rows whose key an index alone answers.
var keyOnly = bson.D{{Key: "_id", Value: 1}}

// Timeline implements readmodel.Snapshot. The index alone answers it, because the rows
// are large.
func (s *snapshot) Timeline(ctx context.Context, owner readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	covered := bson.D{{Key: "_id", Value: 0}, {Key: "p", Value: 1}}
	rows, err := page[timelineRow](ctx, s, s.c.timelines, ownerIndex, bson.D{{Key: "o", Value: owner}}, "p", w, covered)
	return convert(rows, err, func(r timelineRow) domain.Position { return domain.Position(r.Chirp) })
}

// Followers implements readmodel.Snapshot.
func (s *snapshot) Followers(ctx context.Context, followee readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	rows, err := page[followRow](ctx, s, s.c.follows, followersIndex, bson.D{{Key: "e", Value: followee}}, "s", w, nil)
	return convert(rows, err, followRow.follow)
}

// Following implements readmodel.Snapshot.
func (s *snapshot) Following(ctx context.Context, follower readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	rows, err := page[followRow](ctx, s, s.c.follows, followingIndex, bson.D{{Key: "r", Value: follower}}, "s", w, nil)
	return convert(rows, err, followRow.follow)
}

// RecentChirps implements readmodel.Snapshot.
func (s *snapshot) RecentChirps(ctx context.Context, w readmodel.Window) ([]domain.Position, error) {
	rows, err := page[chirpRow](ctx, s, s.c.chirps, keyIndex, bson.D{}, "_id", w, keyOnly)
	return convert(rows, err, chirpRow.position)
}

// RecentProfiles implements readmodel.Snapshot.
func (s *snapshot) RecentProfiles(ctx context.Context, w readmodel.Window) ([]readmodel.Profile, error) {
	rows, err := page[profileRow](ctx, s, s.c.profiles, keyIndex, bson.D{}, "_id", w, nil)
	return convert(rows, err, profileRow.profile)
}
