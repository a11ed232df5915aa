package query_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"

	"pgregory.net/rapid"
)

// randomWorld returns a world of a few users with a random history, and the users.
func randomWorld(t *rapid.T) (*world, []readmodel.UserKey) {
	w := newWorld(t)
	var users []readmodel.UserKey
	for range rapid.IntRange(2, 5).Draw(t, "users") {
		users = append(users, w.register())
	}
	w.backfill = rapid.SampledFrom([]int{0, 1, 2, 100}).Draw(t, "backfill")
	some := rapid.SampledFrom(users)
	for range rapid.IntRange(0, 40).Draw(t, "events") {
		a, b := some.Draw(t, "user"), some.Draw(t, "other")
		follows := w.oracle.Following(userID(a))[userID(b)]
		switch action := rapid.IntRange(0, 5).Draw(t, "action"); {
		case action < 2:
			w.post(a, readmodel.Push)
		case action < 4:
			w.post(a, readmodel.Pull)
		case a == b:
		case follows && action == 4:
			w.unfollow(a, b)
		case !follows:
			w.follow(a, b)
		}
	}
	return w, users
}

// Whatever the page sizes, the pages of a list add up to the whole list, from the
// newest row and, for a feed, from the oldest.
func TestPagesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, users := randomWorld(t)
		if most := rapid.SampledFrom([]int64{0, 1_000, 1 << 20}).Draw(t, "cache"); most > 0 {
			w.cache = query.NewCache(most)
		}
		r := w.open()
		size := rapid.IntRange(1, 8)
		for _, u := range users {
			for _, l := range lists(w, r, u) {
				wantList(t, size, l.all, l.read, func(p domain.Position) string { return w.cursor(r, p) })
			}
			wantOldestFirst(t, size, w.feed(u), u, r)
		}
	})
}

func positions(chirps []readmodel.Chirp) []domain.Position {
	at := []domain.Position{}
	for _, c := range chirps {
		at = append(at, c.Position)
	}
	return at
}

// since returns the positions of some follows.
func since(follows []readmodel.Follow) []domain.Position {
	at := []domain.Position{}
	for _, f := range follows {
		at = append(at, f.Since)
	}
	return at
}

// Whom the viewer of a feed follows is the same whether it follows from the feed or is
// read.
func TestAuthorsInAFeedAreFollowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, users := randomWorld(t)
		for _, viewer := range users {
			after, before := w.open(), w.open()
			if _, err := after.Feed(context.Background(), userID(viewer), query.Page{}); err != nil {
				t.Fatal(err)
			}
			for _, other := range users { // what is known of one viewer says nothing of another
				got, err1 := after.ViewerFollows(context.Background(), userID(other), users)
				want, err2 := before.ViewerFollows(context.Background(), userID(other), users)
				if err1 != nil || err2 != nil || !maps.Equal(got, want) {
					t.Fatalf("user %d after the feed of %d: got %v, want %v, errors %v and %v", other, viewer, got, want, err1, err2)
				}
			}
		}
	})
}

// list reads a page of a list, with each row as its position.
type list func(query.Page) (query.Connection[domain.Position], error)

func chirpAts(read func(query.Page) (query.Connection[readmodel.Chirp], error)) list {
	return func(p query.Page) (query.Connection[domain.Position], error) {
		c, err := read(p)
		return rows(c, func(c readmodel.Chirp) domain.Position { return c.Position }), err
	}
}

// followAts replaces each profile by the position of the follow that put it in the
// list.
func followAts(c query.Connection[readmodel.User], follows []readmodel.Follow, end func(readmodel.Follow) readmodel.UserKey) query.Connection[domain.Position] {
	return rows(c, func(p readmodel.User) domain.Position {
		return follows[slices.IndexFunc(follows, func(f readmodel.Follow) bool { return end(f) == p.Key })].Since
	})
}

func rows[T any](c query.Connection[T], at func(T) domain.Position) query.Connection[domain.Position] {
	out := query.Connection[domain.Position]{PageInfo: c.PageInfo}
	for _, e := range c.Edges {
		out.Edges = append(out.Edges, query.Edge[domain.Position]{Node: at(e.Node), Cursor: e.Cursor})
	}
	return out
}

