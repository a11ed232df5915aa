package graph

import (
	"context"
	"testing"
	"testing/synctest"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// countedViews are views that count how many snapshots of them are open.
type countedViews struct {
	readmodel.Store
	at         domain.Position
	open, most int
	opened     int
	err        error
}

func (v *countedViews) Snapshot(context.Context) (readmodel.Snapshot, error) {
	v.opened++
	if v.err != nil {
		return nil, v.err
	}
	v.open++
	v.most = max(v.most, v.open)
	return &countedSnapshot{views: v, at: v.at}, nil
}

type countedSnapshot struct {
	readmodel.Snapshot
	views *countedViews
	at    domain.Position
}

func (s *countedSnapshot) Generation() readmodel.Generation {
	return readmodel.Generation{Checkpoint: readmodel.Checkpoint{Position: s.at}}
}

func (s *countedSnapshot) Close() { s.views.open-- }

func newScope(v *countedViews) *responseScope {
	return &responseScope{snapshots: newSnapshots(&query.Service{Views: v})}
}

func TestAnOlderViewIsGivenBackBeforeANewerOneIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countedViews{at: 1}
		s := newScope(store)
		older, err := s.acquire(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		store.at = 2
		newer := make(chan *viewerSnapshot)
		go func() {
			l, err := s.acquire(t.Context(), 2)
			if err != nil {
				t.Error(err)
			}
			newer <- l
		}()
		synctest.Wait()
		if store.opened != 1 || store.open != 1 {
			t.Errorf("while the older view is read from, %d were opened and %d are open, want 1 and 1", store.opened, store.open)
		}
		s.release(older)
		l := <-newer
		if l.Checkpoint() != 2 || store.most != 1 {
			t.Errorf("got a view at position %d and %d views at once, want position 2 and 1 view", l.Checkpoint(), store.most)
		}
		s.release(l)
		if err := s.close(t.Context()); err != nil || store.open != 0 {
			t.Errorf("at the end: got %v and %d open views, want none", err, store.open)
		}
	})
}

func TestWhoWaitsForAViewToBeGivenBackCanGiveUp(t *testing.T) {
	store := &countedViews{at: 1}
	s := newScope(store)
	older, err := s.acquire(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.acquire(gone, 2); err == nil {
		t.Error("a use whose context has ended got a view, want its error")
	}
	if store.open != 1 {
		t.Errorf("%d views are open while one is read from, want 1", store.open)
	}
	if s.release(older); store.open != 0 {
		t.Errorf("%d views are open, want the older one to be gone with its last user", store.open)
	}
}

func TestAResponseWaitsForAViewOnceAndNotForEachField(t *testing.T) {
	busy := &domain.Error{Kind: domain.Unavailable, Msg: "busy"}
	store := &countedViews{at: 1, err: busy}
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
