package views_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

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

// TestViewsOfAnotherVersionAreReplaced has a generation that serves and one that is
// being built, neither of which says the format that its rows are in.
func TestViewsOfAnotherVersionAreReplaced(t *testing.T) {
	s, ctx := newStage(t, 0), context.Background()
	s.add(func(b *readmodel.Batch) { s.register(b) })
	old, err := s.store.Build(ctx, "epoch", 10_000)
	if err == nil {
		err = old.Apply(ctx, readmodel.Batch{To: readmodel.Checkpoint{Position: s.at}, Profiles: []readmodel.Profile{profile(1)}})
	}
	if err != nil {
		t.Fatal(err)
	}
	number := func(w readmodel.Writer, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		g, err := w.Generation(ctx)
		if err != nil || g.Checkpoint.Position != 0 {
			t.Errorf("the new generation: got %+v, error %v; want an empty one", g, err)
		}
		return g.Number
	}
	documents := views.Database(s.store).Collection("views")
	if _, err := documents.UpdateMany(ctx, bson.D{}, bson.D{{Key: "$unset", Value: bson.D{{Key: "format", Value: ""}}}}); err != nil {
		t.Fatal(err)
	}
	if n := number(s.store.Build(ctx, "epoch", 10_000)); n != 3 {
		t.Errorf("Build: got generation %d, want 3", n)
	}
	if _, err := s.store.Snapshot(ctx); !errors.Is(err, readmodel.ErrUnfit) {
		t.Errorf("Snapshot: got error %v, want ErrUnfit", err)
	}
	if n := number(s.store.Serving(ctx, "epoch", 10_000)); n != 4 {
		t.Errorf("Serving: got generation %d, want 4", n)
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
