package credentials_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"
)

// TestFilesOfEarlierVersionsRememberNetworks opens a file without the table.
func TestFilesOfEarlierVersionsRememberNetworks(t *testing.T) {
	dir := t.TempDir()
	t.Run("made", func(t *testing.T) { open(t, dir) })
	db, err := sql.Open("sqlite", filepath.Join(dir, "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DROP TABLE networks"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, store := open(t, dir)
	now := time.Now().Truncate(time.Millisecond)
	if err := store.RememberNetwork(t.Context(), "user_1", "home", now); err != nil {
		t.Fatal(err)
	}
	if at, err := store.KnownNetwork(t.Context(), "user_1", "home"); err != nil || !at.Equal(now) {
		t.Errorf("got %v, error %v; want %v", at, err, now)
	}
}
