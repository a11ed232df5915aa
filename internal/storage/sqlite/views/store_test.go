package views

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/readmodel"
	"chirp/internal/readmodel/readmodeltest"
	"chirp/internal/storage/sqlite/dbfile"
)

const testEpoch = "epoch-of-the-test"

func TestViewsKeepTheContract(t *testing.T) {
	readmodeltest.Run(t, func(t testing.TB) readmodel.Store {
		return openTestStore(t, t.TempDir(), Options{Exclusive: true})
	})
}

func TestViewsInSmallVolumesKeepTheContract(t *testing.T) {
	limits := defaultLimits()
	limits.room = 3
	readmodeltest.Run(t, func(t testing.TB) readmodel.Store {
		return openTestStoreWith(t, t.TempDir(), Options{Exclusive: true}, limits)
	})
}

func TestViewsAreSharedBetweenProcesses(t *testing.T) {
	readmodeltest.RunShared(t, func(t testing.TB) (one, other readmodel.Store) {
		dir := t.TempDir()
		return openTestStore(t, dir, Options{Exclusive: true}), openTestStore(t, dir, Options{})
	})
}

func TestViewsAreReplacedBetweenProcesses(t *testing.T) {
	readmodeltest.RunGenerations(t, func(t testing.TB) (one, other readmodel.Store) {
		dir := t.TempDir()
		return openTestStore(t, dir, Options{Exclusive: true}), openTestStore(t, dir, Options{})
	})
}

// testLog is a log with a given end, and with the same event at each position.
type testLog struct {
	head  eventstore.Head
	event domain.EventHash // at each position
	err   error
}

func (l testLog) Head(context.Context) (eventstore.Head, error) { return l.head, l.err }

func (l testLog) Hashes(_ context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	return map[domain.Position]domain.EventHash{positions[0]: l.event}, l.err
}

// endlessLog ends beyond every position of the tests.
var endlessLog = testLog{head: eventstore.Head{Epoch: testEpoch, Position: 1 << 61}}

func openTestStore(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	return openTestStoreWith(t, dir, o, defaultLimits())
}

func openTestStoreWith(t testing.TB, dir string, o Options, l limits) *Store {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	v, err := openLimited(context.Background(), dir, endlessLog, o, l)
	if err != nil {
		t.Fatalf("open the views: %v", err)
	}
	t.Cleanup(func() { closeViews(t, v) })
	return v
}

func closeViews(t testing.TB, v *Store) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Errorf("close the views: %v", err)
	}
}

func serveViews(t testing.TB, v *Store) readmodel.Writer {
	t.Helper()
	w, err := v.Serving(t.Context(), testEpoch, 10)
	if err != nil {
		t.Fatalf("Serving: %v", err)
	}
	return w
}

