package views_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/views"
)

// building returns a stage whose batches go to a generation that is being built.
func building(t *testing.T) *stage {
	s := newStage(t, 0)
	s.build()
	return s
}

func (s *stage) build() {
	s.Helper()
	b, err := s.store.Build(context.Background(), "epoch", 10)
	if err != nil {
		s.Fatal(err)
	}
	g, err := b.Generation(context.Background())
	if err != nil {
		s.Fatal(err)
	}
	s.writer, s.at = b, g.Checkpoint.Position
}

func (s *stage) builder() readmodel.Builder { return s.writer.(readmodel.Builder) }

// populate registers three users who post, and adds followers of them.
func (s *stage) populate(followers [3]int, chirps [3]int) (authors [3]readmodel.UserKey, want map[readmodel.UserKey][]domain.Position) {
	want = map[readmodel.UserKey][]domain.Position{}
	var posted [3][]domain.Position
	s.add(func(b *readmodel.Batch) {
		for i := range authors {
			authors[i] = s.register(b)
			b.Profiles[i].Followers, b.Profiles[i].Pushed, b.Profiles[i].Chirps = int64(followers[i]), int64(chirps[i]), int64(chirps[i])
			for range chirps[i] {
				posted[i] = append(posted[i], s.post(b, authors[i], readmodel.Push))
			}
			s.post(b, authors[i], readmodel.Pull)
		}
	})
	s.add(func(b *readmodel.Batch) {
		for i, author := range authors {
			for f := range followers[i] {
				owner := readmodel.UserKey(1_000_000 + f)
				s.follow(b, owner, author, false)
				b.Backfills = append(b.Backfills, s.all(owner, author))
				want[owner] = append(want[owner], posted[i]...)
			}
		}
	})
	return authors, want
}

// wantTimelines compares the timelines of the serving generation.
func (s *stage) wantTimelines(want map[readmodel.UserKey][]domain.Position) {
	s.Helper()
	snap, err := s.store.Snapshot(context.Background())
	if err != nil {
		s.Fatal(err)
	}
	defer snap.Close()
	for owner, positions := range want {
		slices.Sort(positions)
		got, err := snap.Timeline(context.Background(), owner, readmodel.Window{Limit: 10_000, Ascending: true})
		if err != nil {
			s.Fatal(err)
		}
		if !slices.Equal(got, positions) {
			s.Errorf("the timeline of %d: got %v, want %v", owner, got, positions)
		}
	}
}

// TestTimelinesAreBuiltInSteps builds them in steps that hold many authors, a few chirps
// of one author, or a few followers of one chirp, and interrupts the build at each step.
func TestTimelinesAreBuiltInSteps(t *testing.T) {
	for _, perStep := range []int64{1, 7, 40, 1000} {
		t.Run(fmt.Sprintf("of %d entries", perStep), func(t *testing.T) {
			s := building(t)
			views.SetStep(s.store, perStep)
			authors, want := s.populate([3]int{12, 3, 9}, [3]int{2, 11, 4})
			for broken := 0; ; broken++ {
				steps, more := broken, true
				ctx, stop := context.WithCancel(context.Background())
				views.OnStep(s.store, func() {
					if steps--; steps < 0 {
						stop()
					}
				})
				if err := s.builder().Finish(ctx); err == nil {
					more = false
				} else if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				stop()
				if s.build(); !more {
					break
				}
			}
			views.OnStep(s.store, nil)
			s.add(func(b *readmodel.Batch) {
				s.fanOut(b, authors[1])
				for f := range 3 {
					owner := readmodel.UserKey(1_000_000 + f)
					want[owner] = append(want[owner], s.at)
				}
			})
			if err := s.builder().Switch(context.Background()); err != nil {
				t.Fatal(err)
			}
			s.wantTimelines(want)
		})
	}
}

