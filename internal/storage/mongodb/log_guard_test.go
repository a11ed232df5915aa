package mongodb_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// refusals counts the lines that say that appends are refused for a reason.
func (l *lines) refusals(reason string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, "appends are refused") && strings.Contains(line, reason) {
			n++
		}
	}
	return n
}

// guarding opens a new database with three events, with a client beside it.
func guarding(t *testing.T) (store *mongodb.Store, db *mongo.Database, log *lines) {
	t.Helper()
	db = client(t, mongotest.URI(t)).Database(mongotest.Database(t))
	log = &lines{}
	store, err := mongodb.Open(t.Context(), mongotest.URI(t), db.Name(), mongodb.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for i := range 3 {
		mustAppend(t, store.Log(), to(fmt.Sprint("s", i), 0, fmt.Sprint("before ", i)))
	}
	eventually(t, "the first event is written down", func() bool {
		return db.Collection("log").FindOne(t.Context(), bson.D{{Key: "first.stream", Value: "s0"}}).Err() == nil
	})
	return store, db, log
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hangGuard); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", hangGuard, what)
		}
	}
}

func hasProblem(store *mongodb.Store, text string) func() bool {
	return func() bool {
		return strings.Contains(strings.Join(append(store.Problems(), store.Notices()...), "\n"), text)
	}
}

func soundAgain(store *mongodb.Store) func() bool {
	return func() bool { return len(store.Problems())+len(store.Notices()) == 0 }
}

func wantHead(t *testing.T, log eventstore.Log, want domain.Position) {
	t.Helper()
	if head, err := log.Head(t.Context()); err != nil || head.Position != want {
		t.Errorf("Head: got %d, error %v; want %d", head.Position, err, want)
	}
}

func wantRefused(t *testing.T, log eventstore.Log, name string) {
	t.Helper()
	began := time.Now()
	c, err := log.Append(t.Context(), to(name, 0, name))
	if domain.KindOf(err) != domain.Unavailable || !strings.Contains(fmt.Sprint(err), "cannot be relied on") || time.Since(began) > 4*time.Second {
		t.Errorf("Append: got position %d and error %v after %s, want it refused at once as Unavailable", c.Position(), err, time.Since(began))
	}
}

// wantEvents reads the whole log and counts it.
func wantEvents(t *testing.T, log eventstore.Log, want int) {
	t.Helper()
	for _, limit := range []int{1, 2, 1000} {
		var got []eventstore.Event
		for {
			more, err := log.ReadAll(t.Context(), domain.Position(len(got)), limit)
			if err != nil {
				t.Fatalf("ReadAll after %d: %v", len(got), err)
			}
			if len(more) == 0 {
				break
			}
			got = append(got, more...)
		}
		if len(got) != want {
			t.Errorf("ReadAll, %d at a time: got %d events, want %d", limit, len(got), want)
		}
	}
}