// fillViews puts two users, a follow and n chirps into empty views.
func fillViews(t testing.TB, w readmodel.Writer, n int) {
	t.Helper()
	if err := w.Apply(t.Context(), viewsBatch(n)); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func viewsBatch(n int) readmodel.Batch {
	b := readmodel.Batch{To: readmodel.Checkpoint{Position: domain.Position(10 + n)}}
	for k := readmodel.UserKey(1); k <= 2; k++ {
		b.Profiles = append(b.Profiles, readmodel.Profile{Key: k, ID: domain.UserIDFrom(benchUUID(int64(k))), Username: domain.Username(fmt.Sprintf("user%d", k))})
	}
	b.Follows = []readmodel.Follow{{Follower: 1, Followee: 2, Since: 3}}
	for at := domain.Position(11); at <= b.To.Position; at++ {
		b.Chirps = append(b.Chirps, readmodel.Chirp{Position: at, ID: domain.ChirpIDFrom(benchUUID(int64(at))), Author: 2, Content: "a chirp that takes some room on its page"})
		b.FanOuts = append(b.FanOuts, readmodel.FanOut{Chirp: at, Author: 2, Range: readmodel.Range{Through: at}})
	}
	return b
}

// timelineLength reads the timeline that fillViews fills.
func timelineLength(t testing.TB, v *Store) (int, error) {
	t.Helper()
	s, err := v.Snapshot(t.Context())
	if err != nil {
		return 0, err
	}
	defer s.Close()
	found, err := s.Timeline(t.Context(), 1, readmodel.Window{Limit: 100_000})
	return len(found), err
}

func TestViewsAreThereAfterAReopening(t *testing.T) {
	dir := t.TempDir()
	v := openTestStore(t, dir, Options{Exclusive: true})
	fillViews(t, serveViews(t, v), 50)
	closeViews(t, v)

	// As far as the log, and not beyond it.
	log := testLog{head: eventstore.Head{Epoch: testEpoch, Position: 60}}
	again, err := Open(t.Context(), dir, log, Options{Exclusive: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("open the views: %v", err)
	}
	defer closeViews(t, again)
	if n, err := timelineLength(t, again); n != 50 || err != nil {
		t.Errorf("the timeline has %d chirps, %v, want 50", n, err)
	}
}

// unfitViews are the ways in which views cannot serve.
var unfitViews = map[string]struct {
	damage func(t *testing.T, path string)
	log    testLog
	reason string // in the warning
}{
	"garbage at the beginning": {damage: overwrite(0, 100), reason: "damaged"},
	"garbage in the middle":    {damage: overwrite(3*4096, 8*4096), reason: "damaged"},
	"cut off": {damage: func(t *testing.T, path string) {
		wantNil(t, os.Truncate(path, 5000))
	}, reason: "damaged"},
	"empty": {damage: func(t *testing.T, path string) {
		wantNil(t, os.Truncate(path, 0))
	}, reason: "there is no views-1.db"},
	"gone": {damage: func(t *testing.T, path string) {
		wantNil(t, os.Remove(path))
	}, reason: "there is no views-1.db"},
	"another format": {damage: func(t *testing.T, path string) {
		change(t, path, "PRAGMA user_version = 99")
	}, reason: "format 99"},
	"a table gone": {damage: func(t *testing.T, path string) {
		change(t, path, "DROP TABLE generation")
	}, reason: "damaged"},
	"no generation described": {damage: func(t *testing.T, path string) {
		change(t, path, "DELETE FROM generation")
	}, reason: "describes 0 generations"},
	"a choice of nothing": {damage: func(t *testing.T, path string) {
		wantNil(t, os.WriteFile(filepath.Join(filepath.Dir(path), ServingFile), []byte("none\n"), 0o600))
	}, reason: "not a number"},
	"of another log":   {log: testLog{head: eventstore.Head{Epoch: "another", Position: 1000}}, reason: "another log"},
	"ahead of the log": {log: testLog{head: eventstore.Head{Epoch: testEpoch, Position: 59}}, reason: "at position 60 and the log ends at 59"},
	"of another history": {damage: func(t *testing.T, path string) {
		change(t, path, "UPDATE generation SET event = 7")
	}, log: testLog{head: eventstore.Head{Epoch: testEpoch, Position: 1000}, event: 8}, reason: "at their position 60 the log has another event"},
}

func TestViewsThatDoNotServeAreMadeAgain(t *testing.T) {
	for name, c := range unfitViews {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			v := openTestStore(t, dir, Options{Exclusive: true})
			fillViews(t, serveViews(t, v), 50)
			closeViews(t, v)
			if c.damage != nil {
				c.damage(t, generationPath(dir, 1))
			}
			if c.log == (testLog{}) {
				c.log.head = eventstore.Head{Epoch: testEpoch, Position: 1000}
			}

			// A process without the lock touches nothing.
			if _, err := Open(t.Context(), dir, c.log, Options{Log: slog.New(slog.DiscardHandler)}); domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), "start the server") {
				t.Errorf("opening them beside the server: got %v, want one of kind Invalid that says what to do", err)
			}
			var warnings bytes.Buffer
			v, err := Open(t.Context(), dir, c.log, Options{Exclusive: true, Log: slog.New(slog.NewTextHandler(&warnings, nil))})
			if err != nil {
				t.Fatalf("open the views: %v", err)
			}
			defer closeViews(t, v)
			if text := warnings.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, c.reason) {
				t.Errorf("the warning is %q, want one that says %q", text, c.reason)
			}
			if _, err := v.Snapshot(t.Context()); domain.KindOf(err) != domain.Unavailable {
				t.Errorf("Snapshot: got %v, want an error of kind Unavailable", err)
			}
			w := serveViews(t, v)
			g, err := w.Generation(t.Context())
			if err != nil || g.Number != 1 || g.Checkpoint != (readmodel.Checkpoint{}) {
				t.Errorf("the generation made again is %+v, %v", g, err)
			}
			fillViews(t, w, 7)
			if n, err := timelineLength(t, v); n != 7 || err != nil {
				t.Errorf("the timeline has %d chirps, %v, want 7", n, err)
			}
		})
	}
}

