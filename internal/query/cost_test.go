package query_test

import (
	"context"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// countedViews counts the reads of its snapshots, and the snapshots that are open.
type countedViews struct {
	readmodel.Store
	reads int
	open  int
}

func (v *countedViews) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	s, err := v.Store.Snapshot(ctx)
	v.open++
	return countedSnapshot{s, v}, err
}

type countedSnapshot struct {
	readmodel.Snapshot
	v *countedViews
}

func (s countedSnapshot) Close() { s.v.open-- }

func (s countedSnapshot) ProfileByID(ctx context.Context, id domain.UserID) (readmodel.Profile, error) {
	s.v.reads++
	return s.Snapshot.ProfileByID(ctx, id)
}

func (s countedSnapshot) Profiles(ctx context.Context, keys []readmodel.UserKey) ([]readmodel.Profile, error) {
	s.v.reads++
	return s.Snapshot.Profiles(ctx, keys)
}

func (s countedSnapshot) Chirps(ctx context.Context, at []domain.Position) ([]readmodel.Chirp, error) {
	s.v.reads++
	return s.Snapshot.Chirps(ctx, at)
}

func (s countedSnapshot) Timeline(ctx context.Context, owner readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	s.v.reads++
	return s.Snapshot.Timeline(ctx, owner, w)
}

func (s countedSnapshot) Sources(ctx context.Context, owner readmodel.UserKey, after domain.Position) ([]readmodel.Source, error) {
	s.v.reads++
	return s.Snapshot.Sources(ctx, owner, after)
}

func (s countedSnapshot) SourceChirps(ctx context.Context, sources []readmodel.Source, w readmodel.Window) ([]domain.Position, error) {
	s.v.reads++
	return s.Snapshot.SourceChirps(ctx, sources, w)
}

func (s countedSnapshot) Following(ctx context.Context, follower readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	s.v.reads++
	return s.Snapshot.Following(ctx, follower, w)
}

func (s countedSnapshot) Follows(ctx context.Context, follower readmodel.UserKey, followees []readmodel.UserKey) ([]readmodel.Follow, error) {
	s.v.reads++
	return s.Snapshot.Follows(ctx, follower, followees)
}

func TestReadsDoNotGrowWithTheAnswer(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	var all []readmodel.UserKey
	for range 20 {
		u := w.register()
		all = append(all, u)
		w.post(u, readmodel.Pull)
		w.post(u, readmodel.Push)
		w.follow(ann, u)
	}
	v := &countedViews{Store: w.store}
	s := w.service()
	s.Views = v
	tests := map[string]struct {
		read func(r *query.Reader) error
		want int
	}{
		"Feed": {func(r *query.Reader) error {
			_, err := r.Feed(t.Context(), userID(ann), query.Page{First: new(30)})
			return err
		}, 5},
		"FeedAfter": {func(r *query.Reader) error { _, err := r.FeedAfter(t.Context(), userID(ann), 0, 30); return err }, 5},
		"Following": {func(r *query.Reader) error {
			_, err := r.Following(t.Context(), ann, query.Page{First: new(20)})
			return err
		}, 2},
		"Follows":  {func(r *query.Reader) error { _, err := r.Follows(t.Context(), ann, all); return err }, 1},
		"Profiles": {func(r *query.Reader) error { _, err := r.ProfilesByKey(t.Context(), all); return err }, 1},
		"no keys":  {func(r *query.Reader) error { _, err := r.ProfilesByKey(t.Context(), nil); return err }, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v.reads = 0
			r := open(t, s, 0)
			if err := test.read(r); err != nil || v.reads != test.want {
				t.Errorf("got %d reads, error %v; want %d", v.reads, err, test.want)
			}
			r.Close()
		})
	}
	if _, err := s.Open(t.Context(), w.at+1); err == nil || v.open != 0 {
		t.Errorf("got %d open snapshots after all are closed and Open returned %v, want none", v.open, err)
	}
}
