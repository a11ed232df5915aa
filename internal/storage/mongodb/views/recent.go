package views

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/readmodel"
)

// keyIndex is the index on _id, which every collection has.
const keyIndex = "_id_"

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
