package graph

import (
	"context"

	"chirp/graph/model"
)

// Feed is the resolver for the feed field.
func (r *queryResolver) Feed(ctx context.Context, first *int, after *string, last *int, before *string) (*model.ChirpConnection, error) {
	viewer, err := requireCaller(ctx)
	if err != nil {
		return nil, err
	}
	return feed(ctx, viewer, newPage(first, after, last, before))
}

// FeedChirpAdded is the resolver for the feedChirpAdded field.
func (r *subscriptionResolver) FeedChirpAdded(ctx context.Context, after *string) (<-chan *model.ChirpEdge, error) {
	viewer, err := requireCaller(ctx)
	if err != nil {
		return nil, err
	}
	return r.watchFeed(ctx, viewer, after)
}
