package views

import (
	"context"

	"chirp/internal/readmodel"
)

// Positions are the primary keys of both tables, so nothing is sorted.
const (
	recentChirps   = "SELECT " + chirpColumns + " FROM chirps WHERE position > ? AND position < ? ORDER BY position"
	recentProfiles = "SELECT " + profileColumns + " FROM profiles WHERE key > ? AND key < ? ORDER BY key"
)

// RecentChirps implements readmodel.Snapshot.
func (s *snapshot) RecentChirps(ctx context.Context, w readmodel.Window) ([]readmodel.Chirp, error) {
	return rows(ctx, s, "read recent chirps", func(c *conn) ([]readmodel.Chirp, error) {
		return collect(c, scanChirp, byDirection(w, recentChirps+" DESC LIMIT ?", recentChirps+" LIMIT ?"), int64(w.After), upperBound(w), w.Limit)
	})
}

// RecentProfiles implements readmodel.Snapshot.
func (s *snapshot) RecentProfiles(ctx context.Context, w readmodel.Window) ([]readmodel.Profile, error) {
	return rows(ctx, s, "read recent profiles", func(c *conn) ([]readmodel.Profile, error) {
		return collect(c, scanProfile, byDirection(w, recentProfiles+" DESC LIMIT ?", recentProfiles+" LIMIT ?"), int64(w.After), upperBound(w), w.Limit)
	})
}
