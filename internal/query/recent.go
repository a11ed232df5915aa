package query

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// RecentChirps returns a page of all users' chirps, newest first.
func (r *Reader) RecentChirps(ctx context.Context, p Page) (Connection[readmodel.Chirp], error) {
	return r.chirpPage(ctx, p, "recent chirps", func(w readmodel.Window) ([]domain.Position, error) {
		return r.views.RecentChirps(ctx, w)
	})
}

// RecentUsers returns a page of all users, newest first.
func (r *Reader) RecentUsers(ctx context.Context, p Page) (Connection[readmodel.User], error) {
	rows, info, err := readPage(ctx, r, p, "recent users", registeredAt, func(w readmodel.Window) ([]readmodel.Profile, error) {
		return r.views.RecentProfiles(ctx, w)
	})
	edges := make([]Edge[readmodel.User], len(rows))
	for i, u := range rows {
		r.remember(ctx, u)
		registered := domain.HashEvent(domain.UserStream(u.ID), u.JoinedAt)
		edges[i] = Edge[readmodel.User]{Node: u.User(), Cursor: r.Cursor(registeredAt(u), registered)}
	}
	return Connection[readmodel.User]{Edges: edges, PageInfo: info}, err
}

func registeredAt(u readmodel.Profile) domain.Position { return domain.Position(u.Key) }
