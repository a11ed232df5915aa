package sqlite_test

import (
	"path/filepath"
	"testing"

	"chirp/internal/auth"
	"chirp/internal/auth/authtest"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/storage/sqlite"
)

// openStore opens the store in a folder until the test ends.
func openStore(t testing.TB, dir string, o sqlite.Options) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return store
}

func TestLogPassesTheSuite(t *testing.T) {
	eventstoretest.Run(t, func(t testing.TB) eventstore.Log {
		return openStore(t, t.TempDir(), sqlite.Options{Exclusive: true}).Log()
	})
}

func TestLogIsDurable(t *testing.T) {
	base := t.TempDir()
	eventstoretest.RunDurable(t, func(t testing.TB, instance string) (eventstore.Log, func()) {
		store, err := sqlite.Open(t.Context(), filepath.Join(base, instance), sqlite.Options{Exclusive: true})
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		return store.Log(), func() {
			if err := store.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

func TestCredentialsPassTheSuite(t *testing.T) {
	authtest.Run(t, func(t testing.TB) auth.Credentials {
		return openStore(t, t.TempDir(), sqlite.Options{}).Credentials()
	})
}
