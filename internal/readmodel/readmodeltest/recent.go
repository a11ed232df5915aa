package readmodeltest

import (
	"context"

	"pgregory.net/rapid"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// RecentChirps implements readmodel.Snapshot.
func (s snapshot) RecentChirps(_ context.Context, w readmodel.Window) ([]domain.Position, error) {
	return positions(window(pick(s.chirps, func(readmodel.Chirp) bool { return true }), chirpAt, w)), nil
}

// RecentProfiles implements readmodel.Snapshot.
func (s snapshot) RecentProfiles(_ context.Context, w readmodel.Window) ([]readmodel.Profile, error) {
	return window(pick(s.profiles, func(readmodel.Profile) bool { return true }), profileAt, w), nil
}

func profileAt(p readmodel.Profile) domain.Position { return domain.Position(p.Key) }

// checkRecent has users and chirps of three authors, with gaps between them. The
// rows are not written in order, and one is written twice.
func checkRecent(w *world) {
	s := w.snapshotOf(readmodel.Batch{To: readmodel.Checkpoint{Position: 400}})
	same(w, "chirps, of which there are none", recentOf(w, s, everything).Chirps, nil)
	same(w, "users, of which there are none", recentOf(w, s, everything).Profiles, nil)

	var all recent
	for k := readmodel.UserKey(100); k < 160; k += 3 {
		all.Profiles = append(all.Profiles, user(k))
	}
	first := readmodel.Batch{To: readmodel.Checkpoint{Position: 500}, Profiles: all.Profiles}
	for at := domain.Position(229); at > 100; at -= 2 {
		first.Chirps = append(first.Chirps, chirps(100+readmodel.UserKey(at%3)*3, readmodel.Delivery(at/2%2), at)...)
	}
	all.Chirps = first.Chirps
	w.apply(first)
	// A change of a profile does not make it more recent.
	all.Profiles[1].Followers = 7
	w.apply(readmodel.Batch{Profiles: all.Profiles[1:2]})
	s = w.snapshot()
	defer s.Close()
	for _, win := range windows() {
		want := recent{Chirps: window(all.Chirps, chirpAt, win), Profiles: window(all.Profiles, profileAt, win)}
		if d := diff(recentOf(w, s, win), want); d != "" {
			w.Fatalf("window %+v (- want, + got):\n%s", win, d)
		}
	}
}

// snapshotOf applies a batch and returns a snapshot, which is closed when the check
// ends.
func (w *world) snapshotOf(b readmodel.Batch) readmodel.Snapshot {
	w.Helper()
	w.apply(b)
	s := w.snapshot()
	w.Cleanup(s.Close)
	return s
}

type recent struct {
	Chirps   []readmodel.Chirp
	Profiles []readmodel.Profile
}

func recentOf(w *world, s readmodel.Snapshot, win readmodel.Window) recent {
	w.Helper()
	r, err := readRecent(w.ctx, s, win)
	w.ok("RecentChirps or RecentProfiles", err)
	return r
}

func readRecent(ctx context.Context, s readmodel.Snapshot, w readmodel.Window) (recent, error) {
	var r recent
	var failed error
	into(&failed, "RecentChirps", &r.Chirps)(chirpsAt(ctx, s)(s.RecentChirps(ctx, w)))
	into(&failed, "RecentProfiles", &r.Profiles)(s.RecentProfiles(ctx, w))
	return r, failed
}

// compareRecent compares recent rows in a window and in all, including those of
// earlier rounds.
func (r *round) compareRecent(t *rapid.T, w readmodel.Window) {
	for _, w := range []readmodel.Window{{Before: r.at.Position + 1, Limit: 50}, w} {
		got, want := r.recent(t, r.store, w), r.recent(t, r.model, w)
		if d := diff(got, want); d != "" {
			t.Fatalf("recent in window %+v (- want, + got):\n%s", w, d)
		}
	}
}

func (r *round) recent(t *rapid.T, store readmodel.Store, w readmodel.Window) recent {
	s, err := store.Snapshot(r.ctx)
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	defer s.Close()
	found, err := readRecent(r.ctx, s, w)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
