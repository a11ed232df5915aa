package query_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"

	"pgregory.net/rapid"
)

// relayPage returns the page of a whole list that Relay's specification calls for.
// Unlike there, a cursor stands for a position and needs no edge in the list.
func relayPage(all []domain.Position, first, last *int, after, before domain.Position) ([]domain.Position, query.PageInfo) {
	any := func(which func(domain.Position) bool) bool { return slices.ContainsFunc(all, which) }
	edges := slices.DeleteFunc(slices.Clone(all), func(p domain.Position) bool {
		return after > 0 && p >= after || before > 0 && p <= before
	})
	if last != nil {
		return edges[max(0, len(edges)-*last):], query.PageInfo{
			HasPreviousPage: len(edges) > *last,
			HasNextPage:     before > 0 && any(func(p domain.Position) bool { return p <= before }),
		}
	}
	size := 20
	if first != nil {
		size = *first
	}
	return edges[:min(size, len(edges))], query.PageInfo{
		HasNextPage:     len(edges) > size,
		HasPreviousPage: after > 0 && any(func(p domain.Position) bool { return p >= after }),
	}
}

// lists returns all lists of a user by name: the positions of all rows, from the
// oracle, and how to read a page.
func lists(w *world, r *query.Reader, u readmodel.UserKey) map[string]struct {
	all  []domain.Position
	read list
} {
	ctx := context.Background()
	all := w.rows()
	everybodys := slices.Clone(all.Chirps)
	slices.Reverse(everybodys)
	own := slices.DeleteFunc(slices.Clone(everybodys), func(c readmodel.Chirp) bool { return c.Author != u })
	followers, following := all.Followers(u), all.Following(u)
	return map[string]struct {
		all  []domain.Position
		read list
	}{
		"Feed": {w.feed(u), chirpAts(func(p query.Page) (query.Connection[readmodel.Chirp], error) {
			return r.Feed(ctx, userID(u), p)
		})},
		"ChirpsBy": {positions(own), chirpAts(func(p query.Page) (query.Connection[readmodel.Chirp], error) {
			return r.ChirpsBy(ctx, u, p)
		})},
		"RecentChirps": {positions(everybodys), chirpAts(func(p query.Page) (query.Connection[readmodel.Chirp], error) {
			return r.RecentChirps(ctx, p)
		})},
		"Followers": {since(followers), func(p query.Page) (query.Connection[domain.Position], error) {
			c, err := r.Followers(ctx, u, p)
			return followAts(c, followers, func(f readmodel.Follow) readmodel.UserKey { return f.Follower }), err
		}},
		"Following": {since(following), func(p query.Page) (query.Connection[domain.Position], error) {
			c, err := r.Following(ctx, u, p)
			return followAts(c, following, func(f readmodel.Follow) readmodel.UserKey { return f.Followee }), err
		}},
	}
}

// Any page of any list, between any two cursors, is the one that Relay's
// specification calls for.
func TestPagesObeyRelay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, users := randomWorld(t)
		r := w.open()
		cursor := func(name string) (domain.Position, string) {
			at := domain.Position(rapid.IntRange(0, int(w.at)).Draw(t, name))
			if at == 0 {
				return 0, ""
			}
			return at, w.cursor(r, at)
		}
		for _, u := range users {
			for name, l := range lists(w, r, u) {
				var p query.Page
				var after, before domain.Position
				after, p.After = cursor("after")
				before, p.Before = cursor("before")
				size := rapid.IntRange(1, 6).Draw(t, "size")
				switch rapid.IntRange(0, 4).Draw(t, "direction") {
				case 0:
				case 1, 2:
					p.First = &size
				default:
					p.Last = &size
				}
				c, err := l.read(p)
				if err != nil {
					t.Fatal(err)
				}
				got := []domain.Position{}
				for _, e := range c.Edges {
					got = append(got, e.Node)
				}
				want, info := relayPage(l.all, p.First, p.Last, after, before)
				if !slices.Equal(got, want) || c.PageInfo != info {
					t.Fatalf("%s %v, %d rows (last: %t) after %d and before %d: got %v %+v, want %v %+v",
						name, l.all, p.Size(), p.Last != nil, after, before, got, c.PageInfo, want, info)
				}
			}
		}
	})
}

func TestPageSizesAreRefusedNotClamped(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	for _, test := range []struct {
		name        string
		first, last *int
		want        string // empty for no error
	}{
		{"first 0", new(0), nil, "first is 0, it must be 1 to 100"},
		{"first below 0", new(-1), nil, "first is -1, it must be 1 to 100"},
		{"first over 100", new(101), nil, "first is 101, it must be 1 to 100"},
		{"last 0", nil, new(0), "last is 0, it must be 1 to 100"},
		{"last below 0", nil, new(-1), "last is -1, it must be 1 to 100"},
		{"last over 100", nil, new(1 << 40), "last is 1099511627776, it must be 1 to 100"},
		{"both", new(5), new(5), "first and last are both given; leave one of them out"},
		{"neither", nil, nil, ""},
		{"the least", new(1), nil, ""},
		{"the most", nil, new(100), ""},
	} {
		for name, l := range lists(w, w.open(), ann) {
			t.Run(fmt.Sprint(test.name, " of ", name), func(t *testing.T) {
				_, err := l.read(query.Page{First: test.first, Last: test.last})
				if test.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantKind(t, err, domain.Invalid)
				if err != nil && err.Error() != test.want {
					t.Errorf("got %q, want %q", err, test.want)
				}
			})
		}
	}
}

// Only a cursor whose row is no longer in the list costs a second read.
func TestAPageCountedFromTheEndCostsNoMore(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register(), w.register()
	w.follow(ann, bob)
	var posted []domain.Position
	for range 5 {
		posted = append(posted, w.post(bob, readmodel.Pull))
	}
	v := &countedViews{Store: w.store}
	s := w.service()
	s.Views = v
	r := open(t, s, 0)
	defer r.Close()
	if _, err := r.Feed(t.Context(), userID(ann), query.Page{}); err != nil { // reads who ann is
		t.Fatal(err)
	}
	for name, p := range map[string]query.Page{
		"the end":        {Last: new(2)},
		"before a chirp": {Last: new(2), Before: w.cursor(r, posted[1])},
		"after a chirp":  {First: new(2), After: w.cursor(r, posted[3])},
	} {
		v.reads = 0
		c, err := r.Feed(t.Context(), userID(ann), p)
		if err != nil || len(c.Edges) != 2 || v.reads != 4 {
			t.Errorf("%s: got %d rows in %d reads, error %v; want 2 rows in 4", name, len(c.Edges), v.reads, err)
		}
	}
}
