package views_test

import (
	"context"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/views"
)

// TestAFanOutComesToEachPageOfTheIndexOnce delivers to users who have followed in the
// reverse order of their keys.
func TestAFanOutComesToEachPageOfTheIndexOnce(t *testing.T) {
	s, ctx := newStage(t, 100), context.Background()
	s.add(func(b *readmodel.Batch) {
		author := s.register(b)
		for i := range 250 {
			s.follow(b, readmodel.UserKey(1<<32-i), author, false)
		}
		s.fanOut(b, author)
	})
	cursor, err := views.Database(s.store).Collection("timelines_1").
		Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	var rows []struct {
		Owners []int64 `bson:"o"`
	}
	if err == nil {
		err = cursor.All(ctx, &rows)
	}
	if err != nil {
		t.Fatal(err)
	}
	var owners []int64
	for _, r := range rows {
		owners = append(owners, r.Owners...)
	}
	if len(rows) != 3 || len(owners) != 250 || !slices.IsSorted(owners) {
		t.Errorf("a fan-out to 250: got %d rows with %d owners, sorted: %v; want 3 rows in the order of the owners", len(rows), len(owners), slices.IsSorted(owners))
	}
}

// TestTheTimelinesIndexHasSmallPages looks at views that were empty when they began to
// serve, and at others that were built.
func TestTheTimelinesIndexHasSmallPages(t *testing.T) {
	s, ctx := newStage(t, 0), context.Background()
	b, err := s.store.Build(ctx, "epoch", 10_000)
	if err == nil {
		err = b.Finish(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"timelines_1", "timelines_2"} {
		cursor, err := views.Database(s.store).Collection(name).Indexes().List(ctx)
		var indexes []struct {
			Name   string
			Engine struct {
				WiredTiger struct {
					Config string `bson:"configString"`
				} `bson:"wiredTiger"`
			} `bson:"storageEngine"`
		}
		if err == nil {
			err = cursor.All(ctx, &indexes)
		}
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, i := range indexes {
			got[i.Name] = i.Engine.WiredTiger.Config
		}
		if got["owner"] != "leaf_page_max=4KB" {
			t.Errorf("%s: got the indexes %v, want that on owner in pages of 4 kB", name, got)
		}
	}
}
