package mongodb_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

// TestCallersWaitForAConnection reads while every connection of a small pool that
// clients may use is taken.
func TestCallersWaitForAConnection(t *testing.T) {
	uri := mongotest.URI(t)
	uri += map[bool]string{true: "&", false: "?"}[strings.Contains(uri, "?")] + "maxPoolSize=8"
	store, err := mongodb.Open(t.Context(), uri, mongotest.Database(t), mongodb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Views().Serving(t.Context(), storetest.Epoch(t, store), 10); err != nil {
		t.Fatal(err)
	}
	view, err := store.Views().Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	for range 4 {
		if _, err := mongodb.Gate(store).Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var reading sync.WaitGroup
	for name, read := range map[string]func(context.Context) error{
		"Head":       func(ctx context.Context) error { _, err := store.Log().Head(ctx); return err },
		"Load":       func(ctx context.Context) error { _, err := store.Log().Load(ctx, "user:1"); return err },
		"Credential": func(ctx context.Context) error { _, err := store.Credentials().Credential(ctx, "user_1"); return err },
		"Snapshot": func(ctx context.Context) error {
			s, err := store.Views().Snapshot(ctx)
			if err == nil {
				s.Close()
			}
			return err
		},
		"Sources": func(ctx context.Context) error { _, err := view.Sources(ctx, 1, 0); return err },
	} {
		if err := read(gate.Own(t.Context())); err != nil && !errors.Is(err, auth.ErrNoCredential) {
			t.Errorf("%s of the server's own: got %v, want no error", name, err)
		}
		reading.Go(func() {
			if err := read(t.Context()); domain.KindOf(err) != domain.Unavailable {
				t.Errorf("%s: got %v, want kind Unavailable", name, err)
			}
		})
	}
	reading.Wait()
	if got := mongodb.Gate(store).Stats().Refused; got < 5 {
		t.Errorf("refused callers: got %d, want at least 5", got)
	}
}
