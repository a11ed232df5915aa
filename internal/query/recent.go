package query

import (
	"context"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// RecentChirps returns a page of all users' chirps, newest first.
func (r *Reader) RecentChirps(ctx context.Context, p Page) (Connection[readmodel.Chirp], error) {
	parsed, err := r.parsePage(ctx, p)
	if err != nil {
		return Connection[readmodel.Chirp]{}, err
	}
	rows, info, err := readPage(parsed, r.Checkpoint(), chirpAt, func(w readmodel.Window) ([]readmodel.Chirp, error) {
		return r.views.RecentChirps(ctx, w)
	})
	if err != nil {
		return Connection[readmodel.Chirp]{}, fmt.Errorf("read recent chirps: %w", err)
	}
	return r.chirps(rows, info), nil
}

// RecentUsers returns a page of all users, newest first.
func (r *Reader) RecentUsers(ctx context.Context, p Page) (Connection[readmodel.Profile], error) {
	parsed, err := r.parsePage(ctx, p)
	if err != nil {
		return Connection[readmodel.Profile]{}, err
	}
	rows, info, err := readPage(parsed, r.Checkpoint(), registeredAt, func(w readmodel.Window) ([]readmodel.Profile, error) {
		return r.views.RecentProfiles(ctx, w)
	})
	if err != nil {
		return Connection[readmodel.Profile]{}, fmt.Errorf("read recent users: %w", err)
	}
	edges := make([]Edge[readmodel.Profile], len(rows))
	for i, u := range rows {
		registered := domain.HashEvent(domain.UserStream(u.ID), u.JoinedAt)
		edges[i] = Edge[readmodel.Profile]{Node: u, Cursor: r.Cursor(registeredAt(u), registered)}
	}
	return Connection[readmodel.Profile]{Edges: edges, PageInfo: info}, nil
}

func registeredAt(u readmodel.Profile) domain.Position { return domain.Position(u.Key) }
