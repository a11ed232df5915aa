package views_test

import (
	"context"
	"os"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/readmodel/readmodeltest"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
	"chirp/internal/storage/mongodb/views"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Main(m)) }

func openOne(t testing.TB) readmodel.Store {
	return views.Apart(storetest.OpenNew(t).Views())
}

func openTwo(t testing.TB) (one, other readmodel.Store) {
	database := mongotest.Database(t)
	return views.Apart(storetest.OpenUntilEnd(t, database).Views()), views.Apart(storetest.OpenUntilEnd(t, database).Views())
}

func TestReadModel(t *testing.T) { readmodeltest.Run(t, openOne) }

func TestReadModelOfTwoProcesses(t *testing.T) { readmodeltest.RunShared(t, openTwo) }

func TestLease(t *testing.T) { readmodeltest.RunLease(t, openTwo) }

// TestSnapshotIsNeverOlderThanWhatWasSeen is the situation after an election: the store
// has seen a checkpoint that the new primary does not show yet.
func TestSnapshotIsNeverOlderThanWhatWasSeen(t *testing.T) {
	s := newStage(t, 0)
	s.add(func(b *readmodel.Batch) { s.register(b) })
	views.Learn(s.store, 1, s.at+1)
	soon, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.store.Snapshot(soon); err == nil {
		t.Errorf("Snapshot: got one that is behind %d, want an error", s.at+1)
	}
	s.add(func(b *readmodel.Batch) { s.register(b) })
	if snap, err := s.store.Snapshot(context.Background()); err != nil {
		t.Errorf("Snapshot once the checkpoint is there: got %v", err)
	} else {
		snap.Close()
	}
}

func TestCloseEndsAwait(t *testing.T) {
	store, err := mongodb.Open(context.Background(), mongotest.URI(t), mongotest.Database(t), mongodb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() {
		_, err := store.Views().Await(context.Background(), 99)
		result <- err
	}()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Await after Close: got %v, want kind Unavailable", err)
	}
}

// TestProfileBeyondTheCheckpointIsReplaced applies a profile twice that is new both
// times by its key.
func TestProfileBeyondTheCheckpointIsReplaced(t *testing.T) {
	s := newStage(t, 0)
	for _, name := range []domain.Username{"First", "Second"} {
		p := profile(1000)
		p.Username = name
		s.add(func(b *readmodel.Batch) { b.Profiles = []readmodel.Profile{p, profile(1001 + readmodel.UserKey(s.at))} })
		snap, err := s.store.Snapshot(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got, err := snap.ProfileByID(context.Background(), p.ID)
		snap.Close()
		if err != nil || got.Username != name {
			t.Errorf("ProfileByID: got %+v, error %v; want the name %s", got, err, name)
		}
	}
}

func TestGenerations(t *testing.T) { readmodeltest.RunGenerations(t, openTwo) }
