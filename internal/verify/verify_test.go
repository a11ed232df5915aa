package verify_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/eventstore"
	"chirp/internal/verify"
)

func TestCleanStoresVerifyClean(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s, _ := k.open(t)
			w, random := newWriter(s.Log()), rand.New(rand.NewPCG(1, 2))
			for range 3 {
				w.random(t, random, 40)
				project(t, s.Log(), s.Views())
				w.random(t, random, 10)                                 // the views are behind these
				for _, d := range []time.Duration{0, time.Nanosecond} { // one snapshot, and one a user
					wantClean(t, verify.Config{Log: s.Log(), Views: s.Views(), SnapshotTime: d})
				}
			}
			wantEveryEvent(t, s.Log())
		})
	}
}

// wantEveryEvent checks that a log has an event of each type with a golden file.
func wantEveryEvent(t *testing.T, log eventstore.Log) {
	t.Helper()
	files, err := filepath.Glob("../domain/testdata/*.v*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d golden files, error %v", len(files), err)
	}
	events, err := log.ReadAll(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if !slices.ContainsFunc(events, func(e eventstore.Event) bool { return e.Type == name }) {
			t.Errorf("the random history has no %s; let writer.random append one", name)
		}
	}
}

func wantClean(t *testing.T, cfg verify.Config) {
	t.Helper()
	sum, lines := found(t, cfg)
	if len(lines) > 0 {
		t.Errorf("got differences:\n%s", strings.Join(lines, "\n"))
	}
	if sum.Lists == 0 || sum.Lists > sum.Users || sum.TimelineEntries == 0 || sum.Follows == 0 || sum.Chirps == 0 ||
		sum.Events != int64(sum.Head) || sum.Generation.Checkpoint.Position >= sum.Head {
		t.Errorf("got the summary %+v, want lists, entries, follows and chirps, and views that are behind", sum)
	}
}

func TestASampleComparesSomeUsersLists(t *testing.T) {
	s, p := kinds[0].open(t)
	newWriter(s.Log()).small(t)
	project(t, s.Log(), s.Views())
	execute(t, p, "views-1.db", "DELETE FROM timeline")
	execute(t, p, "views-1.db", "UPDATE profiles SET chirps = 9")
	drawn := make(map[string]bool)
	for seed := range uint64(40) {
		sum, lines := found(t, verify.Config{Log: s.Log(), Views: s.Views(), Sample: 2, Seed: seed})
		_, again := found(t, verify.Config{Log: s.Log(), Views: s.Views(), Sample: 2, Seed: seed})
		all := strings.Join(lines, "\n")
		if n := strings.Count(all, "chirps count of @"); sum.Lists != 2 || n != 4 || all != strings.Join(again, "\n") {
			t.Fatalf("seed %d: got %d users' lists and the differences\n%s\nwant 2, all 4 profiles, and the same again", seed, sum.Lists, all)
		}
		for _, user := range []string{"@bob", "@cid"} {
			if strings.Contains(all, "timeline entry 9 of "+user) {
				drawn[user] = true
			}
		}
	}
	if len(drawn) != 2 {
		t.Errorf("40 seeds drew only %v of two users with timelines", drawn)
	}
}

func TestDifferencesBeyondTheCapAreCounted(t *testing.T) {
	s, p := kinds[0].open(t)
	newWriter(s.Log()).small(t)
	project(t, s.Log(), s.Views())
	execute(t, p, "views-1.db", "UPDATE profiles SET chirps = 9")
	reported := 0
	sum, err := verify.Run(t.Context(), verify.Config{
		Log: s.Log(), Views: s.Views(), MaxReports: 3, Report: func(verify.Difference) { reported++ },
	})
	if err != nil || reported != 3 || sum.Differences != 4 {
		t.Errorf("got %d reports of %d differences, error %v; want 3 of 4", reported, sum.Differences, err)
	}
}