// wantList pages through a list and checks every page.
func wantList(t *rapid.T, size *rapid.Generator[int], want []domain.Position, read list, cursor func(domain.Position) string) {
	t.Helper()
	got := []domain.Position{}
	page := query.Page{}
	for {
		first := size.Draw(t, "first")
		page.First = &first
		c, err := read(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Edges {
			got = append(got, e.Node)
			if want := cursor(e.Node); e.Cursor != want {
				t.Fatalf("position %d has the cursor %q, want %q", e.Node, e.Cursor, want)
			}
		}
		if len(c.Edges) > first || len(c.Edges) < first && c.HasNextPage {
			t.Fatalf("a page of %d has %d rows and HasNextPage %t", first, len(c.Edges), c.HasNextPage)
		}
		if wantPrevious := page.After != ""; c.HasPreviousPage != wantPrevious {
			t.Fatalf("a page after %q has HasPreviousPage %t", page.After, c.HasPreviousPage)
		}
		if wantNext := len(got) < len(want); c.HasNextPage != wantNext {
			t.Fatalf("after %d of %d rows, HasNextPage is %t", len(got), len(want), c.HasNextPage)
		}
		if !c.HasNextPage {
			break
		}
		page.After = c.Edges[len(c.Edges)-1].Cursor
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the pages add up to %v, want %v", got, want)
	}
}

func wantOldestFirst(t *rapid.T, size *rapid.Generator[int], want []domain.Position, viewer readmodel.UserKey, r *query.Reader) {
	t.Helper()
	got := []domain.Position{}
	after := domain.Position(0)
	for {
		limit := size.Draw(t, "limit")
		chirps, err := r.FeedAfter(context.Background(), userID(viewer), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, positions(chirps)...)
		if len(chirps) < limit {
			break
		}
		after = chirps[len(chirps)-1].Position
	}
	slices.Reverse(got)
	if !slices.Equal(got, want) {
		t.Fatalf("oldest first, the pages add up to %v, want %v", got, want)
	}
}

// Paging continues after its cursor when chirps arrive and follows change.
func TestPagingContinuesWhileFeedChanges(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.follow(ann, bob)
	p, q := w.post(bob, readmodel.Push), w.post(bob, readmodel.Pull)
	first, err := w.open().Feed(t.Context(), userID(ann), query.Page{First: new(1)})
	if err != nil || first.Edges[0].Node.Position != q {
		t.Fatalf("got %v, %v; want the chirp at %d", first, err, q)
	}
	w.post(bob, readmodel.Push)
	w.post(bob, readmodel.Pull)
	second, err := w.open().Feed(t.Context(), userID(ann), query.Page{First: new(5), After: first.Edges[0].Cursor})
	if err != nil || len(second.Edges) != 1 || second.Edges[0].Node.Position != p || second.HasNextPage || !second.HasPreviousPage {
		t.Fatalf("got %+v, %v; want the chirp at %d alone", second, err, p)
	}
	w.unfollow(ann, bob)
	third, err := w.open().Feed(t.Context(), userID(ann), query.Page{First: new(5), After: first.Edges[0].Cursor})
	if err != nil || len(third.Edges) != 0 || third.HasNextPage || third.HasPreviousPage {
		t.Fatalf("got %+v, %v; want an empty page, with nothing known around it", third, err)
	}
}

func TestFeedAfterRefusesNoLimit(t *testing.T) {
	w := newWorld(t)
	_, err := w.open().FeedAfter(t.Context(), userID(w.register()), 0, 0)
	wantKind(t, err, domain.Invalid)
}

func TestPageRefusesACursor(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	r := w.open()
	for _, cursor := range []string{"nonsense", r.Cursor(2, 2), r.Cursor(1, 1)} {
		_, err := r.Feed(t.Context(), userID(ann), query.Page{First: new(1), After: cursor})
		wantKind(t, err, domain.CursorInvalid)
		_, err = r.Feed(t.Context(), userID(ann), query.Page{First: new(1), Before: cursor})
		wantKind(t, err, domain.CursorInvalid)
	}
}

// A cursor may come from a Reader with a later checkpoint.
func TestPageAfterACursorBeyondTheCheckpoint(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.follow(ann, bob)
	p := w.post(bob, readmodel.Push)
	w.hashes[p+5] = 5
	r := open(t, w.service(), 0)
	c, err := r.Feed(t.Context(), userID(ann), query.Page{First: new(5), After: w.cursor(r, p+5)})
	if err != nil || len(c.Edges) != 1 || c.Edges[0].Node.Position != p || c.HasPreviousPage {
		t.Errorf("got %+v, %v; want the chirp at %d", c, err, p)
	}
	chirps, err := r.FeedAfter(t.Context(), userID(ann), p+5, 5)
	if err != nil || len(chirps) != 0 {
		t.Errorf("FeedAfter: got %v, %v; want nothing", chirps, err)
	}
}

func TestFeedOfAnUnprojectedViewerIsEmpty(t *testing.T) {
	r := newWorld(t).open()
	if c, err := r.Feed(t.Context(), "user_new", query.Page{First: new(1)}); err != nil || len(c.Edges) != 0 {
		t.Errorf("Feed: got %v, %v; want nothing", c, err)
	}
	if got, err := r.FeedAfter(t.Context(), "user_new", 0, 1); err != nil || len(got) != 0 {
		t.Errorf("FeedAfter: got %v, %v; want nothing", got, err)
	}
	if got, err := r.FolloweeIDs(t.Context(), "user_new"); err != nil || len(got) != 0 {
		t.Errorf("FolloweeIDs: got %v, %v; want nothing", got, err)
	}
}
