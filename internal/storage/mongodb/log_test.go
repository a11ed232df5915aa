package mongodb_test

import (
	"context"
	"os"
	"testing"

	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// open opens a database of the shared server as a process of its own would.
func open(t testing.TB, database string) (*mongodb.Store, func()) {
	t.Helper()
	return openAt(t, mongotest.URI(t), database)
}

func openAt(t testing.TB, uri, database string) (*mongodb.Store, func()) {
	t.Helper()
	store, err := mongodb.Open(context.Background(), uri, database, mongodb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store, func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	}
}

// openNew opens an empty database until the end of the test.
func openNew(t testing.TB) *mongodb.Store {
	t.Helper()
	store, closeStore := open(t, mongotest.Database(t))
	t.Cleanup(closeStore)
	return store
}

func TestLog(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Log { return openNew(t).Log() })
}

func TestLogAfterReopening(t *testing.T) {
	databases := map[string]string{}
	eventstoretest.RunDurable(t, func(t testing.TB, instance string) (eventstore.Log, func()) {
		if databases[instance] == "" {
			databases[instance] = mongotest.Database(t)
		}
		store, closeStore := open(t, databases[instance])
		return store.Log(), closeStore
	})
}
