package sqlite

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/gate"
)

// TestReadersOfTheLogWaitForTheirTurn takes every connection that clients may
// have, and reads.
func TestReadersOfTheLogWaitForTheirTurn(t *testing.T) {
	store, err := Open(t.Context(), t.TempDir(), Options{Exclusive: true})
	wantNil(t, err)
	defer store.Close()
	for range readers {
		_, err := store.log.readers.Enter(t.Context())
		wantNil(t, err)
	}
	var reading sync.WaitGroup
	for name, read := range map[string]func(context.Context) error{
		"Head":    func(ctx context.Context) error { _, err := store.Log().Head(ctx); return err },
		"Load":    func(ctx context.Context) error { _, err := store.Log().Load(ctx, "user:1"); return err },
		"ReadAll": func(ctx context.Context) error { _, err := store.Log().ReadAll(ctx, 0, 1); return err },
		"Hashes": func(ctx context.Context) error {
			_, err := store.Log().Hashes(ctx, []domain.Position{1})
			return err
		},
		"Credential": func(ctx context.Context) error { _, err := store.Credentials().Credential(ctx, "user_1"); return err },
		"Unconfirmed": func(ctx context.Context) error {
			_, err := store.Credentials().Unconfirmed(ctx, time.Now(), 1)
			return err
		},
	} {
		reading.Go(func() {
			if err := read(t.Context()); domain.KindOf(err) != domain.Unavailable {
				t.Errorf("%s: got %v, want kind Unavailable", name, err)
			}
		})
		if err := read(gate.Own(t.Context())); err != nil && !errors.Is(err, auth.ErrNoCredential) {
			t.Errorf("%s of the server's own: got %v, want no error", name, err)
		}
	}
	reading.Wait()
}
