package integrity_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

// TestNoEpochIsGeneratedForEventsThatHaveLostTheirs opens, in every way, a database
// whose log document is gone, and follows the advice.
func TestNoEpochIsGeneratedForEventsThatHaveLostTheirs(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	epoch := storetest.Epoch(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	log := db.Collection("log")
	var backup bson.D
	if err := log.FindOne(t.Context(), bson.D{}).Decode(&backup); err != nil {
		t.Fatal(err)
	}
	if err := log.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]mongodb.Options{
		"to serve": {}, "to read": {ReadOnly: true}, "to rebuild": {Existing: true}, "to import": {Import: true},
	} {
		again, err := mongodb.Open(t.Context(), mongotest.URI(t), db.Name(), o)
		if err == nil {
			again.Close()
		}
		for _, says := range []string{"has lost its log", "the document of the collection log is gone", "estore the whole database", "import an export into a new one"} {
			if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), says) {
				t.Errorf("Open %s: got %v, want kind Invalid and %q", name, err, says)
			}
		}
	}
	if n, err := log.CountDocuments(t.Context(), bson.D{}); n != 0 || err != nil {
		t.Errorf("the collection log has %d documents (%v), want none", n, err)
	}
	if _, err := log.InsertOne(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	repaired, closeRepaired := storetest.Open(t, db.Name())
	defer closeRepaired()
	if got := storetest.Epoch(t, repaired); got != epoch {
		t.Errorf("Epoch after the restore: got %s, want %s", got, epoch)
	}
}

// TestViewsAreNotBuiltFromALogThatWasReplaced calls Serving repeatedly, as a projector
// does, for a log that is no longer there.
func TestViewsAreNotBuiltFromALogThatWasReplaced(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(ctx context.Context, log *mongo.Collection) error{
		"by another": func(ctx context.Context, log *mongo.Collection) error {
			_, err := log.UpdateByID(ctx, "log", bson.D{{Key: "$set", Value: bson.D{{Key: "epoch", Value: "another"}}}})
			return err
		},
		"by none": func(ctx context.Context, log *mongo.Collection) error { return log.Drop(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, db, _ := openMonitored(t)
			epoch := storetest.Epoch(t, store)
			serve := func() error {
				_, err := store.Views().Serving(t.Context(), epoch, 10)
				return err
			}
			if err := serve(); err != nil {
				t.Fatal(err)
			}
			collections := func() int {
				names, err := db.ListCollectionNames(t.Context(), bson.D{})
				if err != nil {
					t.Fatal(err)
				}
				return len(names)
			}
			if err := replace(t.Context(), db.Collection("log")); err != nil {
				t.Fatal(err)
			}
			want := collections()
			for range 3 {
				if err := serve(); domain.KindOf(err) != domain.Unavailable {
					t.Errorf("Serving: got %v, want kind Unavailable", err)
				}
			}
			if got := collections(); got != want {
				t.Errorf("collections: got %d, want %d as before", got, want)
			}
		})
	}
}

// TestDocumentsThatPreventAnIndexAreNamed starts on a log that lost its indexes and has
// strays that they cannot hold, and on a collection of another program. Neither start
// may advise to delete events.
func TestDocumentsThatPreventAnIndexAreNamed(t *testing.T) {
	t.Parallel()
	for name, ids := range map[string][2]any{
		"with numbers beyond the log": {int64(1000), int64(1001)},
		"with names":                  {"first", "second"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, db, _ := openMonitored(t)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			events, foreign := db.Collection("events"), storetest.Client(t, mongotest.URI(t)).Database(mongotest.Database(t))
			if err := events.Indexes().DropAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, in := range []*mongo.Collection{events, foreign.Collection("events")} {
				if _, err := in.InsertMany(t.Context(), []bson.D{{{Key: "_id", Value: ids[0]}}, {{Key: "_id", Value: ids[1]}}}); err != nil {
					t.Fatal(err)
				}
			}
			for _, database := range []string{db.Name(), foreign.Name()} {
				again, err := mongodb.Open(t.Context(), mongotest.URI(t), database, mongodb.Options{})
				if err == nil {
					again.Close()
				}
				for _, says := range []string{"remove what does not belong there", "--mongodb-database", fmt.Sprint(ids[0]), fmt.Sprint(ids[1])} {
					if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "delete") {
						t.Errorf("Open: got %v, want kind Invalid, %q and no advice to delete events", err, says)
					}
				}
			}
			if _, err := events.DeleteMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids[:]}}}}); err != nil {
				t.Fatal(err)
			}
			repaired, closeRepaired := storetest.Open(t, db.Name())
			defer closeRepaired()
			wantHead(t, repaired.Log(), 3)
			if problems := repaired.Problems(); len(problems) > 0 {
				t.Errorf("Problems: got %q, want none", problems)
			}
		})
	}
}
