package views

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Positions are the primary keys of both tables, so nothing is sorted.
const (
	recentChirps   = "SELECT position FROM chirps WHERE position > ? AND position < ? ORDER BY position"
	recentProfiles = "SELECT " + profileColumns + " FROM profiles WHERE key > ? AND key < ? ORDER BY key"
)

// RecentChirps implements readmodel.Snapshot.
func (s *snapshot) RecentChirps(ctx context.Context, w readmodel.Window) ([]domain.Position, error) {
	return rows(ctx, s, "read recent chirps", func(c *conn) ([]domain.Position, error) {
		return collect(c, scanOne[domain.Position], byDirection(w, recentChirps+" DESC LIMIT ?", recentChirps+" LIMIT ?"), int64(w.After), upperBound(w), w.Limit)
	})
}

// RecentProfiles implements readmodel.Snapshot.
func (s *snapshot) RecentProfiles(ctx context.Context, w readmodel.Window) ([]readmodel.Profile, error) {
	return rows(ctx, s, "read recent profiles", func(c *conn) ([]readmodel.Profile, error) {
		return collect(c, scanProfile, byDirection(w, recentProfiles+" DESC LIMIT ?", recentProfiles+" LIMIT ?"), int64(w.After), upperBound(w), w.Limit)
	})
}
