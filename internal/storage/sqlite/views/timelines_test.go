package views

import (
	"errors"
	"slices"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// crowded returns a batch with users 1 to 4, of whom 2 to 4 follow user 1, who has
// posted n chirps: the first follower skips half of them.
func crowded(n int) readmodel.Batch {
	b := readmodel.Batch{To: readmodel.Checkpoint{Position: domain.Position(100 + n)}}
	for key := range readmodel.UserKey(4) {
		b.Profiles = append(b.Profiles, readmodel.Profile{Key: key + 1, ID: domain.UserID('a' + rune(key)), Username: domain.Username('a' + rune(key))})
	}
	b.Profiles[0].Followers, b.Profiles[0].Pushed = 3, int64(n)
	for i := range n {
		b.Chirps = append(b.Chirps, readmodel.Chirp{Position: domain.Position(101 + i), ID: domain.ChirpID('a' + rune(i)), Author: 1})
	}
	for key := range readmodel.UserKey(3) {
		b.Follows = append(b.Follows, readmodel.Follow{Follower: key + 2, Followee: 1, Since: domain.Position(10 + key)})
	}
	b.Follows[0].Split = readmodel.Split{Older: domain.Position(100 + n/2), Skipped: int64(n / 2)}
	return b
}

// timelineOf returns the timeline of a user in the serving views.
func timelineOf(t *testing.T, v *Store, owner readmodel.UserKey) []domain.Position {
	t.Helper()
	s, err := v.Snapshot(t.Context())
	wantNil(t, err)
	defer s.Close()
	got, err := s.Timeline(t.Context(), owner, readmodel.Window{Limit: 100, Ascending: true})
	wantNil(t, err)
	return got
}

func positions(from, to int) (list []domain.Position) {
	for p := from; p <= to; p++ {
		list = append(list, domain.Position(p))
	}
	return list
}

// column reads the first column of a query from the generation of a builder.
func column[R any](t *testing.T, b readmodel.Builder, query string) (list []R) {
	t.Helper()
	wantNil(t, b.(*builder).generation.withWriter(func(c *conn) (err error) {
		list, err = collect(c, scanOne[R], query)
		return err
	}))
	return list
}

func TestTimelinesAreBuiltInVolumes(t *testing.T) {
	l := defaultLimits()
	l.room = 9
	v := openTestStoreWith(t, t.TempDir(), Options{Exclusive: true}, l)
	serveViews(t, v)
	b, err := v.Build(t.Context(), testEpoch, 10)
	wantNil(t, err)
	batch := crowded(60)
	batch.FanOuts = []readmodel.FanOut{{Chirp: 101, Author: 1, Range: readmodel.Range{Through: 160}}}
	wantNil(t, b.Apply(t.Context(), batch))
	if n := column[int](t, b, "SELECT count(*) FROM timeline"); n[0] != 0 {
		t.Errorf("there are %d entries before Finish", n[0])
	}
	if _, err := openGeneration(v.dir, 2, l, true); !errors.As(err, new(*unfitError)) {
		t.Errorf("views without timelines were opened to serve: %v", err)
	}
	wantNil(t, b.Finish(t.Context()))
	// A volume has room for 16 entries for each of the four users.
	if got, want := column[int64](t, b, "SELECT start FROM volumes ORDER BY start"), []int64{0, 123, 145}; !slices.Equal(got, want) {
		t.Errorf("the volumes begin at %v, want %v", got, want)
	}
	if got, want := column[int64](t, b, "SELECT delivered FROM volumes ORDER BY start"), []int64{2 * 22, 2*22 + 14, 3 * 16}; !slices.Equal(got, want) {
		t.Errorf("the volumes have %v entries, want %v", got, want)
	}
	// After Finish a batch delivers as it does for a projector.
	wantNil(t, b.Apply(t.Context(), readmodel.Batch{
		From: batch.To, To: readmodel.Checkpoint{Position: 170},
		Chirps:  []readmodel.Chirp{{Position: 170, ID: "late", Author: 1}},
		FanOuts: []readmodel.FanOut{{Chirp: 170, Author: 1, Range: readmodel.Range{Through: 170}}},
	}))
	wantNil(t, b.Switch(t.Context()))
	for owner, want := range map[readmodel.UserKey][]domain.Position{
		1: nil, 2: append(positions(131, 160), 170), 3: append(positions(101, 160), 170), 4: append(positions(101, 160), 170),
	} {
		if got := timelineOf(t, v, owner); !slices.Equal(got, want) {
			t.Errorf("the timeline of %d: got %v, want %v", owner, got, want)
		}
	}
}

func TestSwitchForgetsThePartOfAnEvent(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	serveViews(t, v)
	b, err := v.Build(t.Context(), testEpoch, 10)
	wantNil(t, err)
	batch := crowded(4)
	wantNil(t, b.Apply(t.Context(), batch))
	part := batch.To
	part.Partial = 11
	wantNil(t, b.Apply(t.Context(), readmodel.Batch{
		From: batch.To, To: part, Cleanups: []readmodel.Delivered{{Owner: 3, Author: 1, Range: readmodel.Range{Through: 102}}},
	}))
	wantNil(t, b.Finish(t.Context()))
	if g, err := b.Generation(t.Context()); err != nil || g.Checkpoint != part {
		t.Errorf("after Finish the generation is %+v, %v, want the checkpoint %+v", g, err, part)
	}
	wantNil(t, b.Switch(t.Context()))
	s, err := v.Snapshot(t.Context())
	wantNil(t, err)
	defer s.Close()
	if at := s.Generation().Checkpoint; at != batch.To {
		t.Errorf("after the switch the checkpoint is %+v, want %+v", at, batch.To)
	}
	if got, want := timelineOf(t, v, 3), positions(101, 104); !slices.Equal(got, want) {
		t.Errorf("the timeline of 3: got %v, want %v", got, want)
	}
}
