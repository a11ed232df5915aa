package query_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// page reads the first page of a user's feed, and its authors.
func page(t *testing.T, r *query.Reader, viewer readmodel.UserKey) ([]query.Edge[readmodel.Chirp], map[readmodel.UserKey]readmodel.User) {
	t.Helper()
	c, err := r.Feed(t.Context(), userID(viewer), query.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var authors []readmodel.UserKey
	for _, e := range c.Edges {
		authors = append(authors, e.Node.Author)
	}
	users, err := r.UsersByKey(t.Context(), authors)
	if err != nil {
		t.Fatal(err)
	}
	return c.Edges, users
}

func TestRowsThatWereReadAreNotReadAgain(t *testing.T) {
	w := newWorld(t)
	w.cache = query.NewCache(1 << 20)
	ann, bob := w.register(), w.register()
	w.follow(ann, bob)
	w.post(bob, readmodel.Push)
	v := &countedViews{Store: w.store}
	s := w.service()
	s.Views = v
	for _, want := range []struct{ reads, rows int }{
		{5, 1}, // who ann is, the timeline, the sources, the chirp and its author
		{2, 1}, // the timeline and the sources
		{3, 2}, // the new chirp as well
	} {
		v.reads = 0
		r := open(t, s, 0)
		edges, users := page(t, r, ann)
		r.Close()
		if v.reads != want.reads || len(edges) != want.rows || users[bob].ID != userID(bob) {
			t.Errorf("got %d rows and the authors %v in %d reads, want %d rows in %d", len(edges), users, v.reads, want.rows, want.reads)
		}
		if want.reads == 2 {
			w.post(bob, readmodel.Push)
		}
	}
	got := s.Cache.Stats()
	if got.Chirps.Rows != 2 || got.Chirps.Hits != 2 || got.Chirps.Misses != 2 || got.Users.Rows != 2 || got.Chirps.Bytes < 600 {
		t.Errorf("got %+v, want two chirps, each found once and missed once, and two users", got)
	}
}

func TestAUserWhoIsAbsentIsFoundWhenThere(t *testing.T) {
	w := newWorld(t)
	w.cache = query.NewCache(1 << 20)
	w.register()
	early := w.open()
	defer early.Close()
	bob := readmodel.UserKey(w.next())
	if _, err := early.User(t.Context(), userID(bob)); domain.KindOf(err) != domain.NotFound {
		t.Errorf("before the registration: got %v, want NotFound", err)
	}
	w.register()
	late := w.open()
	defer late.Close()
	if u, err := late.User(t.Context(), userID(bob)); err != nil || u.Key != bob {
		t.Errorf("after the registration: got %+v, error %v", u, err)
	}
	if _, err := early.User(t.Context(), userID(bob)); domain.KindOf(err) != domain.NotFound {
		t.Errorf("in the snapshot from before the registration: got %v, want NotFound", err)
	}
}

// restorable are the views and the log of a world that another one replaces, as when a
// database is restored from a backup under a running server, and grows again.
type restorable struct {
	readmodel.Store
	now  *world
	away error // of the log
}

func (r *restorable) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	return r.now.store.Snapshot(ctx)
}

func (r *restorable) hashes(ctx context.Context, at []domain.Position) (map[domain.Position]domain.EventHash, error) {
	if r.away != nil {
		return nil, r.away
	}
	return r.now.hashesOf(ctx, at)
}

// grown returns a world in which the events of a backup are followed by n chirps, whose
// ids are those of a history, and its users.
func grown(t *testing.T, history string, n int) (w *world, ann, bob readmodel.UserKey) {
	w = newWorld(t)
	ann, bob = w.register(), w.register()
	w.follow(ann, bob)
	w.post(bob, readmodel.Push)
	w.history = history
	for range n {
		w.post(bob, readmodel.Push)
	}
	return w, ann, bob
}

