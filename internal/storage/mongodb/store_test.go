package mongodb_test

import (
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
)

func TestOpenSaysWhatIsWrong(t *testing.T) {
	plain := mongotest.StartPlain(t).Addr()
	waiting := mongotest.StartPlain(t, "--replSet", "rs0").Addr()
	gone := mongotest.StartPlain(t)
	gone.Kill()
	set := strings.TrimSuffix(mongotest.URI(t), "replicaSet=chirp")
	for _, c := range []struct {
		name, uri, database string
		kind                domain.Kind
		says                string
	}{
		{"a server outside a replica set is refused", "mongodb://" + plain, "chirp", domain.Invalid, "mongod --replSet rs0, then run mongosh --host " + plain + " --eval 'rs.initiate()'"},
		{"also if the URI names a replica set", "mongodb://" + plain + "/?replicaSet=rs0", "chirp", domain.Invalid, "is not a replica set"},
		{"a set that was not initiated may be so later", "mongodb://" + waiting, "chirp", domain.Unavailable, "mongosh --host " + waiting + " --eval 'rs.initiate()'"},
		{"also if the URI names it", "mongodb://" + waiting + "/?replicaSet=rs0", "chirp", domain.Unavailable, "rs.initiate()"},
		{"another set than the URI names is refused", set + "replicaSet=other", "chirp", domain.Invalid, `belongs to the replica set "chirp", not to "other"`},
		{"a server that is gone may come back", "mongodb://" + gone.Addr() + "/?replicaSet=rs0", "chirp", domain.Unavailable, "try again"},
		{"a URI of another kind is refused", "postgres://localhost/chirp", "chirp", domain.Invalid, "mongodb://host:27017/?replicaSet=rs0"},
		{"an empty URI is refused", "", "chirp", domain.Invalid, "malformed"},
		{"an empty database name is refused", "mongodb://" + plain, "", domain.Invalid, "name of the MongoDB database is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store, err := mongodb.Open(t.Context(), c.uri, c.database, mongodb.Options{})
			if err == nil {
				store.Close()
			}
			if err == nil || domain.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open(%q): got %v (kind %v), want kind %v and a text with %q", c.uri, err, domain.KindOf(err), c.kind, c.says)
			}
		})
	}
}

func TestOpenOfAnExistingLogCreatesNone(t *testing.T) {
	uri, name := mongotest.URI(t), mongotest.Database(t)
	o := mongodb.Options{Existing: true}
	store, err := mongodb.Open(t.Context(), uri, name, o)
	if err == nil {
		store.Close()
	}
	if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), name+" holds no log") {
		t.Fatalf("Open of a database without a log gave %v, want an error of kind Invalid that says so", err)
	}
	if found, err := client(t, uri).Database(name).ListCollectionNames(t.Context(), bson.D{}); err != nil || len(found) != 0 {
		t.Errorf("afterwards the database has the collections %v, error %v; want none", found, err)
	}
	store, err = mongodb.Open(t.Context(), uri, name, mongodb.Options{})
	if err == nil {
		store.Close()
		store, err = mongodb.Open(t.Context(), uri, name, o)
	}
	if err != nil {
		t.Fatalf("Open of a database with a log gave %v", err)
	}
	store.Close()
}

func TestProcessesThatFoundOneLogSeeOneEpoch(t *testing.T) {
	database := mongotest.Database(t)
	const processes = 6
	epochs := make([]string, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			store, err := mongodb.Open(t.Context(), mongotest.URI(t), database, mongodb.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			head, err := store.Log().Head(t.Context())
			if err != nil {
				t.Error(err)
			}
			epochs[i] = head.Epoch
		})
	}
	wg.Wait()
	for i, e := range epochs {
		if e == "" || e != epochs[0] {
			t.Errorf("epoch of process %d: got %q, want %q as of process 0", i, e, epochs[0])
		}
	}
}

func TestEventsCanBeReadInTheDatabase(t *testing.T) {
	database := mongotest.Database(t)
	store, closeStore := open(t, database)
	defer closeStore()
	a := chirp()
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
	events := client(t, mongotest.URI(t)).Database(database).Collection("events")
	if err := events.FindOne(t.Context(), bson.D{{Key: "data.tags", Value: "a"}}).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := bson.D{{Key: "authorId", Value: "user_1"}, {Key: "content", Value: "hé \x00"}, {Key: "n", Value: int64(5)}, {Key: "tags", Value: bson.A{"a", nil}}}
	if text(got.Data) != text(want) || got.ID != 1 || got.Version != 1 || got.Stream != string(a.Events[0].Stream) || got.Command.Events != 1 || got.Command.Fingerprint != a.Command.Fingerprint {
		t.Errorf("the event's document: got %+v", got)
	}
}

func text(d bson.D) string {
	raw, err := bson.MarshalExtJSON(d, true, false)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// client gives a plain client until the end of the test.
func client(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(t.Context()) })
	return c
}
