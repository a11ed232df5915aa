package main

import (
	"context"
	"fmt"
	"iter"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/subscription"
)

// recorded is the log as the hub follows it.
func (a *app) recorded(ctx context.Context, after domain.Position) iter.Seq2[[]subscription.Recorded, error] {
	return func(yield func([]subscription.Recorded, error) bool) {
		for events, err := range a.store.Log().Follow(ctx, after) {
			var batch []subscription.Recorded
			if err == nil {
				batch, err = decodeAll(events)
			}
			if len(batch) > 0 && !yield(batch, nil) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// decodeAll gives the events up to one that cannot be read, and the error of
// that one: those before it are visible and due to subscribers.
func decodeAll(events []eventstore.Event) ([]subscription.Recorded, error) {
	batch := make([]subscription.Recorded, 0, len(events))
	for _, e := range events {
		decoded, err := domain.DecodeEvent(e.Type, e.Data)
		if err != nil {
			return batch, fmt.Errorf("event %d (%s): %w", e.Position, e.Type, err)
		}
		batch = append(batch, subscription.Recorded{Position: e.Position, At: e.RecordedAt, Event: decoded})
	}
	return batch, nil
}

// readFeed is the read model as the hub reads it.
func (a *app) readFeed(ctx context.Context, viewer domain.UserID, after domain.Position, limit int) (subscription.Reading, error) {
	r, err := a.queries.Open(ctx, 0)
	if err != nil {
		return subscription.Reading{}, err
	}
	defer r.Close()
	reading := subscription.Reading{Through: r.Checkpoint()}
	if limit > 0 {
		if reading.Items, err = feedItems(ctx, r, viewer, after, limit); err != nil {
			return subscription.Reading{}, err
		}
	}
	if len(reading.Items) < max(limit, 1) {
		reading.Followees, err = r.FolloweeIDs(ctx, viewer)
	}
	return reading, err
}

// feedItems reads a viewer's feed after a position, oldest first, with the
// authors' ids.
func feedItems(ctx context.Context, r *query.Reader, viewer domain.UserID, after domain.Position, limit int) ([]subscription.Item, error) {
	chirps, err := r.FeedAfter(ctx, viewer, after, limit)
	if err != nil || len(chirps) == 0 {
		return nil, err
	}
	authors, err := r.ProfilesByKey(ctx, authorKeys(chirps))
	if err != nil {
		return nil, err
	}
	items := make([]subscription.Item, len(chirps))
	for i, c := range chirps {
		items[i] = subscription.Item{Position: c.Position, Chirp: c.ID, Author: authors[c.Author].ID, Content: c.Content, PostedAt: c.PostedAt}
	}
	return items, nil
}

func authorKeys(chirps []readmodel.Chirp) []readmodel.UserKey {
	keys := make([]readmodel.UserKey, len(chirps))
	for i, c := range chirps {
		keys[i] = c.Author
	}
	return keys
}
