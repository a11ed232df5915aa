package mongodb_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

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

func TestOpenWithExistingCreatesNoLog(t *testing.T) {
	uri, name := mongotest.URI(t), mongotest.Database(t)
	o := mongodb.Options{Existing: true}
	store, err := mongodb.Open(t.Context(), uri, name, o)
	if err == nil {
		store.Close()
	}
	if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), name+" holds no log") {
		t.Fatalf("Open of a database without a log: got %v, want kind Invalid and that it holds no log", err)
	}
	if found, err := storetest.Client(t, uri).Database(name).ListCollectionNames(t.Context(), bson.D{}); err != nil || len(found) != 0 {
		t.Errorf("collections afterwards: got %v, error %v; want none", found, err)
	}
	store, err = mongodb.Open(t.Context(), uri, name, mongodb.Options{})
	if err == nil {
		store.Close()
		store, err = mongodb.Open(t.Context(), uri, name, o)
	}
	if err != nil {
		t.Fatalf("Open of a database with a log: got %v", err)
	}
	store.Close()
}

func TestProcessesThatOpenANewDatabaseSeeOneEpoch(t *testing.T) {
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

func TestOpenSaysWhetherToTryAgain(t *testing.T) {
	t.Parallel()
	set := storetest.StartOwn(t)
	host := set.Nodes[0].Addr()
	for _, c := range []struct {
		name, uri string
		code      int
		want      domain.Kind
	}{
		{"a wrong password", "mongodb://nobody:wrong@" + host + "/?replicaSet=chirp", 0, domain.Invalid},
		{"no rights", set.URI(), 13, domain.Invalid},
		{"an index of another kind in the way", set.URI(), 85, domain.Invalid},
		{"a quota that is used up", set.URI(), 8000, domain.Unavailable},
		{"an unknown error", set.URI(), 31337, domain.Unavailable},
	} {
		if c.code != 0 {
			storetest.FailNext(t, set, "denied", 1, bson.D{storetest.Commands("create"), {Key: "errorCode", Value: c.code}})
		}
		store, err := mongodb.Open(t.Context(), c.uri, "denied", mongodb.Options{})
		if err == nil {
			store.Close()
		}
		if err == nil || domain.KindOf(err) != c.want {
			t.Errorf("Open with %s: got %v, kind %v, want kind %v", c.name, err, domain.KindOf(err), c.want)
		}
	}
}
