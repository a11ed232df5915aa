package query

import (
	"context"
	"errors"
	"fmt"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// Feed gives a page of a viewer's feed: the chirps of all whom the viewer
// follows, newest first. A viewer whom the views don't know yet has an empty
// feed, for registration comes before its projection.
func (r *Reader) Feed(ctx context.Context, viewer domain.UserID, p Page) (Connection[readmodel.Chirp], error) {
	s, err := r.slice(ctx, p)
	if err != nil {
		return Connection[readmodel.Chirp]{}, err
	}
	rows, around, err := readPage(s, r.Checkpoint(), chirpAt, func(w readmodel.Window) ([]readmodel.Chirp, error) {
		return r.feed(ctx, viewer, w)
	})
	if err != nil {
		return Connection[readmodel.Chirp]{}, fmt.Errorf("read the feed of %s: %w", viewer, err)
	}
	return r.chirps(rows, around), nil
}

// FeedAfter gives the chirps of a viewer's feed that are newer than a position,
// oldest first, at most limit of them. Fewer than limit are all there are up
// to the reading's checkpoint.
func (r *Reader) FeedAfter(ctx context.Context, viewer domain.UserID, after domain.Position, limit int) ([]readmodel.Chirp, error) {
	if limit < 1 {
		return nil, domain.Errorf(domain.Invalid, "limit is %d, it must be at least 1", limit)
	}
	w := readmodel.Window{After: after, Before: r.Checkpoint() + 1, Limit: limit, Ascending: true}
	rows, err := r.feed(ctx, viewer, w)
	if err != nil {
		return nil, fmt.Errorf("read the feed of %s after position %d: %w", viewer, after, err)
	}
	return rows, nil
}

// FolloweeIDs gives the ids of all whom a viewer follows, in any order, and
// none for a viewer whom the views don't know yet.
func (r *Reader) FolloweeIDs(ctx context.Context, viewer domain.UserID) ([]domain.UserID, error) {
	p, err := r.views.ProfileByID(ctx, viewer)
	if errors.Is(err, readmodel.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read whom %s follows: %w", viewer, err)
	}
	ids, err := r.views.FolloweeIDs(ctx, p.Key)
	if err != nil {
		return nil, fmt.Errorf("read whom %s follows: %w", viewer, err)
	}
	return ids, nil
}

// ChirpsBy gives a page of an author's own chirps.
func (r *Reader) ChirpsBy(ctx context.Context, author readmodel.UserKey, p Page) (Connection[readmodel.Chirp], error) {
	s, err := r.slice(ctx, p)
	if err != nil {
		return Connection[readmodel.Chirp]{}, err
	}
	rows, around, err := readPage(s, r.Checkpoint(), chirpAt, func(w readmodel.Window) ([]readmodel.Chirp, error) {
		return r.views.ChirpsBy(ctx, author, w)
	})
	if err != nil {
		return Connection[readmodel.Chirp]{}, fmt.Errorf("read the chirps of user %d: %w", author, err)
	}
	return r.chirps(rows, around), nil
}

// feed reads the timeline and the pulled chirps through one window, and merges
// them. No chirp is in both.
func (r *Reader) feed(ctx context.Context, viewer domain.UserID, w readmodel.Window) ([]readmodel.Chirp, error) {
	p, err := r.views.ProfileByID(ctx, viewer)
	if errors.Is(err, readmodel.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pushed, err := r.views.Timeline(ctx, p.Key, w)
	if err != nil {
		return nil, err
	}
	sources, err := r.views.PullFollowees(ctx, p.Key)
	if err != nil || len(sources) == 0 {
		return pushed, err
	}
	pulled, err := r.views.PullChirps(ctx, sources, w)
	if err != nil {
		return nil, err
	}
	return merge(pushed, pulled, w), nil
}

// merge joins two lists that are in the window's order.
func merge(a, b []readmodel.Chirp, w readmodel.Window) []readmodel.Chirp {
	merged := make([]readmodel.Chirp, 0, min(len(a)+len(b), w.Limit))
	for len(merged) < w.Limit && len(a)+len(b) > 0 {
		fromA := len(b) == 0 || len(a) > 0 && (a[0].Position < b[0].Position) == w.Ascending
		if fromA {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return merged
}

func chirpAt(c readmodel.Chirp) domain.Position { return c.Position }

func (r *Reader) chirps(rows []readmodel.Chirp, around Around) Connection[readmodel.Chirp] {
	edges := make([]Edge[readmodel.Chirp], len(rows))
	for i, c := range rows {
		edges[i] = Edge[readmodel.Chirp]{Node: c, Cursor: r.Cursor(c.Position, domain.HashEvent(domain.ChirpStream(c.ID), c.PostedAt))}
	}
	return Connection[readmodel.Chirp]{Edges: edges, Around: around}
}
