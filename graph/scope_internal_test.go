package graph

import (
	"context"
	"testing"
	"testing/synctest"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// countedStore is a store that counts its open snapshots.
type countedStore struct {
	readmodel.Store
	at            domain.Position
	open, maxOpen int
	opened        int
	err           error
}

func (v *countedStore) Snapshot(context.Context) (readmodel.Snapshot, error) {
	v.opened++
	if v.err != nil {
		return nil, v.err
	}
	v.open++
	v.maxOpen = max(v.maxOpen, v.open)
	return &countedSnapshot{store: v, at: v.at}, nil
}

type countedSnapshot struct {
	readmodel.Snapshot
	store *countedStore
	at    domain.Position
}

func (s *countedSnapshot) Generation() readmodel.Generation {
	return readmodel.Generation{Checkpoint: readmodel.Checkpoint{Position: s.at}}
}

func (s *countedSnapshot) Close() { s.store.open-- }

func newScope(store *countedStore) *responseScope {
	return &responseScope{snapshots: newSnapshots(&query.Service{Views: store})}
}

func TestAnOlderSnapshotIsClosedBeforeANewerOneIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countedStore{at: 1}
		s := newScope(store)
		older, err := s.acquire(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		store.at = 2
		newer := make(chan *viewerSnapshot)
		go func() {
			snap, err := s.acquire(t.Context(), 2)
			if err != nil {
				t.Error(err)
			}
			newer <- snap
		}()
		synctest.Wait()
		if store.opened != 1 || store.open != 1 {
			t.Errorf("while the older snapshot is read from, %d were opened and %d are open, want 1 and 1", store.opened, store.open)
		}
		s.release(older)
		snap := <-newer
		if snap.Checkpoint() != 2 || store.maxOpen != 1 {
			t.Errorf("got a snapshot at position %d and %d snapshots at once, want position 2 and 1 snapshot", snap.Checkpoint(), store.maxOpen)
		}
		s.release(snap)
		if err := s.close(t.Context()); err != nil || store.open != 0 {
			t.Errorf("at the end: got %v and %d open snapshots, want none", err, store.open)
		}
	})
}

func TestWaitingForASnapshotToCloseEndsWithTheContext(t *testing.T) {
	store := &countedStore{at: 1}
	s := newScope(store)
	older, err := s.acquire(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.acquire(gone, 2); err == nil {
		t.Error("acquire with a context that has ended: got a snapshot, want an error")
	}
	if store.open != 1 {
		t.Errorf("%d snapshots are open while one is read from, want 1", store.open)
	}
	if s.release(older); store.open != 0 {
		t.Errorf("%d snapshots are open, want the older one closed by its last user", store.open)
	}
}

func TestAResponseWaitsForASnapshotOnceNotForEachField(t *testing.T) {
	busy := &domain.Error{Kind: domain.Unavailable, Msg: "busy"}
	store := &countedStore{at: 1, err: busy}
	s := newScope(store)
	for _, since := range []domain.Position{1, 1, 2} {
		if _, err := s.acquire(t.Context(), since); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("position %d: got %v, want kind Unavailable", since, err)
		}
	}
	if store.opened != 1 {
		t.Errorf("the store was asked %d times, want once", store.opened)
	}
}
