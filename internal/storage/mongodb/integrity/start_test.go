package integrity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestStartNamesDuplicateEventsAndItsAdviceIsRight(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	events := db.Collection("events")
	if err := events.Indexes().DropAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc := func(position int64, stream, command string, first bool) bson.D {
		d := bson.D{{Key: "_id", Value: position}, {Key: "stream", Value: stream}, {Key: "version", Value: int64(1)}, {Key: "type", Value: "test.happened.v1"}, {Key: "data", Value: bson.D{}},
			{Key: "recordedAt", Value: time.Now()}, {Key: "actor", Value: "tester"}, {Key: "commandId", Value: command}}
		if first {
			d = append(d, bson.E{Key: "command", Value: bson.D{{Key: "fingerprint", Value: "f"}, {Key: "events", Value: int64(2)}}})
		}
		return d
	}
	docs := []bson.D{doc(4, "own", "x", true), doc(5, "s1", "x", false), doc(6, "own2", "y", true), doc(7, "s1", "y", false)}
	if _, err := events.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	again, err := mongodb.Open(t.Context(), mongotest.URI(t), db.Name(), mongodb.Options{})
	if err == nil {
		again.Close()
	}
	advice := "db.events.deleteMany({_id: {$gte: NumberLong(4)}})"
	if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), `"stream": "s1"`) || !strings.Contains(err.Error(), "at the positions 2, 5, 7") || !strings.Contains(err.Error(), advice) {
		t.Fatalf("Open: got %v, want it to name the events 2, 5 and 7 of the stream s1 and to advise %s", err, advice)
	}
	if _, err := events.DeleteMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: int64(4)}}}}); err != nil {
		t.Fatal(err)
	}
	once, closeOnce := storetest.Open(t, db.Name())
	defer closeOnce()
	wantHead(t, once.Log(), 3)
	if problems := once.Problems(); len(problems) > 0 {
		t.Errorf("Problems after the cut: got %q, want none", problems)
	}
	storetest.MustAppend(t, once.Log(), storetest.To("afterwards", 0, "afterwards"))
}

func TestStartRefusesADatabaseThatLostItsEventsAndItsAdviceIsRight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(ctx context.Context, db *mongo.Database) error
	}{
		"dropped": {func(ctx context.Context, db *mongo.Database) error { return db.Collection("events").Drop(ctx) }},
		"emptied": {func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("events").DeleteMany(ctx, bson.D{})
			return err
		}},
	} {
		for remedy, apply := range map[string]func(t *testing.T, db *mongo.Database, backup []bson.D) domain.Position{
			"restored": func(t *testing.T, db *mongo.Database, backup []bson.D) domain.Position {
				if err := db.Collection("events").Drop(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := db.Collection("events").InsertMany(t.Context(), backup); err != nil {
					t.Fatal(err)
				}
				return 3
			},
			"imported": func(t *testing.T, db *mongo.Database, _ []bson.D) domain.Position {
				importer := storetest.OpenImport(t, db.Name())
				if err := importer.Import(t.Context(), "epoch", storetest.OneEvent()); err != nil {
					t.Fatal(err)
				}
				return 1
			},
			"begun again": func(t *testing.T, db *mongo.Database, _ []bson.D) domain.Position {
				if err := db.Drop(t.Context()); err != nil {
					t.Fatal(err)
				}
				return 0
			},
		} {
			t.Run(name+" and "+remedy, func(t *testing.T) {
				t.Parallel()
				store, db, _ := openMonitored(t)
				var backup []bson.D
				cursor, err := db.Collection("events").Find(t.Context(), bson.D{})
				if err == nil {
					err = cursor.All(t.Context(), &backup)
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
				if err := c.lose(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				again, err := mongodb.Open(t.Context(), mongotest.URI(t), db.Name(), mongodb.Options{})
				if err == nil {
					again.Close()
				}
				for _, advice := range []string{"has lost its log", "estore the whole database", "import an export", "drop the whole database"} {
					if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), advice) {
						t.Fatalf("Open: got %v, want kind Invalid and %q", err, advice)
					}
				}
				want := apply(t, db, backup)
				mended, closeMended := storetest.Open(t, db.Name())
				defer closeMended()
				wantHead(t, mended.Log(), want)
				storetest.MustAppend(t, mended.Log(), storetest.To("afterwards", 0, "afterwards"))
			})
		}
	}
}

func TestARestartAcceptsALogThatWasRestored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		restore func(ctx context.Context, db *mongo.Database) error
		head    domain.Position
		says    string
	}{
		"as it was": {replaceEvents, 3, "was replaced while this server ran"},
		"shorter than it was": {func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("events").DeleteOne(ctx, bson.D{{Key: "_id", Value: 3}})
			return err
		}, 2, "the log ends at position 2, and has been at 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, db, _ := openMonitored(t)
			if err := c.restore(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			storetest.Eventually(t, "a restart is advised", hasProblem(store, c.says+": stop all servers, restore the whole database from a backup, or import an export into a new one, unless that was just done, and start them again"))
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			again, closeAgain := storetest.Open(t, db.Name())
			defer closeAgain()
			wantHead(t, again.Log(), c.head)
			storetest.MustAppend(t, again.Log(), storetest.To("afterwards", 0, "afterwards"))
			if problems := again.Problems(); len(problems) > 0 {
				t.Errorf("Problems after the restart: got %q, want none", problems)
			}
		})
	}
}
