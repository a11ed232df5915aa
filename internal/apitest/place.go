package apitest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"chirp/internal/app"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/sqlite"
)

// Place is where a store keeps its data. Servers and commands run on it.
type Place struct {
	Args []string // the flags that name it
	// Open opens the store to read, also beside a running server, and
	// OpenToServe as a server does.
	Open, OpenToServe func(ctx context.Context) (app.Storage, error)
}

// OnBothStores runs a test on a new store of either kind, in parallel.
func OnBothStores(t *testing.T, test func(t *testing.T, p Place)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, Embedded(t.TempDir())) })
	t.Run("mongodb", func(t *testing.T) {
		t.Parallel()
		test(t, OnMongoDB(mongotest.URI(t), mongotest.Database(t)))
	})
}

// Embedded returns the embedded store in a folder. If the folder exists, Embedded
// closes it to other users, because a server would warn of it.
func Embedded(dir string) Place {
	_ = os.Chmod(dir, 0o700)
	open := func(options sqlite.Options) func(ctx context.Context) (app.Storage, error) {
		return func(ctx context.Context) (app.Storage, error) { return sqlite.Open(ctx, dir, options) }
	}
	return Place{[]string{"--data", dir}, open(sqlite.Options{ReadOnly: true}), open(sqlite.Options{Exclusive: true})}
}

// OnMongoDB returns the store in a database of a MongoDB.
func OnMongoDB(uri, database string) Place {
	open := func(ctx context.Context) (app.Storage, error) {
		return mongodb.Open(ctx, uri, database, mongodb.Options{})
	}
	return Place{[]string{"--mongodb-uri", uri, "--mongodb-database", database}, open, open}
}

// EventLog opens the place's log until the test ends.
func (p Place) EventLog(t testing.TB) eventstore.Log {
	t.Helper()
	store, err := p.Open(t.Context())
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() { store.Close() })
	return store.Log()
}

// Events returns the whole log.
func (p Place) Events(t testing.TB) []eventstore.Event {
	t.Helper()
	log := p.EventLog(t)
	var events []eventstore.Event
	for {
		more, err := log.ReadAll(t.Context(), domain.Position(len(events)), 1000)
		if err != nil {
			t.Fatalf("ReadAll after %d: %v", len(events), err)
		}
		if len(more) == 0 {
			return events
		}
		for _, e := range more {
			if e.Position != domain.Position(len(events))+1 {
				t.Fatalf("ReadAll: got position %d in place %d", e.Position, len(events)+1)
			}
			events = append(events, e)
		}
	}
}

// OpenToWrite opens the store until the test ends: exclusively, or beside its
// server.
func (p Place) OpenToWrite(t testing.TB, exclusive bool) app.Storage {
	t.Helper()
	var store app.Storage
	var err error
	if p.Args[0] == "--data" {
		store, err = sqlite.Open(t.Context(), p.Args[1], sqlite.Options{Exclusive: exclusive})
	} else {
		store, err = mongodb.Open(t.Context(), p.Args[1], p.Args[3], mongodb.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// Head returns the position of the log's last event, 0 if there is no log yet.
func (p Place) Head(t *testing.T) domain.Position {
	t.Helper()
	store, err := p.Open(t.Context())
	if err != nil {
		return 0
	}
	defer store.Close()
	head, err := store.Log().Head(t.Context())
	if err != nil {
		return 0
	}
	return head.Position
}

// Command runs a command of the program on the place to its end.
func (p Place) Command(t testing.TB, args ...string) Result {
	t.Helper()
	return Execute(t, slices.Concat(args, p.Args)...)
}

// Export exports the place's log to a new file and returns its name.
func (p Place) Export(t testing.TB, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log.jsonl")
	if e := p.Command(t, slices.Concat([]string{"export", file}, args)...); e.Code != 0 || e.Out != "" {
		t.Fatalf("export: exit code %d, output %q, log:\n%s", e.Code, e.Out, e.Log)
	}
	return file
}

// Import imports a file into the place; the arguments are the command's.
func (p Place) Import(t testing.TB, args ...string) {
	t.Helper()
	if e := p.Command(t, slices.Concat([]string{"import"}, args)...); e.Code != 0 {
		t.Fatalf("import: exit code %d, log:\n%s", e.Code, e.Log)
	}
}
