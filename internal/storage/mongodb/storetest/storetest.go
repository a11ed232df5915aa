// Package storetest opens stores on the test servers of package mongotest, has
// those servers fail, and appends to and follows the stores' logs.
package storetest

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
)

// Open opens a database of the shared server, as another process would, and
// returns the store and a func that closes it.
func Open(t testing.TB, database string) (*mongodb.Store, func()) {
	t.Helper()
	return OpenAt(t, mongotest.URI(t), database)
}

// OpenAt is Open for a database of another server.
func OpenAt(t testing.TB, uri, database string) (*mongodb.Store, func()) {
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

// OpenNew opens an empty database of the shared server until the end of the
// test.
func OpenNew(t testing.TB) *mongodb.Store {
	t.Helper()
	return OpenUntilEnd(t, mongotest.Database(t))
}

// OpenUntilEnd opens a database of the shared server until the end of the test.
func OpenUntilEnd(t testing.TB, database string) *mongodb.Store {
	t.Helper()
	store, closeStore := Open(t, database)
	t.Cleanup(closeStore)
	return store
}

// OpenImport opens a database of the shared server for an import until the end
// of the test.
func OpenImport(t testing.TB, database string) eventstore.Log {
	t.Helper()
	store, err := mongodb.Open(context.Background(), mongotest.URI(t), database, mongodb.Options{Import: true})
	if err != nil {
		t.Fatalf("Open for an import: %v", err)
	}
	t.Cleanup(func() { store.Close() })
	return store.Log()
}

// Epoch returns the epoch of a store's log.
func Epoch(t testing.TB, store *mongodb.Store) string {
	t.Helper()
	head, err := store.Log().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head.Epoch
}

// Client returns a plain client until the end of the test.
func Client(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(context.WithoutCancel(t.Context())) })
	return c
}
