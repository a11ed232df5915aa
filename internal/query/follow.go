package query

import (
	"context"
	"fmt"
	"maps"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Followers returns a page of a user's followers, most recent first.
func (r *Reader) Followers(ctx context.Context, followee readmodel.UserKey, p Page) (Connection[readmodel.User], error) {
	follower := func(f readmodel.Follow) readmodel.UserKey { return f.Follower }
	return r.followPage(ctx, p, fmt.Sprintf("the followers of user %d", followee), follower, func(w readmodel.Window) ([]readmodel.Follow, error) {
		return r.views.Followers(ctx, followee, w)
	})
}

// Following returns a page of the users that a user follows, most recent first.
func (r *Reader) Following(ctx context.Context, follower readmodel.UserKey, p Page) (Connection[readmodel.User], error) {
	followee := func(f readmodel.Follow) readmodel.UserKey { return f.Followee }
	return r.followPage(ctx, p, fmt.Sprintf("whom user %d follows", follower), followee, func(w readmodel.Window) ([]readmodel.Follow, error) {
		return r.views.Following(ctx, follower, w)
	})
}

// ViewerFollows is Follows for a viewer, who follows no one if anonymous or not in the
// views yet.
func (r *Reader) ViewerFollows(ctx context.Context, viewer domain.UserID, followees []readmodel.UserKey) (map[readmodel.UserKey]bool, error) {
	answer, rest := r.followedBy(viewer, followees)
	if viewer == "" || len(rest) == 0 {
		return answer, nil
	}
	key, err := r.key(ctx, viewer)
	if err != nil {
		return nil, err
	}
	read, err := r.Follows(ctx, key, rest)
	maps.Copy(answer, read)
	return answer, err
}

// followedBy returns an answer with those of some users whom the viewer follows because
// they are in the feed that was read, and the others, for whom it says false.
func (r *Reader) followedBy(viewer domain.UserID, users []readmodel.UserKey) (answer map[readmodel.UserKey]bool, rest []readmodel.UserKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer = make(map[readmodel.UserKey]bool, len(users))
	for _, k := range users {
		if answer[k] = r.followed[viewer][k]; !answer[k] {
			rest = append(rest, k)
		}
	}
	return answer, rest
}

// rememberFollowed keeps who is in a viewer's feed.
func (r *Reader) rememberFollowed(viewer domain.UserID, feed []Edge[readmodel.Chirp]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.followed == nil {
		r.followed = map[domain.UserID]map[readmodel.UserKey]bool{}
	}
	if r.followed[viewer] == nil {
		r.followed[viewer] = make(map[readmodel.UserKey]bool, len(feed))
	}
	for _, e := range feed {
		r.followed[viewer][e.Node.Author] = true
	}
}

// Follows reports for each followee whether the follower follows it. The result
// has an entry for every followee. An anonymous viewer, key 0, follows no one.
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

// followPage returns a page of the users at one end of some follows. The views don't
// store the hashes of follow events, so followPage reads them from the log. list names
// the list in errors.
func (r *Reader) followPage(ctx context.Context, p Page, list string, end func(readmodel.Follow) readmodel.UserKey, read func(readmodel.Window) ([]readmodel.Follow, error)) (Connection[readmodel.User], error) {
	rows, info, err := readPage(ctx, r, p, list, followAt, read)
	if err != nil {
		return Connection[readmodel.User]{}, err
	}
	keys, since := make([]readmodel.UserKey, len(rows)), make([]domain.Position, len(rows))
	for i, f := range rows {
		keys[i], since[i] = end(f), f.Since
	}
	users, err := r.UsersByKey(ctx, keys)
	if err != nil {
		return Connection[readmodel.User]{}, err
	}
	hashes, err := r.service.Hashes(ctx, since)
	if err != nil {
		return Connection[readmodel.User]{}, fmt.Errorf("read the hashes of %d follows: %w", len(since), err)
	}
	edges := make([]Edge[readmodel.User], len(rows))
	for i, f := range rows {
		user, ok := users[keys[i]]
		if !ok {
			return Connection[readmodel.User]{}, fmt.Errorf("the follow at position %d is of user %d, who has no profile", f.Since, keys[i])
		}
		edges[i] = Edge[readmodel.User]{Node: user, Cursor: r.Cursor(f.Since, hashes[f.Since])}
	}
	return Connection[readmodel.User]{Edges: edges, PageInfo: info}, nil
}