func decimal(t *testing.T, text string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestStraysArePassedOverAndNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id    any
		named string
		// beyond says that the log would run into it.
		beyond bool
	}{
		"an ObjectID":                   {bson.ObjectID{1}, `_id {"$oid":"01`, false},
		"a string":                      {"1", `_id "1"`, false},
		"null":                          {nil, `_id null`, false},
		"a document":                    {bson.D{{Key: "n", Value: 1}}, `_id {"n"`, false},
		"a fraction between two events": {2.5, `2.5`, false},
		"a decimal between two events":  {decimal(t, "1.25"), `1.25`, false},
		"zero":                          {0, `"0"`, false},
		"a negative number":             {int64(-7), `-7`, false},
		"not a number":                  {math.NaN(), `NaN`, false},
		"the next position":             {int64(4), `"4"`, true},
		"an int32 far beyond":           {int32(99999), `99999`, true},
		"an int64 far beyond":           {int64(1e15), `1000000000000000`, true},
		"a fraction beyond":             {3.5, `3.5`, true},
		"infinity":                      {math.Inf(1), `Infinity`, true},
		"a decimal beyond":              {decimal(t, "1E+30"), `1E+30`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, db, log := guarding(t)
			events := db.Collection("events")
			if _, err := events.InsertOne(t.Context(), bson.D{{Key: "_id", Value: c.id}, {Key: "hello", Value: "world"}}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the stray is named: "+c.named, hasProblem(store, c.named))
			eventually(t, fmt.Sprintf("the stray is a problem: %t", c.beyond), func() bool { return len(store.Problems()) > 0 == c.beyond })
			eventually(t, "the stray is logged", func() bool { return log.count("documents that are no events") == 1 })
			wantHead(t, store.Log(), 3)
			head := 3
			if c.beyond {
				wantRefused(t, store.Log(), "beside a stray")
			} else {
				head++
				mustAppend(t, store.Log(), to("beside", 0, "beside"))
			}
			wantEvents(t, store.Log(), head)
			wantNamedToReaders(t, db.Name(), head, c.named)

			again, closeAgain := open(t, db.Name())
			defer closeAgain()
			eventually(t, "another start names the stray", hasProblem(again, c.named))
			wantHead(t, again.Log(), domain.Position(head))
			if _, err := events.DeleteOne(t.Context(), bson.D{{Key: "_id", Value: c.id}}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all is well once it is removed", soundAgain(store))
			mustAppend(t, store.Log(), to("afterwards", 0, "afterwards"))
			wantEvents(t, store.Log(), head+1)
		})
	}
}

// wantNamedToReaders checks what a command sees that only reads.
func wantNamedToReaders(t *testing.T, database string, head int, named string) {
	t.Helper()
	reader, err := mongodb.Open(t.Context(), mongotest.URI(t), database, mongodb.Options{ReadOnly: true})
	if err != nil {
		t.Fatalf("Open for reading: %v", err)
	}
	defer reader.Close()
	wantHead(t, reader.Log(), domain.Position(head))
	wantEvents(t, reader.Log(), head)
	if !hasProblem(reader, named)() {
		t.Errorf("Problems of a reader: got %q, want one that has %q", reader.Problems(), named)
	}
}

func TestAStrayInAStreamIsPassedOver(t *testing.T) {
	t.Parallel()
	store, db, _ := guarding(t)
	stray := bson.D{{Key: "_id", Value: "x"}, {Key: "stream", Value: "s0"}, {Key: "version", Value: int64(2)}, {Key: "type", Value: "test.happened.v1"}, {Key: "data", Value: bson.D{}}}
	if _, err := db.Collection("events").InsertOne(t.Context(), stray); err != nil {
		t.Fatal(err)
	}
	if events, err := store.Log().Load(t.Context(), "s0"); err != nil || len(events) != 1 {
		t.Errorf("Load: got %d events, error %v; want the one", len(events), err)
	}
	eventually(t, "the stray is named", hasProblem(store, `_id "x"`))
}

