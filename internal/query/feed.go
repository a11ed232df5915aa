package query

import (
	"context"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Feed returns a page of a viewer's feed: the chirps of the users the viewer
// follows, newest first. A viewer whom the views don't show yet has an empty
// feed, because a registration is answered before it is projected.
func (r *Reader) Feed(ctx context.Context, viewer domain.UserID, p Page) (Connection[readmodel.Chirp], error) {
	page, err := r.chirpPage(ctx, p, "the feed of "+string(viewer), func(w readmodel.Window) ([]domain.Position, error) {
		return r.feed(ctx, viewer, w)
	})
	r.rememberFollowed(viewer, page.Edges)
	return page, err
}

// FeedAfter returns the chirps of a viewer's feed that are newer than a position,
// oldest first, at most limit of them. If it returns fewer than limit, there are
// no more up to the Reader's checkpoint.
func (r *Reader) FeedAfter(ctx context.Context, viewer domain.UserID, after domain.Position, limit int) ([]readmodel.Chirp, error) {
	if limit < 1 {
		return nil, domain.Errorf(domain.Invalid, "limit is %d, it must be at least 1", limit)
	}
	w := readmodel.Window{After: after, Before: r.Checkpoint() + 1, Limit: limit, Ascending: true}
	rows, err := readmodel.ChirpsIn(w, func(w readmodel.Window) ([]domain.Position, error) { return r.feed(ctx, viewer, w) },
		func(at []domain.Position) ([]readmodel.Chirp, error) {
			edges, err := r.chirps(ctx, at)
			return nodes(edges), err
		})
	if err != nil {
		return nil, fmt.Errorf("read the feed of %s after position %d: %w", viewer, after, err)
	}
	r.read(ctx, len(rows))
	return rows, nil
}

// FolloweeIDs returns the ids of all users a viewer follows, in any order, and
// none for a viewer whom the views don't show yet.
func (r *Reader) FolloweeIDs(ctx context.Context, viewer domain.UserID) ([]domain.UserID, error) {
	key, err := r.key(ctx, viewer)
	if err != nil || key == 0 {
		return nil, err
	}
	ids, err := r.views.FolloweeIDs(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read whom %s follows: %w", viewer, err)
	}
	r.read(ctx, len(ids))
	return ids, nil
}

// ChirpsBy returns a page of an author's own chirps, newest first.
func (r *Reader) ChirpsBy(ctx context.Context, author readmodel.UserKey, p Page) (Connection[readmodel.Chirp], error) {
	return r.chirpPage(ctx, p, fmt.Sprintf("the chirps of user %d", author), func(w readmodel.Window) ([]domain.Position, error) {
		return r.views.ChirpsBy(ctx, author, w)
	})
}

// feed returns the positions of a part of the viewer's feed. It merges the viewer's timeline, to which chirps were pushed, with the chirps of
// the viewer's sources. No chirp is in both. The sources are read with the full limit of
// the window, because all rows of the page may come from them, but only in the part of
// the window that the timeline does not fill. A source that ends before that part is
// not read: a page near the head reads only what celebrities posted.
func (r *Reader) feed(ctx context.Context, viewer domain.UserID, w readmodel.Window) ([]domain.Position, error) {
	key, err := r.key(ctx, viewer)
	if err != nil || key == 0 {
		return nil, err
	}
	timeline, err := r.views.Timeline(ctx, key, w)
	if err != nil {
		return nil, err
	}
	rest := unfilled(w, timeline)
	sources, err := r.sources(ctx, key, rest.After)
	if err != nil || len(sources) == 0 {
		return timeline, err
	}
	merged, err := r.views.SourceChirps(ctx, sources, rest)
	if err != nil {
		return nil, err
	}
	return merge(timeline, merged, w), nil
}

// sources returns the sources that a reading consults, unless Service.Consult refuses.
func (r *Reader) sources(ctx context.Context, viewer readmodel.UserKey, after domain.Position) (found []readmodel.Source, err error) {
	find := func() (int, error) {
		found, err = r.views.Sources(ctx, viewer, after)
		return len(found), err
	}
	if r.service.Consult == nil {
		_, err = find()
		return found, err
	}
	return found, r.service.Consult(ctx, find)
}

// read reports the rows of a reading for a subscription.
func (r *Reader) read(ctx context.Context, rows int) {
	if r.service.Read != nil {
		r.service.Read(ctx, rows)
	}
}

// unfilled returns the part of a window in which further rows can be on the page that
// these rows begin.
func unfilled(w readmodel.Window, rows []domain.Position) readmodel.Window {
	if len(rows) < w.Limit {
		return w
	}
	if last := rows[len(rows)-1]; w.Ascending {
		w.Before = last
	} else {
		w.After = last
	}
	return w
}

// merge merges two lists that are in the window's order, up to its limit.
func merge(a, b []domain.Position, w readmodel.Window) []domain.Position {
	merged := make([]domain.Position, 0, min(len(a)+len(b), w.Limit))
	for len(merged) < w.Limit && len(a)+len(b) > 0 {
		fromA := len(b) == 0 || len(a) > 0 && (a[0] < b[0]) == w.Ascending
		if fromA {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return merged
}