func TestOutagesDoNotDiscardViews(t *testing.T) {
	dir := t.TempDir()
	v := openTestStore(t, dir, Options{Exclusive: true})
	fillViews(t, serveViews(t, v), 5)
	closeViews(t, v)
	outage := domain.Errorf(domain.Unavailable, "the log cannot be read")
	_, err := Open(t.Context(), dir, testLog{err: outage}, Options{Exclusive: true, Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, outage) {
		t.Errorf("open: got %v, want the log's error", err)
	}
	if n, err := timelineLength(t, openTestStore(t, dir, Options{Exclusive: true})); n != 5 || err != nil {
		t.Errorf("the timeline has %d chirps, %v, want 5", n, err)
	}
}

func TestDamageFoundLaterMakesViewsAgain(t *testing.T) {
	dir := t.TempDir()
	v := openTestStore(t, dir, Options{Exclusive: true})
	w := serveViews(t, v)
	fillViews(t, w, 5000)
	if err := v.current.withWriter(func(c *conn) error {
		_, err := c.exec("PRAGMA wal_checkpoint(TRUNCATE)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	overwrite(4*4096, 60*4096)(t, generationPath(dir, 1))
	if n, err := timelineLength(t, v); err == nil {
		t.Fatalf("the damaged timeline was read: %d chirps", n)
	}
	if _, err := v.Snapshot(t.Context()); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("Snapshot of discarded views: got %v, want an error of kind Unavailable", err)
	}
	if err := w.Apply(t.Context(), readmodel.Batch{}); !errors.Is(err, readmodel.ErrFenced) {
		t.Errorf("Apply to discarded views: got %v, want ErrFenced", err)
	}
	fillViews(t, serveViews(t, v), 7)
	if n, err := timelineLength(t, v); n != 7 || err != nil {
		t.Errorf("the timeline made again has %d chirps, %v, want 7", n, err)
	}
	if _, err := v.DropRetired(t.Context(), 0); err != nil {
		t.Errorf("DropRetired: %v", err)
	}
	if _, err := os.Stat(generationPath(dir, 1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged file is still there: %v", err)
	}
}

func TestProcessesWithoutTheLockRepairNothing(t *testing.T) {
	dir := t.TempDir()
	fillViews(t, serveViews(t, openTestStore(t, dir, Options{Exclusive: true})), 5)
	guest := openTestStore(t, dir, Options{})
	wantNil(t, writeServing(dir, 7, true)) // which is not there
	if _, err := guest.Serving(t.Context(), testEpoch, 10); !errors.Is(err, errUnfit) {
		t.Errorf("Serving: got %v, want that the views do not serve", err)
	}
	if number, err := readServing(dir); number != 7 || err != nil {
		t.Errorf("the choice is now %d, %v, want 7", number, err)
	}
	if next, err := nextGeneration(dir); next != 2 || err != nil {
		t.Errorf("there are files before generation %d, %v, want 2", next, err)
	}
}

func TestSwitchByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	server := openTestStore(t, dir, Options{Exclusive: true})
	old := serveViews(t, server)
	fillViews(t, old, 5)
	held, err := server.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var awaited domain.Position
	var waiter sync.WaitGroup
	waiter.Go(func() { awaited, _ = server.Await(ctx, 20) })

	rebuild(t, dir, 2, 30)
	waiter.Wait()
	if awaited != 40 {
		t.Errorf("Await: got %d, want the new generation's 40", awaited)
	}
	if err := old.Apply(t.Context(), readmodel.Batch{From: readmodel.Checkpoint{Position: 15}, To: readmodel.Checkpoint{Position: 16}}); !errors.Is(err, readmodel.ErrFenced) {
		t.Errorf("Apply to the old generation: got %v, want ErrFenced", err)
	}
	if n, err := timelineLength(t, server); n != 30 || err != nil {
		t.Errorf("the new timeline has %d chirps, %v, want 30", n, err)
	}
	if found, err := held.Timeline(t.Context(), 1, readmodel.Window{Limit: 99}); len(found) != 5 || err != nil || held.Generation().Number != 1 {
		t.Errorf("a snapshot from before the switch: got %d chirps of generation %d, %v, want 5 of 1", len(found), held.Generation().Number, err)
	}
	held.Close()
	g, err := serveViews(t, server).Generation(t.Context())
	if err != nil || g.Number != 2 || g.Checkpoint.Position != 40 {
		t.Errorf("Serving: got %+v, %v, want generation 2 at 40", g, err)
	}
	dropped, err := server.DropRetired(ctx, 0)
	if err != nil || !slices.Equal(dropped, []int{1}) {
		t.Errorf("DropRetired: got %v, %v, want generation 1", dropped, err)
	}
	if _, err := os.Stat(generationPath(dir, 1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old generation is still there: %v", err)
	}
}

// rebuild makes a generation beside the one that serves, and switches to it.
func rebuild(t *testing.T, dir string, number, chirps int) {
	t.Helper()
	limits := defaultLimits()
	wantNil(t, createGeneration(dir, readmodel.Generation{Number: number, Epoch: testEpoch, Threshold: 10}, limits.room, readerIndexes))
	g, err := openGeneration(dir, number, limits, false)
	if err != nil {
		t.Fatal(err)
	}
	wantNil(t, g.withWriter(func(c *conn) error { return g.applyBatch(c, viewsBatch(chirps), func() error { return nil }) }))
	wantNil(t, g.close())
	wantNil(t, writeServing(dir, number, true))
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// overwrite puts garbage into a part of a file.
func overwrite(from, to int64) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		wantNil(t, err)
		_, err = f.WriteAt(bytes.Repeat([]byte("garbage!"), int(to-from)/8), from)
		wantNil(t, errors.Join(err, f.Close()))
	}
}

// change runs a statement on a database that is not open.
func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := dbfile.Open(path)
	wantNil(t, err)
	_, err = db.Exec(statement)
	wantNil(t, errors.Join(err, db.Close()))
}
