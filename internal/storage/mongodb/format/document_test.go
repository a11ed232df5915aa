package format_test

import (
	"os"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

func TestEventsCanBeReadInTheDatabase(t *testing.T) {
	database := mongotest.Database(t)
	store, closeStore := storetest.Open(t, database)
	defer closeStore()
	a := storetest.Chirp()
	a.Events[0].Data = []byte(`{"authorId":"user_1","content":"hé \u0000","n":5,"tags":["a",null]}`)
	if _, err := store.Log().Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID      int64  `bson:"_id"`
		Version int64  `bson:"version"`
		Stream  string `bson:"stream"`
		Data    bson.D `bson:"data"`
		Command struct {
			Fingerprint string `bson:"fingerprint"`
			Events      int64  `bson:"events"`
		} `bson:"command"`
	}
	events := storetest.Client(t, mongotest.URI(t)).Database(database).Collection("events")
	if err := events.FindOne(t.Context(), bson.D{{Key: "data.tags", Value: "a"}}).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := bson.D{{Key: "authorId", Value: "user_1"}, {Key: "content", Value: "hé \x00"}, {Key: "n", Value: int64(5)}, {Key: "tags", Value: bson.A{"a", nil}}}
	if text(got.Data) != text(want) || got.ID != 1 || got.Version != 1 || got.Stream != string(a.Events[0].Stream) || got.Command.Events != 1 || got.Command.Fingerprint != a.Command.Fingerprint {
		t.Errorf("the event's document: got %+v, want the fields of %+v", got, a)
	}
}

// text returns a document as JSON.
func text(d bson.D) string {
	raw, err := bson.MarshalExtJSON(d, true, false)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