func TestRowsOfAHistoryThatWasUndoneAreForgotten(t *testing.T) {
	for name, n := range map[string]int{"not grown": 0, "shorter": 1, "as long": 3, "longer": 5} {
		t.Run(name, func(t *testing.T) {
			before, ann, bob := grown(t, "old", 3)
			r := &restorable{now: before}
			s := &query.Service{Views: r, Hashes: r.hashes, Cache: query.NewCache(1 << 20)}
			old := open(t, s, 0)
			page(t, old, ann)
			r.now, _, _ = grown(t, "new", n)
			for _, away := range []error{errors.New("the log is away"), nil, nil} {
				r.away = away
				wantIDs(t, open(t, s, 0), ann, r.now)
				wantIDs(t, old, ann, before) // whose rows must not be kept for others
				r.now.post(bob, readmodel.Push)
				wantIDs(t, open(t, s, 0), ann, r.now)
			}
		})
	}
}

// Views that are restored before the log show what the log does not have.
func TestRowsThatTheLogDoesNotHaveAreNotKept(t *testing.T) {
	log, ann, bob := grown(t, "old", 3)
	r := &restorable{now: log}
	s := &query.Service{Views: r, Hashes: log.hashesOf, Cache: query.NewCache(1 << 20)}
	r.now, _, _ = grown(t, "new", 2)
	log.post(bob, readmodel.Push)
	for _, shown := range []*world{log, r.now, log} {
		r.now = shown
		early := open(t, s, 0)
		wantIDs(t, early, ann, shown)
		wantIDs(t, open(t, s, 0), ann, shown)
	}
	other, _, _ := grown(t, "old", 1)
	for _, shown := range []*world{r.now, other} {
		r.now = shown
		wantIDs(t, open(t, s, 0), ann, shown)
	}
}

// wantIDs reads a feed, which must be the world's.
func wantIDs(t *testing.T, r *query.Reader, viewer readmodel.UserKey, w *world) {
	t.Helper()
	edges, _ := page(t, r, viewer)
	var got, want []domain.ChirpID
	for _, e := range edges {
		got = append(got, e.Node.ID)
	}
	for _, c := range w.oracle.Feed(userID(viewer)) {
		want = append(want, c.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A generation may have decided otherwise how a chirp is delivered.
func TestRowsOfAnotherGenerationAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.cache = query.NewCache(1 << 20)
	ann, bob := w.register(), w.register()
	w.follow(ann, bob)
	w.post(bob, readmodel.Push)
	s := w.service()
	page(t, open(t, s, 0), ann)
	v := &countedViews{Store: renumbered{w.store}}
	s.Views = v
	for _, want := range []int{5, 2} {
		v.reads = 0
		if page(t, open(t, s, 0), ann); v.reads != want {
			t.Errorf("got %d reads, want %d", v.reads, want)
		}
	}
}

// renumbered shows the generation under the next number.
type renumbered struct{ readmodel.Store }

func (v renumbered) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	s, err := v.Store.Snapshot(ctx)
	return renumberedSnapshot{s}, err
}

type renumberedSnapshot struct{ readmodel.Snapshot }

func (s renumberedSnapshot) Generation() readmodel.Generation {
	g := s.Snapshot.Generation()
	g.Number++
	return g
}

func TestACacheIsBounded(t *testing.T) {
	const most = 10_000
	w := newWorld(t)
	w.cache = query.NewCache(most)
	ann := w.register()
	for range 30 {
		u := w.register()
		w.follow(ann, u)
		w.post(u, readmodel.Push)
	}
	first := 50
	for range 3 {
		r := open(t, w.service(), 0)
		if c, err := r.Feed(t.Context(), userID(ann), query.Page{First: &first}); err != nil || len(c.Edges) != 30 {
			t.Errorf("got %d rows, error %v; want 30", len(c.Edges), err)
		}
		page(t, r, ann)
		got := w.cache.Stats()
		if sum := got.Chirps.Bytes + got.Users.Bytes; sum > most || got.Chirps.Rows < 10 || got.Users.Rows < 5 {
			t.Errorf("got %+v, want several rows of each kind and at most %d bytes", got, most)
		}
	}
}
