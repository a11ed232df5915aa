package query

import (
	"context"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Followers gives a page of those who follow a user, who followed last first.
func (r *Reader) Followers(ctx context.Context, followee readmodel.UserKey, p Page) (Connection[readmodel.Profile], error) {
	s, err := r.slice(ctx, p)
	if err != nil {
		return Connection[readmodel.Profile]{}, err
	}
	rows, around, err := readPage(s, r.Checkpoint(), followAt, func(w readmodel.Window) ([]readmodel.Follow, error) {
		return r.views.Followers(ctx, followee, w)
	})
	if err != nil {
		return Connection[readmodel.Profile]{}, fmt.Errorf("read the followers of user %d: %w", followee, err)
	}
	return r.profiles(ctx, rows, func(f readmodel.Follow) readmodel.UserKey { return f.Follower }, around)
}

// Following gives a page of those whom a user follows, whom it followed last
// first.
func (r *Reader) Following(ctx context.Context, follower readmodel.UserKey, p Page) (Connection[readmodel.Profile], error) {
	s, err := r.slice(ctx, p)
	if err != nil {
		return Connection[readmodel.Profile]{}, err
	}
	rows, around, err := readPage(s, r.Checkpoint(), followAt, func(w readmodel.Window) ([]readmodel.Follow, error) {
		return r.views.Following(ctx, follower, w)
	})
	if err != nil {
		return Connection[readmodel.Profile]{}, fmt.Errorf("read whom user %d follows: %w", follower, err)
	}
	return r.profiles(ctx, rows, func(f readmodel.Follow) readmodel.UserKey { return f.Followee }, around)
}

// Follows says for each of some users whether a follower follows it. Every key
// asked for is in the answer. Nobody, key 0, follows no one.
func (r *Reader) Follows(ctx context.Context, follower readmodel.UserKey, followees []readmodel.UserKey) (map[readmodel.UserKey]bool, error) {
	answer := make(map[readmodel.UserKey]bool, len(followees))
	for _, k := range followees {
		answer[k] = false
	}
	if follower == 0 || len(followees) == 0 {
		return answer, nil
	}
	rows, err := r.views.Follows(ctx, follower, unique(followees))
	if err != nil {
		return nil, fmt.Errorf("read which of %d users user %d follows: %w", len(followees), follower, err)
	}
	for _, f := range rows {
		if !r.beyond(f.Since) {
			answer[f.Followee] = true
		}
	}
	return answer, nil
}

func followAt(f readmodel.Follow) domain.Position { return f.Since }

// profiles makes a page of the users at one end of some follows. The views
// don't know the follows' hashes, so they come from the log.
func (r *Reader) profiles(ctx context.Context, rows []readmodel.Follow, end func(readmodel.Follow) readmodel.UserKey, around Around) (Connection[readmodel.Profile], error) {
	keys, since := make([]readmodel.UserKey, len(rows)), make([]domain.Position, len(rows))
	for i, f := range rows {
		keys[i], since[i] = end(f), f.Since
	}
	users, err := r.ProfilesByKey(ctx, keys)
	if err != nil {
		return Connection[readmodel.Profile]{}, err
	}
	hashes, err := r.hashes(ctx, since)
	if err != nil {
		return Connection[readmodel.Profile]{}, fmt.Errorf("read the hashes of %d follows: %w", len(since), err)
	}
	edges := make([]Edge[readmodel.Profile], len(rows))
	for i, f := range rows {
		user, ok := users[keys[i]]
		if !ok {
			return Connection[readmodel.Profile]{}, fmt.Errorf("the follow at position %d is of user %d, who has no profile", f.Since, keys[i])
		}
		edges[i] = Edge[readmodel.Profile]{Node: user, Cursor: r.Cursor(f.Since, hashes[f.Since])}
	}
	return Connection[readmodel.Profile]{Edges: edges, Around: around}, nil
}
