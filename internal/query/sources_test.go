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
	s.Consult = func(_ context.Context, sources int) error {
		consulted += sources
		return refused
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
