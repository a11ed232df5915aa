package integrity_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/storetest"
)

func TestLossesAreNoticed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	commands := func(db *mongo.Database, commands ...bson.D) error {
		for _, c := range commands {
			if err := db.RunCommand(ctx, c).Err(); err != nil {
				return err
			}
		}
		return nil
	}
	rename := func(db *mongo.Database, from, to string) error {
		return db.Client().Database("admin").RunCommand(ctx, bson.D{{Key: "renameCollection", Value: db.Name() + "." + from}, {Key: "to", Value: db.Name() + "." + to}}).Err()
	}
	set := func(db *mongo.Database, collection string, id any, fields bson.D) error {
		_, err := db.Collection(collection).UpdateByID(ctx, id, bson.D{{Key: "$set", Value: fields}})
		return err
	}
	var removed sync.Map // what an act has removed, by database
	remove := func(db *mongo.Database, collection string, id any) error {
		var doc bson.D
		err := db.Collection(collection).FindOneAndDelete(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&doc)
		removed.Store(db.Name(), doc)
		return err
	}
	putBack := func(db *mongo.Database, collection string) error {
		doc, _ := removed.Load(db.Name())
		_, err := db.Collection(collection).InsertOne(ctx, doc)
		return err
	}
	dropIndex := func(name string) func(*mongo.Database) error {
		return func(db *mongo.Database) error { return db.Collection("events").Indexes().DropOne(ctx, name) }
	}
	for name, c := range map[string]struct {
		act  func(db *mongo.Database) error
		says string
		// now is set if not even the next append may be acknowledged.
		now  bool
		undo func(db *mongo.Database) error // nil if that needs a restart
	}{
		"the collection is dropped":  {func(db *mongo.Database) error { return db.Collection("events").Drop(ctx) }, "collection events is gone", true, nil},
		"the database is dropped":    {func(db *mongo.Database) error { return db.Drop(ctx) }, "collection events is gone", true, nil},
		"the collection is replaced": {func(db *mongo.Database) error { return replaceEvents(ctx, db) }, "collection events was replaced", true, nil},
		"the collection is renamed": {func(db *mongo.Database) error { return rename(db, "events", "away") }, "collection events is gone", true,
			func(db *mongo.Database) error { return rename(db, "away", "events") }},
		"the index on streams is dropped":  {dropIndex("stream_version"), "lacks its unique index stream_version", true, func(db *mongo.Database) error { reopen(t, db.Name()); return nil }},
		"the index on commands is dropped": {dropIndex("actor_command"), "lacks its unique index actor_command", true, func(db *mongo.Database) error { reopen(t, db.Name()); return nil }},
		"an index is another one": {func(db *mongo.Database) error {
			if err := dropIndex("stream_version")(db); err != nil {
				return err
			}
			_, err := db.Collection("events").Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "stream", Value: 1}, {Key: "version", Value: 1}}, Options: options.Index().SetName("stream_version")})
			return err
		}, "stream_version of the collection events is not the unique one", true, func(db *mongo.Database) error {
			if err := dropIndex("stream_version")(db); err != nil {
				return err
			}
			reopen(t, db.Name())
			return nil
		}},
		"the epoch is another one": {func(db *mongo.Database) error {
			var row struct{ Epoch string }
			if err := db.Collection("log").FindOne(ctx, bson.D{}).Decode(&row); err != nil {
				return err
			}
			removed.Store(db.Name(), row.Epoch)
			return set(db, "log", "log", bson.D{{Key: "epoch", Value: "other"}})
		}, "the log's epoch is other, and was", false, func(db *mongo.Database) error {
			epoch, _ := removed.Load(db.Name())
			return set(db, "log", "log", bson.D{{Key: "epoch", Value: epoch}})
		}},
		"the log's document is removed": {func(db *mongo.Database) error { return remove(db, "log", "log") }, "document of the collection log is gone", false,
			func(db *mongo.Database) error { return putBack(db, "log") }},
		"the first event is removed": {func(db *mongo.Database) error { return remove(db, "events", 1) }, "the first event is gone", false,
			func(db *mongo.Database) error { return putBack(db, "events") }},
		"the first event is another one": {func(db *mongo.Database) error { return set(db, "events", 1, bson.D{{Key: "commandId", Value: "x"}}) }, "the first event is another one", false,
			func(db *mongo.Database) error {
				return set(db, "events", 1, bson.D{{Key: "commandId", Value: "before 0"}})
			}},
		"the last event is removed": {func(db *mongo.Database) error { return remove(db, "events", 3) }, "the log ends at position 2, and has been at 3", false,
			func(db *mongo.Database) error { return putBack(db, "events") }},
		"an event before the last is removed": {func(db *mongo.Database) error { return remove(db, "events", 2) }, "the log has a gap: the event 2 is missing", false,
			func(db *mongo.Database) error { return putBack(db, "events") }},
		"all events are removed": {func(db *mongo.Database) error {
			_, err := db.Collection("events").DeleteMany(ctx, bson.D{})
			return err
		}, "the first event is gone, the log ends at position 0, and has been at 3", false, nil},
		"the collection takes no more": {func(db *mongo.Database) error {
			return commands(db, bson.D{{Key: "convertToCapped", Value: "events"}, {Key: "size", Value: 1 << 20}})
		}, "collection events was replaced", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, db, log := openMonitored(t)
			if err := c.act(db); err != nil {
				t.Fatal(err)
			}
			if c.now {
				wantRefused(t, store.Log(), "right after it")
			}
			storetest.Eventually(t, "it is a problem: "+c.says, hasProblem(store, c.says))
			wantRefused(t, store.Log(), "later")
			if got := log.Lines("appends are refused", c.says); got != 1 {
				t.Errorf("lines that refuse appends for it: got %d, want 1", got)
			}
			if c.undo == nil {
				return
			}
			if err := c.undo(db); err != nil {
				t.Fatal(err)
			}
			storetest.Eventually(t, "nothing is wrong once it is undone", soundAgain(store))
			storetest.MustAppend(t, store.Log(), storetest.To("afterwards", 0, "afterwards"))
		})
	}
}

func TestADuplicateIsNeverAcknowledgedWithoutTheIndexes(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	if err := db.Collection("events").Indexes().DropAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := store.Log().Append(t.Context(), storetest.To("s0", 0, fmt.Sprint("again ", i))); err == nil {
				acknowledged.Add(1)
			} else if domain.KindOf(err) != domain.Unavailable {
				t.Errorf("Append: got %v, want kind Unavailable", err)
			}
		})
	}
	wg.Wait()
	if n := acknowledged.Load(); n != 0 {
		t.Errorf("acknowledged appends at version 0 of a stream that exists: got %d of 8, want none", n)
	}
}
