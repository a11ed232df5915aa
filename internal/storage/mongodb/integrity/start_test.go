package integrity_test

import (
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

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
	remedies := map[string]struct {
		apply func(o *operator, backup []bson.D)
		head  domain.Position
	}{
		"restored": {(*operator).restoreEvents, 3},
		"imported": {func(o *operator, _ []bson.D) {
			o.must(storetest.OpenImport(o.t, o.db.Name()).Import(o.t.Context(), "epoch", storetest.OneEvent()))
		}, 1},
		"begun again": {func(o *operator, _ []bson.D) { o.dropDatabase() }, 0},
	}
	for name, lose := range map[string]func(o *operator){"dropped": (*operator).dropEvents, "emptied": (*operator).emptyEvents} {
		for remedy, r := range remedies {
			t.Run(name+" and "+remedy, func(t *testing.T) {
				t.Parallel()
				store, db, _ := openMonitored(t)
				o := &operator{t: t, db: db}
				backup := o.backUp()
				o.must(store.Close())
				lose(o)
				again, err := mongodb.Open(t.Context(), mongotest.URI(t), db.Name(), mongodb.Options{})
				if err == nil {
					again.Close()
				}
				for _, advice := range []string{"has lost its log", "estore the whole database", "import an export", "drop the whole database"} {
					if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), advice) {
						t.Fatalf("Open: got %v, want kind Invalid and %q", err, advice)
					}
				}
				r.apply(o, backup)
				repaired, closeRepaired := storetest.Open(t, db.Name())
				defer closeRepaired()
				wantHead(t, repaired.Log(), r.head)
				storetest.MustAppend(t, repaired.Log(), storetest.To("afterwards", 0, "afterwards"))
			})
		}
	}
}

func TestARestartAcceptsALogThatWasRestored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		restore func(o *operator)
		head    domain.Position
		says    string
	}{
		"as it was":           {(*operator).replaceEvents, 3, "was replaced while this server ran"},
		"shorter than it was": {removes("events", 3), 2, "the log ends at position 2, and has been at 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, db, _ := openMonitored(t)
			c.restore(&operator{t: t, db: db})
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
