package query_test

import (
	"slices"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// paged reads a list page by page and returns its positions. It checks that each
// row's cursor is that of its position.
func paged[T any](t *testing.T, cursor func(domain.Position) string, at func(T) domain.Position, read func(query.Page) (query.Connection[T], error)) []domain.Position {
	t.Helper()
	var found []domain.Position
	for p := onePage(2); ; {
		c, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		if c.HasPreviousPage != (p.After != "") {
			t.Errorf("after %d rows: got HasPreviousPage %v", len(found), c.HasPreviousPage)
		}
		for _, e := range c.Edges {
			found = append(found, at(e.Node))
			if want := cursor(at(e.Node)); e.Cursor != want {
				t.Errorf("row at %d: got cursor %s, want %s", at(e.Node), e.Cursor, want)
			}
			p.After = e.Cursor
		}
		if !c.HasNextPage {
			return found
		}
	}
}

func onePage(first int) query.Page { return query.Page{First: &first} }

func TestRecentListsAllUsersNewestFirst(t *testing.T) {
	w := newWorld(t)
	var chirps, users []domain.Position
	for range 3 {
		u := w.register()
		users = append(users, domain.Position(u))
		chirps = append(chirps, w.post(u, readmodel.Push), w.post(u, readmodel.Pull))
	}
	slices.Reverse(chirps)
	slices.Reverse(users)
	r := w.open()
	defer r.Close()
	cursor := func(p domain.Position) string { return w.cursor(r, p) }
	got := paged(t, cursor, func(c readmodel.Chirp) domain.Position { return c.Position },
		func(p query.Page) (query.Connection[readmodel.Chirp], error) { return r.RecentChirps(t.Context(), p) })
	if !slices.Equal(got, chirps) {
		t.Errorf("recent chirps: got %v, want %v", got, chirps)
	}
	got = paged(t, cursor, func(u readmodel.User) domain.Position { return domain.Position(u.Key) },
		func(p query.Page) (query.Connection[readmodel.User], error) { return r.RecentUsers(t.Context(), p) })
	if !slices.Equal(got, users) {
		t.Errorf("recent users: got %v, want %v", got, users)
	}
}

func TestRecentHidesWhatIsPartApplied(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	w.post(ann, readmodel.Push)
	at := w.next()
	w.apply(readmodel.Batch{To: readmodel.Checkpoint{Position: w.at, Partial: 1}, Chirps: []readmodel.Chirp{chirpAt(at, ann, readmodel.Push)},
		Profiles: []readmodel.Profile{{Key: readmodel.UserKey(at), ID: userID(readmodel.UserKey(at)), Username: "Part"}}})
	r := w.open()
	defer r.Close()
	chirps, err := r.RecentChirps(t.Context(), onePage(10))
	if err != nil || len(chirps.Edges) != 1 {
		t.Errorf("recent chirps: got %v and error %v, want one", chirps.Edges, err)
	}
	users, err := r.RecentUsers(t.Context(), onePage(10))
	if err != nil || len(users.Edges) != 1 {
		t.Errorf("recent users: got %v and error %v, want one", users.Edges, err)
	}
}

func TestRecentRefusesABadPage(t *testing.T) {
	w := newWorld(t)
	r := w.open()
	defer r.Close()
	for _, c := range []struct {
		page query.Page
		want domain.Kind
	}{{onePage(0), domain.Invalid}, {onePage(101), domain.Invalid}, {query.Page{First: onePage(1).First, After: "nonsense"}, domain.CursorInvalid}} {
		_, err := r.RecentChirps(t.Context(), c.page)
		wantKind(t, err, c.want)
		_, err = r.RecentUsers(t.Context(), c.page)
		wantKind(t, err, c.want)
	}
}
