package graph

import (
	"context"

	"chirp/graph/model"
)

// RecentChirps is the resolver for the recentChirps field.
func (r *queryResolver) RecentChirps(ctx context.Context, first *int, after *string, last *int, before *string) (*model.ChirpConnection, error) {
	return recentChirps(ctx, newPage(first, after, last, before))
}

// RecentUsers is the resolver for the recentUsers field.
func (r *queryResolver) RecentUsers(ctx context.Context, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	return recentUsers(ctx, newPage(first, after, last, before))
}
