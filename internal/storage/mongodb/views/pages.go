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
func page[R any](ctx context.Context, s *snapshot, c *mongo.Collection, index string, match bson.D, at string, w readmodel.Window, project bson.D) ([]R, error) {
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
	return find[R](ctx, s, c, append(slices.Clip(match), bson.E{Key: at, Value: bounds}), o)
}

// direction returns a window's order, as MongoDB has it.
func direction(w readmodel.Window) int {
	if w.Ascending {
		return 1
	}
	return -1
}

// ChirpsBy implements readmodel.Snapshot.
func (s *snapshot) ChirpsBy(ctx context.Context, author readmodel.UserKey, w readmodel.Window) ([]readmodel.Chirp, error) {
	match := bson.D{{Key: "a", Value: author}, {Key: "d", Value: in([]readmodel.Delivery{readmodel.Push, readmodel.Pull})}}
	rows, err := page[chirpRow](ctx, s, s.c.chirps, authorIndex, match, "_id", w, nil)
	return convert(rows, err, chirpRow.chirp)
}

// Timeline implements readmodel.Snapshot. It reads the positions from the index
// alone, because the rows are large, and then the chirps by key. It skips chirps
// whose row is not there yet.
func (s *snapshot) Timeline(ctx context.Context, owner readmodel.UserKey, w readmodel.Window) ([]readmodel.Chirp, error) {
	var out []readmodel.Chirp
	for rest := w; ; rest.Limit = w.Limit - len(out) {
		positions, err := s.timelinePositions(ctx, owner, rest)
		if err != nil {
			return nil, err
		}
		chirps, err := s.chirpsAt(ctx, positions)
		if err != nil {
			return nil, err
		}
		out = append(out, chirps...)
		if len(positions) < rest.Limit || len(out) == w.Limit {
			return out, nil
		}
		last := domain.Position(positions[len(positions)-1])
		if w.Ascending {
			rest.After = last
		} else {
			rest.Before = last
		}
	}
}

// timelinePositions returns the positions of a timeline's chirps.
func (s *snapshot) timelinePositions(ctx context.Context, owner readmodel.UserKey, w readmodel.Window) ([]int64, error) {
	covered := bson.D{{Key: "_id", Value: 0}, {Key: "p", Value: 1}}
	rows, err := page[timelineRow](ctx, s, s.c.timelines, ownerIndex, bson.D{{Key: "o", Value: owner}}, "p", w, covered)
	return convert(rows, err, func(r timelineRow) int64 { return r.Chirp })
}

// chirpsAt returns the chirps at some positions, in the order of the positions.
func (s *snapshot) chirpsAt(ctx context.Context, positions []int64) ([]readmodel.Chirp, error) {
	rows, err := findKeys[chirpRow](ctx, s, s.c.chirps, "_id", positions, options.Find())
	if err != nil {
		return nil, err
	}
	at := make(map[int64]chirpRow, len(rows))
	for _, r := range rows {
		at[r.Position] = r
	}
	chirps := make([]readmodel.Chirp, 0, len(rows))
	for _, p := range positions {
		if r, ok := at[p]; ok {
			chirps = append(chirps, r.chirp())
		}
	}
	return chirps, nil
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
func (s *snapshot) RecentChirps(ctx context.Context, w readmodel.Window) ([]readmodel.Chirp, error) {
	rows, err := page[chirpRow](ctx, s, s.c.chirps, keyIndex, bson.D{}, "_id", w, nil)
	return convert(rows, err, chirpRow.chirp)
}

// RecentProfiles implements readmodel.Snapshot.
func (s *snapshot) RecentProfiles(ctx context.Context, w readmodel.Window) ([]readmodel.Profile, error) {
	rows, err := page[profileRow](ctx, s, s.c.profiles, keyIndex, bson.D{}, "_id", w, nil)
	return convert(rows, err, profileRow.profile)
}
