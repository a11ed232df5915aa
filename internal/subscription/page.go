package subscription

import (
	"context"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// feedPage is the result of one catch-up read: a part of a viewer's feed, read from
// one snapshot of the views.
type feedPage struct {
	// items are the chirps after the position asked for, oldest first.
	items []Item
	// followees are all users whom the viewer follows, in any order. They are
	// read only if there are fewer items than asked for, because only after such
	// a page can the viewer become live.
	followees []domain.UserID
	// through is the checkpoint of the views that were read.
	through domain.Position
}

// full reports whether there may be more items than the page has, which was read with
// a limit.
func (r feedPage) full(limit int) bool { return limit > 0 && len(r.items) >= limit }

// readFeedPage reads a viewer's feed after a position, at most limit items. With
// limit 0 it reads none.
func readFeedPage(ctx context.Context, queries *query.Service, viewer domain.UserID, after domain.Position, limit int, withFollowees bool) (feedPage, error) {
	views, err := queries.Open(ctx, 0)
	if err != nil {
		return feedPage{}, err
	}
	defer views.Close()
	r := feedPage{through: views.Checkpoint()}
	if limit > 0 {
		if r.items, err = readItems(ctx, views, viewer, after, limit); err != nil {
			return feedPage{}, err
		}
	}
	if withFollowees && !r.full(limit) {
		r.followees, err = views.FolloweeIDs(ctx, viewer)
	}
	return r, err
}

func readItems(ctx context.Context, views *query.Reader, viewer domain.UserID, after domain.Position, limit int) ([]Item, error) {
	chirps, err := views.FeedAfter(ctx, viewer, after, limit)
	if err != nil || len(chirps) == 0 {
		return nil, err
	}
	keys := make([]readmodel.UserKey, len(chirps))
	for i, c := range chirps {
		keys[i] = c.Author
	}
	authors, err := views.ProfilesByKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	items := make([]Item, len(chirps))
	for i, c := range chirps {
		items[i] = Item{Position: c.Position, ID: c.ID, Author: authors[c.Author].ID, Content: c.Content, PostedAt: c.PostedAt}
	}
	return items, nil
}
