package sqlite

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/storage/sqlite/dbfile"
)

// sortMuch makes SQLite sort more than fits into the memory that it may use, so that
// it sorts in a file.
const sortMuch = `PRAGMA cache_size = -1000;
	CREATE TABLE much AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i, hex(randomblob(32)) AS t FROM n;
	CREATE INDEX much_by_t ON much (t); DROP TABLE much`

func TestTemporaryFilesAreInTheDataFolder(t *testing.T) {
	for _, name := range []string{"TMPDIR", "SQLITE_TMPDIR"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "nowhere"))
	}
	dir := filepath.Join(t.TempDir(), "it's the data")
	store, err := Open(t.Context(), dir, Options{Exclusive: true})
	wantNil(t, err)
	defer func() { wantNil(t, store.Close()) }()
	sorted := filepath.Join(dir, "sorted.db")
	wantNil(t, dbfile.Create(sorted))
	db, err := dbfile.Open(sorted, "temp_store(FILE)")
	wantNil(t, err)
	db.SetMaxOpenConns(1)
	defer func() { wantNil(t, db.Close()) }()
	if runtime.GOOS != "linux" {
		t.Log("which files are open is seen on Linux only: nothing is checked")
		return
	}
	folders := map[string]bool{}
	for deadline := time.Now().Add(time.Minute); len(folders) == 0 && time.Now().Before(deadline); { // looking may come too late
		done := make(chan error, 1)
		go func() {
			_, err := db.ExecContext(t.Context(), sortMuch)
			done <- err
		}()
		for ended := false; !ended; time.Sleep(100 * time.Microsecond) {
			select {
			case err := <-done:
				wantNil(t, err)
				ended = true
			default:
				for _, path := range openTemporaries(t) {
					folders[filepath.Dir(path)] = true
				}
			}
		}
	}
	if got := slices.Collect(maps.Keys(folders)); len(got) != 1 || got[0] != dir {
		t.Errorf("temporary files were in %q, want %q", got, dir)
	}
	for _, e := range names(t, dir) {
		if isTemporary(e) {
			t.Errorf("%s is left", e)
		}
	}
}

// TestAStoreWhoseViewsWereNeverBuiltHasNoProblem is about an import that takes long.
func TestAStoreWhoseViewsWereNeverBuiltHasNoProblem(t *testing.T) {
	store, err := Open(t.Context(), t.TempDir(), Options{Exclusive: true})
	wantNil(t, err)
	defer func() { wantNil(t, store.Close()) }()
	store.checkViews()
	if got := store.Problems(); len(got) > 0 {
		t.Errorf("Problems: got %q, want none", got)
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openTemporaries returns the paths of SQLite's temporary files that this process has
// open. Such a file was deleted, or never had a name; then the system shows a number
// instead.
func openTemporaries(t *testing.T) (paths []string) {
	t.Helper()
	descriptors, _ := filepath.Glob("/proc/self/fd/*")
	for _, d := range descriptors {
		path, _ := os.Readlink(d) // it may be closed by now
		if name := filepath.Base(path); strings.HasPrefix(name, "etilqs_") || strings.HasPrefix(name, "#") {
			paths = append(paths, path)
		}
	}
	return paths
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	wantNil(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestTemporaryFilesThatAreLeftAreRemoved(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-2 * leftoverAge)
	left := []string{"etilqs_0123456789abcdef", ".writable-123", "views-1234.tmp", "views-7.db.new-88", "views-7.db.new-88-journal"}
	kept := []string{"etilqs_in_use", "etilqs", "views-1", "notes.tmp"}
	for _, name := range append(slices.Clone(left), kept...) {
		path := filepath.Join(dir, name)
		wantNil(t, os.WriteFile(path, nil, 0o600))
		if name != "etilqs_in_use" {
			wantNil(t, os.Chtimes(path, old, old))
		}
	}
	for _, o := range []Options{{}, {Exclusive: true}} {
		store, err := Open(t.Context(), dir, o)
		wantNil(t, err)
		wantNil(t, store.Close())
		got := names(t, dir)
		for _, name := range left {
			if slices.Contains(got, name) == o.Exclusive {
				t.Errorf("opened with %+v: got files %q, want %s in them: %t", o, got, name, !o.Exclusive)
			}
		}
	}
	for _, name := range kept {
		if !slices.Contains(names(t, dir), name) {
			t.Errorf("%s was removed, want it kept", name)
		}
	}
}
