package views_test

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/views"
)

// planned is what the server's profiler records of a command.
type planned struct {
	NS       string `bson:"ns"`
	Op       string `bson:"op"`
	Plan     string `bson:"planSummary"`
	Sorted   bool   `bson:"hasSortStage"`
	Keys     int64  `bson:"keysExamined"`
	Docs     int64  `bson:"docsExamined"`
	Returned int64  `bson:"nreturned"`
}

// profiled returns the reads and writes of the views' rows that a func makes.
func profiled(t *testing.T, db *mongo.Database, run func() error) []planned {
	t.Helper()
	ctx := context.Background()
	level := func(n int) {
		if err := db.RunCommand(ctx, bson.D{{Key: "profile", Value: n}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	level(2)
	err := run()
	level(0)
	if err != nil {
		t.Fatal(err)
	}
	var calls []planned
	rows := bson.Regex{Pattern: `\.(profiles|chirps|follows|timelines)_`}
	cursor, err := db.Collection("system.profile").Find(ctx, bson.D{{Key: "ns", Value: rows}, {Key: "planSummary", Value: bson.D{{Key: "$exists", Value: true}}}})
	if err == nil {
		err = cursor.All(ctx, &calls)
	}
	if err == nil {
		err = db.Collection("system.profile").Drop(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

// crowd returns 300 authors with 10 pushed and 10 pulled chirps each. The first one
// follows all others, whose older chirps end at different positions, and they follow
// the first.
func crowd(t *testing.T) (*stage, []readmodel.UserKey) {
	s := newStage(t, 0)
	var authors []readmodel.UserKey
	s.add(func(b *readmodel.Batch) {
		for range 300 {
			authors = append(authors, s.register(b))
		}
		for _, a := range authors[1:] {
			s.follow(b, authors[0], a, true)
			b.Follows[len(b.Follows)-1].Split = readmodel.Split{Older: 5000 + domain.Position(a), Skipped: 5}
			s.follow(b, a, authors[0], false)
		}
	})
	for range 10 {
		s.add(func(b *readmodel.Batch) {
			for _, a := range authors {
				s.fanOut(b, a)
				s.post(b, a, readmodel.Pull)
			}
		})
	}
	return s, authors
}

func TestReadsAreIndexed(t *testing.T) {
	s, authors := crowd(t)
	one, page := authors[0], readmodel.Window{Limit: 10, Before: s.at, After: 1}
	var pulled, older []readmodel.Source
	for _, a := range authors {
		pulled = append(pulled, readmodel.Source{Author: a, Delivery: readmodel.Pull})
		older = append(older, readmodel.Source{Author: a, Delivery: readmodel.Push, Through: 5000 + domain.Position(a)})
	}
	ctx := context.Background()
	for _, read := range []struct {
		name string
		keys int64 // the most index keys for a call
		docs int64 // the most documents
		run  func(readmodel.Snapshot) error
	}{
		{"ProfileByID", 1, 1, func(r readmodel.Snapshot) error { _, err := r.ProfileByID(ctx, profile(one).ID); return err }},
		{"ProfileByName", 1, 1, func(r readmodel.Snapshot) error { _, err := r.ProfileByName(ctx, profile(one).Username); return err }},
		{"Profiles", 11, 10, func(r readmodel.Snapshot) error { _, err := r.Profiles(ctx, authors[:10]); return err }},
		{"ChirpsBy", 13, 0, func(r readmodel.Snapshot) error { _, err := r.ChirpsBy(ctx, one, page); return err }},
		{"RecentChirps", 10, 0, func(r readmodel.Snapshot) error { _, err := r.RecentChirps(ctx, page); return err }},
		{"RecentProfiles", 10, 10, func(r readmodel.Snapshot) error { _, err := r.RecentProfiles(ctx, page); return err }},
		{"Timeline", 20, 0, func(r readmodel.Snapshot) error { _, err := r.Timeline(ctx, one, page); return err }},
		{"Sources", 300, 0, func(r readmodel.Snapshot) error { _, err := r.Sources(ctx, one, 0); return err }},
		{"SourceChirps", 420, 0, func(r readmodel.Snapshot) error { _, err := r.SourceChirps(ctx, pulled, page); return err }},
		{"SourceChirps of older chirps", 420, 0, func(r readmodel.Snapshot) error { _, err := r.SourceChirps(ctx, older, page); return err }},
		{"Followers", 11, 10, func(r readmodel.Snapshot) error { _, err := r.Followers(ctx, one, page); return err }},
		{"Following", 11, 10, func(r readmodel.Snapshot) error { _, err := r.Following(ctx, one, page); return err }},
		{"Follows", 20, 10, func(r readmodel.Snapshot) error { _, err := r.Follows(ctx, one, authors[1:11]); return err }},
		{"FolloweeIDs", 600, 299, func(r readmodel.Snapshot) error { _, err := r.FolloweeIDs(ctx, one); return err }},
	} {
		t.Run(read.name, func(t *testing.T) {
			snap, err := s.store.Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer snap.Close()
			calls := profiled(t, views.Database(s.store), func() error { return read.run(snap) })
			if len(calls) == 0 {
				t.Fatal("the profiler saw no call")
			}
			for _, c := range calls {
				checkPlan(t, c, read.keys, read.docs)
			}
		})
	}
}

func checkPlan(t *testing.T, c planned, keys, docs int64) {
	t.Helper()
	if c.Sorted || strings.Contains(c.Plan, "COLLSCAN") || c.Keys > keys || c.Docs > docs {
		t.Errorf("the plan: got %+v, want no scan, no sort, at most %d keys and %d documents", c, keys, docs)
	}
	if strings.Contains(c.NS, ".timelines_") && c.Docs > 0 {
		t.Errorf("a page of a timeline reads %d of its documents, want the index alone: %+v", c.Docs, c)
	}
}

func TestProjectorReadsAreIndexed(t *testing.T) {
	s, authors := crowd(t)
	ctx := context.Background()
	for name, run := range map[string]func() error{
		"FollowersThrough": func() error { _, err := s.writer.FollowersThrough(ctx, authors[0], 1, 100); return err },
		"PushedThrough":    func() error { _, err := s.writer.PushedThrough(ctx, authors[0], 1, 100); return err },
		"fan-outs and backfills": func() error {
			s.add(func(b *readmodel.Batch) {
				s.fanOut(b, authors[0])
				s.fanOut(b, authors[1])
				b.FanOuts = append(b.FanOuts, readmodel.FanOut{Chirp: s.at, Author: authors[2], Range: readmodel.Range{After: 1, Through: 300}})
				b.Backfills = []readmodel.Delivered{s.all(1<<32, authors[0]), s.all(1<<32, authors[1]), s.all(1<<32, authors[3]), s.all(1<<32, authors[4])}
				b.Backfills[2].After, b.Backfills[3].After = 1000, 2000
			})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			calls := profiled(t, views.Database(s.store), run)
			if len(calls) == 0 {
				t.Fatal("the profiler saw no call")
			}
			for _, c := range calls {
				checkPlan(t, c, 310, 0)
			}
		})
	}
}
