package credentials_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/storage/sqlite/credentials"
	"chirp/internal/storage/sqlite/eventlog"
)

// open opens the credentials in the log of a folder until the test ends.
func open(t testing.TB, dir string) (*eventlog.Log, *credentials.Store) {
	t.Helper()
	log, err := eventlog.Open(t.Context(), dir, eventlog.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	store, err := credentials.Open(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	return log, store
}

func TestCredentialsPassTheSuite(t *testing.T) {
	authtest.Run(t, func(t testing.TB) auth.Credentials {
		_, store := open(t, t.TempDir())
		return store
	})
}

// TestAllGoesOnFromBatchToBatch has users in one, two and three tables, and more of them
// than fit in a batch. A part of the users has nothing but sessions, two each.
func TestAllGoesOnFromBatchToBatch(t *testing.T) {
	_, store := open(t, t.TempDir())
	const users = 2500
	restored := make([]auth.Credential, users)
	for i := range restored {
		c := &restored[i]
		c.User = domain.UserIDFrom([16]byte{14: byte(i >> 8), 15: byte(i)})
		if i < users/2 {
			c.Hash = "hash"
		}
		if i%3 == 0 {
			c.Access.Epoch = 1
		}
		if i%3 == 0 && i >= users/2 {
			continue
		}
		for range 2 {
			c.Access.Sessions = append(c.Access.Sessions, auth.Session{ID: auth.NewSessionID()})
		}
	}
	if err := store.Restore(t.Context(), nil, restored, time.Now()); err != nil {
		t.Fatal(err)
	}
	i := 0
	for c, err := range store.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if want := restored[i]; c.User != want.User || c.Hash != want.Hash || c.Access.Epoch != want.Access.Epoch || len(c.Access.Sessions) != len(want.Access.Sessions) {
			t.Fatalf("user %d: got %+v, want %+v", i, c, want)
		}
		i++
	}
	if i != users {
		t.Errorf("got %d users, want %d", i, users)
	}
}

// TestReadersWaitForTheirTurn takes every connection that clients may have, and
// reads.
func TestReadersWaitForTheirTurn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, store := open(t, dir)
		end := make(chan struct{})
		defer close(end)
		for log.Gate().Waiting == 0 {
			go eventlog.Read(t.Context(), log, "hold a connection", func(*sql.DB) (any, error) { <-end; return nil, nil })
			synctest.Wait()
		}
		for name, read := range map[string]func(context.Context) error{
			"Credential":  func(ctx context.Context) error { _, err := store.Credential(ctx, "user_1"); return err },
			"Unconfirmed": func(ctx context.Context) error { _, err := store.Unconfirmed(ctx, time.Now(), 1); return err },
			"Secret":      func(ctx context.Context) error { _, err := store.Secret(ctx, nil); return err },
			"All": func(ctx context.Context) error {
				for _, err := range store.All(ctx) {
					return err
				}
				return nil
			},
		} {
			if err := read(t.Context()); domain.KindOf(err) != domain.Unavailable {
				t.Errorf("%s: got %v, want kind Unavailable", name, err)
			}
			if err := read(gate.Own(t.Context())); err != nil && !errors.Is(err, auth.ErrNoCredential) {
				t.Errorf("%s of the server's own: got %v, want no error", name, err)
			}
		}
	})
}
