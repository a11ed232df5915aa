package mongodb_test

import (
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
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
	store, db, log := guarding(t)
	for i := 3; i < 40; i++ {
		mustAppend(t, store.Log(), to(fmt.Sprint("s", i), 0, fmt.Sprint("more ", i)))
	}
	wantGap(t, store, 0)
	docs := takeOut(t, db, 7, 8, 20)
	eventually(t, "the gap is named while the server runs", hasProblem(store, missing(7)))
	wantRefused(t, store.Log(), "beyond a gap")
	wantGap(t, store, 7)
	putBack(t, db, docs[0])
	eventually(t, "what else is missing is named", hasProblem(store, missing(8)))
	if got := log.refusals(missing(7)); got != 1 {
		t.Errorf("the log says %d times that appends are refused for the first gap, want once", got)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	store, err := mongodb.Open(t.Context(), mongotest.URI(t), db.Name(), mongodb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	eventually(t, "the gap is named after a start", hasProblem(store, missing(8)))
	putBack(t, db, docs[1:]...)
	eventually(t, "all is well once everything is put back", soundAgain(store))
	mustAppend(t, store.Log(), to("afterwards", 0, "afterwards"))
	wantGap(t, store, 0)
}

func wantGap(t *testing.T, store *mongodb.Store, want domain.Position) {
	t.Helper()
	if got, err := store.FirstGap(t.Context()); err != nil || got != want {
		t.Errorf("firstGap: got %d, error %v; want %d", got, err, want)
	}
}

// A number with a fraction makes the documents as many as the events.
func TestAGapIsNoticedBesideAStray(t *testing.T) {
	t.Parallel()
	store, db, _ := guarding(t)
	for i := 3; i < 12; i++ {
		mustAppend(t, store.Log(), to(fmt.Sprint("s", i), 0, fmt.Sprint("more ", i)))
	}
	putBack(t, db, bson.D{{Key: "_id", Value: 9.5}})
	eventually(t, "the stray is named", hasProblem(store, "9.5"))
	docs := takeOut(t, db, 5)
	eventually(t, "the gap is named", hasProblem(store, missing(5)))
	putBack(t, db, docs...)
	if _, err := db.Collection("events").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: 9.5}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is well", soundAgain(store))
}
