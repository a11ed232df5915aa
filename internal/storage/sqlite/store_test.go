package sqlite_test

import (
	"bytes"
	"cmp"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite"
)

// openStore opens the store in a folder until the test ends.
func openStore(t testing.TB, dir string, o sqlite.Options) *sqlite.Store {
	t.Helper()
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
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

// numbered makes an append of one event under a name of its own.
func numbered(name string) eventstore.Append {
	return eventstore.Append{
		Events:  []eventstore.NewEvent{{Stream: domain.StreamID(name), Type: "thing.happened.v1", Data: fmt.Appendf(nil, `{"text":"%0300d"}`, 0)}},
		Command: eventstore.Command{CommandKey: eventstore.CommandKey{Actor: "actor", ID: name}, Fingerprint: "fingerprint"},
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string) (open string)
		options sqlite.Options
		want    string
	}{
		{"a file", withFile("data", "text"), sqlite.Options{}, "is a file; name a folder with --data"},
		{"a folder inside a file", func(t *testing.T, dir string) string {
			return filepath.Join(withFile("data", "text")(t, dir), "sub")
		}, sqlite.Options{}, "not a directory"},
		{"a folder that is not writable", notWritable, sqlite.Options{}, "is not writable"},
		{"a log that is text", withLog([]byte(strings.Repeat("not a database ", 1000))), sqlite.Options{}, "log.db is not a database; restore it from a copy"},
		{"a log that is cut off", cutLog, sqlite.Options{}, "log.db is damaged"},
		{"a log with a page overwritten", spoilLog, sqlite.Options{}, "log.db is damaged"},
		{"a log without a table", changeLog("DROP TABLE meta"), sqlite.Options{}, "log.db is damaged"},
		{"a log without its columns", changeLog("ALTER TABLE events DROP COLUMN trace_id"), sqlite.Options{}, "log.db is damaged"},
		{"a newer log", changeLog("PRAGMA user_version = 2"), sqlite.Options{}, "log.db was written by a newer version of this program (its format is 2, this program reads 1)"},
		{"another program's database", changeLog("PRAGMA application_id = 7"), sqlite.Options{}, "log.db is a database of another program"},
		{"another program's database without a mark", otherDatabase, sqlite.Options{}, "log.db is a database of another program"},
		{"to read a folder that is not there", func(_ *testing.T, dir string) string { return filepath.Join(dir, "none") }, sqlite.Options{ReadOnly: true}, "does not exist"},
		{"to read an empty log", withLog(nil), sqlite.Options{ReadOnly: true}, "log.db is empty"},
		{"to read a folder without a log", func(_ *testing.T, dir string) string { return dir }, sqlite.Options{ReadOnly: true}, "holds no log"},
	} {
		for _, exclusive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, exclusive %t", c.name, exclusive), func(t *testing.T) {
				base := t.TempDir()
				dir := c.prepare(t, base)
				before := contents(t, base)
				c.options.Exclusive = exclusive && !c.options.ReadOnly
				store, err := sqlite.Open(t.Context(), dir, c.options)
				if err == nil {
					t.Fatalf("Open: got no error; Close: %v", store.Close())
				}
				if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), dir) != 1 {
					t.Errorf("Open: got error %q, want one line of kind Invalid with %q that names the folder once", err, c.want)
				}
				after := contents(t, base)
				delete(after, filepath.Join(base, "lock"))
				if !maps.EqualFunc(before, after, bytes.Equal) {
					t.Errorf("Open changed the folder: got files %q, want %q, with the same contents", keys(after), keys(before))
				}
			})
		}
	}
}

// contents reads every file below a folder.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func keys(m map[string][]byte) (names []string) {
	for name := range m {
		names = append(names, filepath.Base(name))
	}
	return names
}

func withFile(name, text string) func(*testing.T, string) string {
	return func(t *testing.T, dir string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func withLog(data []byte) func(*testing.T, string) string {
	return func(t *testing.T, dir string) string {
		return filepath.Dir(withFile("log.db", string(data))(t, dir))
	}
}

// notWritable returns a folder that not even the superuser can write to.
func notWritable(t *testing.T, dir string) string {
	if os.Geteuid() == 0 {
		return "/proc"
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	return dir
}

// filled returns the content of a log with some events.
func filled(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	for i := range 100 {
		if _, err := store.Log().Append(t.Context(), numbered(fmt.Sprint(i))); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func cutLog(t *testing.T, dir string) string {
	data := filled(t)
	return withLog(data[:len(data)/2])(t, dir)
}

func spoilLog(t *testing.T, dir string) string {
	data := filled(t)
	for i := len(data) / 2; i < len(data)/2+4096; i++ {
		data[i] = 0xA5
	}
	return withLog(data)(t, dir)
}

func changeLog(statement string) func(*testing.T, string) string {
	return func(t *testing.T, dir string) string {
		withLog(filled(t))(t, dir)
		execute(t, filepath.Join(dir, "log.db"), statement)
		return dir
	}
}

func otherDatabase(t *testing.T, dir string) string {
	execute(t, filepath.Join(dir, "log.db"), "PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')")
	return dir
}

// execute runs statements on a database file that is not open.
func execute(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOneServerHoldsTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "data")
	first, err := sqlite.Open(t.Context(), dir, sqlite.Options{Exclusive: true})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if _, err := first.Log().Append(t.Context(), numbered("a chirp")); err != nil {
		t.Fatalf("Append: %v", err)
	}
	_, err = sqlite.Open(t.Context(), dir, sqlite.Options{Exclusive: true})
	want := fmt.Sprintf("data folder %s is held by another server (pid %d); stop it or choose another with --data", dir, os.Getpid())
	if err == nil || err.Error() != want || domain.KindOf(err) != domain.Invalid {
		t.Errorf("Open: got error %v, want %s", err, want)
	}
	wantEvents(t, openStore(t, dir, sqlite.Options{}).Log(), 1)
	wantEvents(t, openStore(t, dir, sqlite.Options{ReadOnly: true}).Log(), 1)
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	wantEvents(t, openStore(t, dir, sqlite.Options{Exclusive: true}).Log(), 1)
}

// wantEvents checks how many events a log has.
func wantEvents(t *testing.T, log eventstore.Log, want int) {
	t.Helper()
	events, err := log.ReadAll(t.Context(), 0, 1_000_000)
	if err != nil || len(events) != want {
		t.Errorf("ReadAll: got %d events, error %v; want %d", len(events), err, want)
	}
}

func TestReadOnlyWritesNothing(t *testing.T) {
	dir := withLog(filled(t))(t, t.TempDir())
	store := openStore(t, dir, sqlite.Options{ReadOnly: true})
	if _, err := store.Log().Append(t.Context(), numbered("a chirp")); domain.KindOf(err) != domain.Invalid {
		t.Errorf("Append: got error %v, want one of kind Invalid", err)
	}
	if err := store.Credentials().DeleteCredential(t.Context(), "user_x"); domain.KindOf(err) != domain.Invalid {
		t.Errorf("DeleteCredential: got error %v, want one of kind Invalid", err)
	}
	wantEvents(t, store.Log(), 100)
}

func TestALinkInPlaceOfTheLockIsNotFollowed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("only an administrator may create symbolic links")
	}
	dir := t.TempDir()
	outside := withFile("outside", "text")(t, t.TempDir())
	if err := os.Symlink(outside, filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{Exclusive: true})
	if err == nil {
		t.Errorf("Open: got no error, want one about the lock; Close: %v", store.Close())
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "text" {
		t.Errorf("the file that the link leads to: got %q, error %v; want it unchanged", text, err)
	}
}
