package query

import (
	"context"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// RecentChirps gives a page of everybody's chirps.
func (r *Reader) RecentChirps(ctx context.Context, p Page) (Connection[readmodel.Chirp], error) {
	s, err := r.slice(ctx, p)
	if err != nil {
		return Connection[readmodel.Chirp]{}, err
	}
	rows, around, err := readPage(s, r.Checkpoint(), chirpAt, func(w readmodel.Window) ([]readmodel.Chirp, error) {
		return r.views.RecentChirps(ctx, w)
	})
	if err != nil {
		return Connection[readmodel.Chirp]{}, fmt.Errorf("read recent chirps: %w", err)
	}
	return r.chirps(rows, around), nil
}

// RecentUsers gives a page of all users, who registered last first.
func (r *Reader) RecentUsers(ctx context.Context, p Page) (Connection[readmodel.Profile], error) {
	s, err := r.slice(ctx, p)
	if err != nil {
		return Connection[readmodel.Profile]{}, err
	}
	rows, around, err := readPage(s, r.Checkpoint(), registeredAt, func(w readmodel.Window) ([]readmodel.Profile, error) {
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
	return Connection[readmodel.Profile]{Edges: edges, Around: around}, nil
}

func registeredAt(u readmodel.Profile) domain.Position { return domain.Position(u.Key) }
