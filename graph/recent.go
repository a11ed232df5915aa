package graph

import (
	"context"

	"chirp/graph/model"
	"chirp/internal/query"
)

func recentChirps(ctx context.Context, p query.Page) (*model.ChirpConnection, error) {
	return withSnapshot(ctx, 0, func(l *viewerSnapshot) (*model.ChirpConnection, error) {
		rows, err := l.RecentChirps(ctx, p)
		if err != nil {
			return nil, err
		}
		return chirpConnection(l, rows), nil
	})
}

func recentUsers(ctx context.Context, p query.Page) (*model.UserConnection, error) {
	return withSnapshot(ctx, 0, func(l *viewerSnapshot) (*model.UserConnection, error) {
		rows, err := l.RecentUsers(ctx, p)
		if err != nil {
			return nil, err
		}
		return userConnection(l, rows), nil
	})
}
