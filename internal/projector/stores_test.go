package projector_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/readmodel"
	"chirp/internal/readmodel/readmodeltest"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/sqlite"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

// storePair is a log and the views that are made from it.
type storePair struct {
	log   eventstore.Log
	views readmodel.Store
	// stride is how many commits there are between two comparisons of the views
	// with the oracle: reading all of them is slower on some stores.
	stride int
}

// kind is a kind of store.
type kind struct {
	name string
	open func(testing.TB) storePair
}

var (
	memory = kind{"memory", func(testing.TB) storePair {
		return storePair{log: newMemoryLog(), views: readmodeltest.NewMemory(), stride: 1}
	}}
	onSQLite = kind{"sqlite", func(t testing.TB) storePair {
		s, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{Log: quiet()})
		if err != nil {
			t.Fatalf("open the embedded store: %v", err)
		}
		t.Cleanup(func() { s.Close() })
		return storePair{log: s.Log(), views: s.Views(), stride: 4}
	}}
	onMongoDB = kind{"mongodb", func(t testing.TB) storePair {
		s, err := mongodb.Open(context.Background(), mongotest.URI(t), mongotest.Database(t), mongodb.Options{Log: quiet()})
		if err != nil {
			t.Fatalf("open MongoDB: %v", err)
		}
		t.Cleanup(func() { s.Close() })
		return storePair{log: s.Log(), views: s.Views(), stride: 16}
	}}
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// onEach runs a test on every kind of store.
func onEach(t *testing.T, test func(t *testing.T, stores storePair)) {
	for _, k := range []kind{memory, onSQLite, onMongoDB} {
		t.Run(k.name, func(t *testing.T) { test(t, k.open(t)) })
	}
}

// newMemoryLog returns an empty log, whose epoch is that of all others.
func newMemoryLog() *eventstoretest.Memory {
	log := eventstoretest.NewMemory()
	log.SetEpoch("epoch-1")
	return log
}