func TestNumbersOfOtherTypesAreEvents(t *testing.T) {
	t.Parallel()
	store, db, _ := guarding(t)
	events := db.Collection("events")
	for n, id := range map[int64]any{2: int32(2), 3: float64(3)} { // as tools write them that go through JSON
		var doc bson.D
		if err := events.FindOneAndDelete(t.Context(), bson.D{{Key: "_id", Value: n}}).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		doc[0].Value = id
		if _, err := events.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all is well", soundAgain(store))
	wantHead(t, store.Log(), 3)
	wantEvents(t, store.Log(), 3)
}

// reopen starts and stops a server, which makes missing indexes again.
func reopen(t *testing.T, database string) {
	t.Helper()
	_, closeStore := open(t, database)
	closeStore()
}

func TestWhatTheLogRestsOnIsWatched(t *testing.T) {
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
	var kept sync.Map // what an act has taken away
	remove := func(db *mongo.Database, collection string, id any) error {
		var doc bson.D
		err := db.Collection(collection).FindOneAndDelete(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&doc)
		kept.Store(db.Name(), doc)
		return err
	}
	putBack := func(db *mongo.Database, collection string) error {
		doc, _ := kept.Load(db.Name())
		_, err := db.Collection(collection).InsertOne(ctx, doc)
		return err
	}
	dropIndex := func(name string) func(*mongo.Database) error {
		return func(db *mongo.Database) error { return db.Collection("events").Indexes().DropOne(ctx, name) }
	}
	for name, c := range map[string]struct {
		act  func(db *mongo.Database) error
		says string
		// now says that not even the next append is acknowledged.
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
			kept.Store(db.Name(), row.Epoch)
			return set(db, "log", "log", bson.D{{Key: "epoch", Value: "other"}})
		}, "the log's epoch is other, and was", false, func(db *mongo.Database) error {
			epoch, _ := kept.Load(db.Name())
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
			store, db, log := guarding(t)
			if err := c.act(db); err != nil {
				t.Fatal(err)
			}
			if c.now {
				wantRefused(t, store.Log(), "right after it")
			}
			eventually(t, "it is a problem: "+c.says, hasProblem(store, c.says))
			wantRefused(t, store.Log(), "later")
			if got := log.refusals(c.says); got != 1 {
				t.Errorf("the log says %d times that appends are refused for it, want once", got)
			}
			if c.undo == nil {
				return
			}
			if err := c.undo(db); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all is well once it is undone", soundAgain(store))
			mustAppend(t, store.Log(), to("afterwards", 0, "afterwards"))
		})
	}
}

// replaceEvents puts a copy of the events, with its indexes, in their place.
func replaceEvents(ctx context.Context, db *mongo.Database) error {
	var docs []bson.D
	cursor, err := db.Collection("events").Find(ctx, bson.D{})
	if err == nil {
		err = cursor.All(ctx, &docs)
	}
	if err == nil {
		err = db.Collection("events").Drop(ctx)
	}
	if err == nil {
		_, err = db.Collection("events").InsertMany(ctx, docs)
	}
	return err
}

func TestADuplicateIsNeverAcknowledgedWithoutTheIndexes(t *testing.T) {
	t.Parallel()
	store, db, _ := guarding(t)
	if err := db.Collection("events").Indexes().DropAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := store.Log().Append(t.Context(), to("s0", 0, fmt.Sprint("again ", i))); err == nil {
				acknowledged.Add(1)
			} else if domain.KindOf(err) != domain.Unavailable {
				t.Errorf("Append: got %v, want kind Unavailable", err)
			}
		})
	}
	wg.Wait()
	if n := acknowledged.Load(); n != 0 {
		t.Errorf("%d of 8 appends at version 0 of a stream that is there were acknowledged", n)
	}
}

func TestStartNamesDoubleEventsAndItsAdviceIsRight(t *testing.T) {
	t.Parallel()
	store, db, _ := guarding(t)
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
	once, closeOnce := open(t, db.Name())
	defer closeOnce()
	wantHead(t, once.Log(), 3)
	if problems := once.Problems(); len(problems) > 0 {
		t.Errorf("Problems after the cut: got %q, want none", problems)
	}
	mustAppend(t, once.Log(), to("afterwards", 0, "afterwards"))
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
				importer := openImport(t, db.Name())
				if err := importer.Import(t.Context(), "epoch", oneEvent()); err != nil {
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
				store, db, _ := guarding(t)
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
				mended, closeMended := open(t, db.Name())
				defer closeMended()
				wantHead(t, mended.Log(), want)
				mustAppend(t, mended.Log(), to("afterwards", 0, "afterwards"))
			})
		}
	}
}

func TestARestartTakesALogThatWasRestored(t *testing.T) {
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
			store, db, _ := guarding(t)
			if err := c.restore(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a restart is advised", hasProblem(store, c.says+": stop all servers, restore the whole database from a backup, or import an export into a new one, unless that was just done, and start them again"))
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			again, closeAgain := open(t, db.Name())
			defer closeAgain()
			wantHead(t, again.Log(), c.head)
			mustAppend(t, again.Log(), to("afterwards", 0, "afterwards"))
			if problems := again.Problems(); len(problems) > 0 {
				t.Errorf("Problems after the restart: got %q, want none", problems)
			}
		})
	}
}
