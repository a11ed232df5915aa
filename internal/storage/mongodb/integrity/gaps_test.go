package integrity_test

import (
	"fmt"
	"log/slog"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/integrity"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

// takeOut removes events and returns their documents.
func takeOut(t *testing.T, db *mongo.Database, positions ...int) []bson.D {
	t.Helper()
	var docs []bson.D
	in := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: positions}}}}
	cursor, err := db.Collection("events").Find(t.Context(), in)
	if err == nil {
		err = cursor.All(t.Context(), &docs)
	}
	if err == nil {
		_, err = db.Collection("events").DeleteMany(t.Context(), in)
	}
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func putBack(t *testing.T, db *mongo.Database, docs ...bson.D) {
	t.Helper()
	if _, err := db.Collection("events").InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

func missing(position int) string {
	return fmt.Sprintf("the log has a gap: the event at position %d is missing", position)
}

func TestAGapInTheMiddleIsNoticed(t *testing.T) {
	t.Parallel()
	store, db, log := openMonitored(t)
	for i := 3; i < 40; i++ {
		storetest.MustAppend(t, store.Log(), storetest.To(fmt.Sprint("s", i), 0, fmt.Sprint("more ", i)))
	}
	wantGap(t, db, 40, 0)
	docs := takeOut(t, db, 7, 8, 20)
	storetest.Eventually(t, "the gap is named while the server runs", hasProblem(store, missing(7)))
	wantRefused(t, store.Log(), "beyond a gap")
	wantGap(t, db, 40, 7)
	putBack(t, db, docs[0])
	storetest.Eventually(t, "what else is missing is named", hasProblem(store, missing(8)))
	if got := log.Lines("appends are refused", missing(7)); got != 1 {
		t.Errorf("lines that refuse appends for the first gap: got %d, want 1", got)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	store, err := mongodb.Open(t.Context(), mongotest.URI(t), db.Name(), mongodb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	storetest.Eventually(t, "the gap is named after a start", hasProblem(store, missing(8)))
	putBack(t, db, docs[1:]...)
	storetest.Eventually(t, "the log is sound once everything is restored", soundAgain(store))
	storetest.MustAppend(t, store.Log(), storetest.To("afterwards", 0, "afterwards"))
	wantGap(t, db, 41, 0)
}

// wantGap counts the events up to the end of the log as a monitor does.
func wantGap(t *testing.T, db *mongo.Database, head, want domain.Position) {
	t.Helper()
	monitor := integrity.New(conn.New(db.Client(), db.Name(), gate.New("test", 1, 1)), slog.Default(), true)
	monitor.Reached(head)
	if got, err := monitor.FirstGap(t.Context()); err != nil || got != want {
		t.Errorf("FirstGap: got %d, error %v; want %d", got, err, want)
	}
}

// TestAGapIsNoticedBesideAStray has as many documents as events, because the stray
// makes up for the missing one.
func TestAGapIsNoticedBesideAStray(t *testing.T) {
	t.Parallel()
	store, db, _ := openMonitored(t)
	for i := 3; i < 12; i++ {
		storetest.MustAppend(t, store.Log(), storetest.To(fmt.Sprint("s", i), 0, fmt.Sprint("more ", i)))
	}
	putBack(t, db, bson.D{{Key: "_id", Value: 9.5}})
	storetest.Eventually(t, "the stray is named", hasProblem(store, "9.5"))
	docs := takeOut(t, db, 5)
	storetest.Eventually(t, "the gap is named", hasProblem(store, missing(5)))
	putBack(t, db, docs...)
	if _, err := db.Collection("events").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: 9.5}}); err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, "nothing is wrong", soundAgain(store))
}
