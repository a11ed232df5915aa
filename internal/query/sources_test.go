package query_test

import (
	"context"
	"errors"
	"testing"

	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// TestPageConsultsOnlySourcesThatCanContribute has a viewer follow users whose older
// chirps are not in the viewer's timeline. Only pages that reach those consult them.
func TestPageConsultsOnlySourcesThatCanContribute(t *testing.T) {
	const followees, posted, backfill = 5, 10, 4
	w := newWorld(t)
	w.backfill = backfill
	ann := w.register()
	var users []readmodel.UserKey
	for range followees {
		users = append(users, w.register())
	}
	for range posted {
		for _, u := range users {
			w.post(u, readmodel.Push)
		}
	}
	for _, u := range users {
		w.follow(ann, u)
	}
	consulted, refused := 0, error(nil)
	s := w.service()
	s.Consult = func(_ context.Context, find func() (int, error)) error {
		sources, err := find()
		if consulted += sources; sources > 0 && err == nil {
			err = refused
		}
		return err
	}
	feed := w.feed(ann)
	r := open(t, s, 0)
	defer r.Close()
	for name, c := range map[string]struct {
		read func() (int, error)
		rows int
		want int
	}{
		"the first page":                         {pageOf(r, ann, query.Page{First: new(15)}), 15, 0},
		"a page of the timeline":                 {pageOf(r, ann, query.Page{First: new(9), After: w.cursor(r, feed[9])}), 9, 0},
		"a page that the timeline does not fill": {pageOf(r, ann, query.Page{First: new(20), After: w.cursor(r, feed[0])}), 20, followees},
		"a page of older chirps":                 {pageOf(r, ann, query.Page{First: new(20), After: w.cursor(r, feed[24])}), 20, followees},
		"a page from the end":                    {pageOf(r, ann, query.Page{Last: new(10)}), 10, followees},
		"what is newer than a chirp in the timeline": {func() (int, error) {
			rows, err := r.FeedAfter(t.Context(), userID(ann), feed[15], 100)
			return len(rows), err
		}, 15, 0},
		"what is newer than an older chirp": {func() (int, error) {
			rows, err := r.FeedAfter(t.Context(), userID(ann), feed[followees*backfill+2], 100)
			return len(rows), err
		}, followees*backfill + 2, 2},
	} {
		consulted = 0
		rows, err := c.read()
		if err != nil || rows != c.rows || consulted != c.want {
			t.Errorf("%s: got %d rows from %d sources, error %v; want %d from %d", name, rows, consulted, err, c.rows, c.want)
		}
	}
	refused = errors.New("too many sources")
	if _, err := r.Feed(t.Context(), userID(ann), query.Page{First: new(15)}); err != nil {
		t.Errorf("a page that consults no source: got %v, want no error", err)
	}
	if _, err := r.Feed(t.Context(), userID(ann), query.Page{First: new(100)}); !errors.Is(err, refused) {
		t.Errorf("a page that may not consult its sources: got %v, want %v", err, refused)
	}
}

// pageOf returns a func that reads a page of a feed and returns its length.
func pageOf(r *query.Reader, viewer readmodel.UserKey, p query.Page) func() (int, error) {
	return func() (int, error) {
		c, err := r.Feed(context.Background(), userID(viewer), p)
		return len(c.Edges), err
	}
}

// TestReadingsForSubscriptionsAreReported has a viewer read what subscriptions do.
func TestReadingsForSubscriptionsAreReported(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	for range 3 {
		u := w.register()
		w.follow(ann, u)
		w.post(u, readmodel.Push)
		w.post(u, readmodel.Push)
	}
	rows := 0
	s := w.service()
	s.Read = func(_ context.Context, n int) { rows += n }
	r := open(t, s, 0)
	defer r.Close()
	for range 2 {
		if ids, err := r.FolloweeIDs(t.Context(), userID(ann)); err != nil || len(ids) != 3 || rows != 3 {
			t.Errorf("got %d followees, error %v, %d rows reported; want 3", len(ids), err, rows)
		}
		rows = 0
	}
	if chirps, err := r.FeedAfter(t.Context(), userID(ann), 0, 5); err != nil || len(chirps) != 5 || rows != 5 {
		t.Errorf("got %d chirps, error %v, %d rows reported; want 5", len(chirps), err, rows)
	}
	if _, err := r.Feed(t.Context(), userID(ann), query.Page{First: new(5)}); err != nil || rows != 5 {
		t.Errorf("a page: error %v, %d rows reported, want none more", err, rows-5)
	}
}
