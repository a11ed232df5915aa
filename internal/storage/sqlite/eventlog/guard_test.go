package eventlog_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// Other programs may maintain the log beside a server without it reporting damage.
func TestLogMaintainedBesideAServerIsSound(t *testing.T) {
	dir := t.TempDir()
	log := openLog(t, dir)
	for i := range 100 {
		if _, err := log.Append(t.Context(), numbered(fmt.Sprint(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i, statement := range []string{"PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM credentials"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		if _, err := log.Append(t.Context(), numbered(fmt.Sprint("after ", i), 0)); err != nil {
			t.Errorf("Append after %s: %v", statement, err)
		}
	}
	if problems := log.Problems(); len(problems) > 0 {
		t.Errorf("got problems %q, want none", problems)
	}
}
