package credentials_test

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"chirp/internal/storage/sqlite/credentials"
	"chirp/internal/storage/sqlite/eventlog"
)

// TestFilesOfEarlierVersionsRecordNoAccess opens a file without the tables, first to
// read and then to write.
func TestFilesOfEarlierVersionsRecordNoAccess(t *testing.T) {
	dir := t.TempDir()
	t.Run("made", func(t *testing.T) {
		_, store := open(t, dir)
		if err := store.SaveCredential(t.Context(), "user_1", "hash", time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	db, err := sql.Open("sqlite", filepath.Join(dir, "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DROP TABLE access; DROP TABLE sessions"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := eventlog.Open(t.Context(), dir, eventlog.Options{ReadOnly: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := credentials.Open(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := reader.Access(t.Context(), "user_1"); err != nil || a.Epoch != 0 || a.Disabled || len(a.Sessions) != 0 {
		t.Errorf("Access: got %+v, error %v; want none recorded", a, err)
	}
	if users, last, err := reader.AccessChanges(t.Context(), 0); err != nil || len(users) != 0 || last != 0 {
		t.Errorf("AccessChanges: got %q up to %d, error %v; want none", users, last, err)
	}
	n := 0
	for c, err := range reader.All(t.Context()) {
		if n++; err != nil || c.User != "user_1" || c.Hash != "hash" {
			t.Errorf("All: got %+v, error %v; want the hash", c, err)
		}
	}
	if err := log.Close(); err != nil || n != 1 {
		t.Fatalf("All: got %d credentials, want 1; Close: %v", n, err)
	}
	_, writer := open(t, dir)
	if err := writer.SetDisabled(t.Context(), "user_1", true); err != nil {
		t.Fatal(err)
	}
	if a, err := writer.Access(t.Context(), "user_1"); err != nil || !a.Disabled {
		t.Errorf("Access: got %+v, error %v; want the user disabled", a, err)
	}
}