// TestApplyAfterAnInterruptedFinish continues with a generation whose timelines were
// begun.
func TestApplyAfterAnInterruptedFinish(t *testing.T) {
	s := building(t)
	views.SetStep(s.store, 5)
	authors, want := s.populate([3]int{4, 3, 2}, [3]int{3, 3, 3})
	ctx, stop := context.WithCancel(context.Background())
	steps := 0
	views.OnStep(s.store, func() {
		if steps++; steps == 3 {
			stop()
		}
	})
	if err := s.builder().Finish(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Finish: got %v, want context.Canceled", err)
	}
	views.OnStep(s.store, nil)
	s.add(func(b *readmodel.Batch) {
		b.Unfollows = []readmodel.Follow{{Follower: 1_000_000, Followee: authors[0]}}
		b.Cleanups = []readmodel.Delivered{s.all(1_000_000, authors[0])}
		b.Profiles = []readmodel.Profile{profile(authors[0])}
		s.next()
	})
	want[1_000_000] = want[1_000_000][3:]
	if err := s.builder().Switch(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.wantTimelines(want)
}

// TestSwitchInTheMiddleOfAnEvent starts again with an event that was applied in part.
func TestSwitchInTheMiddleOfAnEvent(t *testing.T) {
	s := building(t)
	authors, want := s.populate([3]int{4, 0, 0}, [3]int{3, 0, 0})
	part := readmodel.Batch{
		From: readmodel.Checkpoint{Position: s.at}, To: readmodel.Checkpoint{Position: s.at, Partial: 3},
		Backfills: []readmodel.Delivered{{Owner: 5, Author: authors[0], Range: readmodel.Range{Through: 3}}},
	}
	for _, err := range []error{
		s.writer.Apply(context.Background(), part), s.builder().Finish(context.Background()), s.builder().Switch(context.Background()),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want[5] = nil
	s.wantTimelines(want)
	g, err := s.writer.Generation(context.Background())
	if want := (readmodel.Checkpoint{Position: s.at}); err != nil || g.Checkpoint != want {
		t.Errorf("the checkpoint: got %+v, error %v; want %+v", g.Checkpoint, err, want)
	}
}

// TestSnapshotOfADroppedGenerationSaysSo reads rows that exist and rows that do not,
// before and after the generation is dropped.
func TestSnapshotOfADroppedGenerationSaysSo(t *testing.T) {
	s := newStage(t, 0)
	s.meet()
	snap, err := s.store.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	views.Age(snap, 2*time.Second)
	reads := func() (errs [3]error) {
		_, errs[0] = snap.ProfileByID(context.Background(), profile(1).ID)
		_, errs[1] = snap.ProfileByID(context.Background(), profile(99).ID)
		_, errs[2] = snap.Following(context.Background(), 1, readmodel.Window{Limit: 5})
		return errs
	}
	if errs := reads(); errs[0] != nil || !errors.Is(errs[1], readmodel.ErrNotFound) || errs[2] != nil {
		t.Errorf("reads before the drop: got %v", errs)
	}
	s.build()
	s.add(func(*readmodel.Batch) { s.at = 100 })
	if err := s.builder().Switch(context.Background()); err != nil {
		t.Fatal(err)
	}
	if errs := reads(); errs[0] != nil || !errors.Is(errs[1], readmodel.ErrNotFound) || errs[2] != nil {
		t.Errorf("reads after the switch: got %v", errs)
	}
	if dropped, err := s.store.DropRetired(context.Background(), 0); err != nil || len(dropped) != 1 {
		t.Fatalf("DropRetired: got %v, error %v; want one generation", dropped, err)
	}
	for i, err := range reads() {
		if domain.KindOf(err) != domain.Unavailable {
			t.Errorf("read %d after the drop: got %v, want kind Unavailable", i, err)
		}
	}
}

func TestASnapshotEndsAfterAMinute(t *testing.T) {
	s := newStage(t, 0)
	s.meet()
	snap, err := s.store.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	views.Age(snap, 2*time.Minute)
	if _, err := snap.ProfileByID(context.Background(), profile(1).ID); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("a read after two minutes: got %v, want kind Unavailable", err)
	}
}
