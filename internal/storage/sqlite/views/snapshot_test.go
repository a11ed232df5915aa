package views

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/readmodel"
	"chirp/internal/storage/sqlite/dbfile"
)

func TestSnapshotsWaitForTheirTurn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		v := openTestStore(t, dir, Options{Exclusive: true})
		fillViews(t, serveViews(t, v), 5)
		var open []readmodel.Snapshot
		for range clientSnapshots {
			s, err := v.Snapshot(t.Context())
			wantNil(t, err)
			open = append(open, s)
		}
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := v.Snapshot(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a Snapshot too many: got %v, want its context's error", err)
		}
		if _, err := v.Snapshot(t.Context()); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("a Snapshot that waits too long: got %v, want kind Unavailable", err)
		}
		own, err := v.Snapshot(gate.Own(t.Context()))
		wantNil(t, err)
		own.Close()
		var next sync.WaitGroup
		next.Go(func() {
			if n, err := timelineLength(t, v); n != 5 || err != nil {
				t.Errorf("the snapshot that waited shows %d chirps, %v, want 5", n, err)
			}
		})
		synctest.Wait() // until it waits
		for _, s := range open {
			s.Close()
			s.Close() // a second time is harmless
		}
		next.Wait()
	})
}

func TestSnapshotsOutliveTheContextThatOpenedThem(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	fillViews(t, serveViews(t, v), 5)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := v.Snapshot(ctx)
	wantNil(t, err)
	defer s.Close()
	cancel()
	if _, err := s.ChirpsBy(ctx, 2, readmodel.Window{Limit: 9}); !errors.Is(err, context.Canceled) {
		t.Errorf("a read whose context has ended: got %v, want context.Canceled", err)
	}
	if found, err := s.ChirpsBy(t.Context(), 2, readmodel.Window{Limit: 9}); len(found) != 5 || err != nil {
		t.Errorf("another read: got %d chirps, %v, want 5", len(found), err)
	}
}

func TestForgottenSnapshotsAreGivenUp(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		limits := defaultLimits()
		limits.snapshotLife = 10 * time.Millisecond
		v := openTestStoreWith(t, dir, Options{Exclusive: true}, limits)
		fillViews(t, serveViews(t, v), 5)
		for range 3 * clientSnapshots { // more than there may be at once
			_, err := v.Snapshot(t.Context())
			wantNil(t, err)
		}
		s, err := v.Snapshot(t.Context())
		wantNil(t, err)
		defer s.Close()
		if _, err := s.ProfileByName(t.Context(), "user1"); err != nil {
			t.Errorf("a read of a new snapshot: got %v, want no error", err)
		}
		time.Sleep(2 * limits.snapshotLife)
		if _, err := s.ProfileByName(t.Context(), "user1"); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("a read of a snapshot that was given up: got %v, want an error of kind Unavailable", err)
		}
	})
}

func TestReadOnlyViews(t *testing.T) {
	dir := t.TempDir()
	reader := openTestStore(t, dir, Options{ReadOnly: true})
	if _, err := reader.Serving(t.Context(), testEpoch, 10); domain.KindOf(err) != domain.Invalid {
		t.Errorf("Serving of empty views: got %v, want an error of kind Invalid", err)
	}
	fillViews(t, serveViews(t, openTestStore(t, dir, Options{Exclusive: true})), 5)
	if n, err := timelineLength(t, reader); n != 5 || err != nil {
		t.Errorf("the timeline has %d chirps, %v, want 5", n, err)
	}
	b := readmodel.Batch{From: readmodel.Checkpoint{Position: 15}, To: readmodel.Checkpoint{Position: 16}}
	if err := serveViews(t, reader).Apply(t.Context(), b); domain.KindOf(err) != domain.Invalid {
		t.Errorf("Apply: got %v, want an error of kind Invalid", err)
	}
}

func TestClosedViews(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	w := serveViews(t, v)
	var waiter sync.WaitGroup
	waiter.Go(func() {
		if _, err := v.Await(t.Context(), 99); !errors.Is(err, dbfile.ErrClosed) {
			t.Errorf("Await when the views are closed: got %v, want ErrClosed", err)
		}
	})
	closeViews(t, v)
	waiter.Wait()
	_, snapshot := v.Snapshot(t.Context())
	_, await := v.Await(t.Context(), 0)
	_, serving := v.Serving(t.Context(), testEpoch, 10)
	_, generation := w.Generation(t.Context())
	for name, err := range map[string]error{"Snapshot": snapshot, "Await": await, "Serving": serving, "Generation": generation, "Apply": w.Apply(t.Context(), readmodel.Batch{})} {
		if domain.KindOf(err) != domain.Unavailable {
			t.Errorf("%s of closed views: got %v, want an error of kind Unavailable", name, err)
		}
	}
	closeViews(t, v)
}

// TestWriteAheadLogStaysSmall writes while snapshots overlap all the time, so
// that there is never a moment without a reader.
func TestWriteAheadLogStaysSmall(t *testing.T) {
	limits := defaultLimits()
	limits.wal = 256 << 10
	limits.holdOff = time.Minute // so that a slow machine does not make the test fail
	v := openTestStoreWith(t, t.TempDir(), Options{Exclusive: true}, limits)
	w := serveViews(t, v)
	fillViews(t, w, 1)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				s, err := v.Snapshot(context.Background())
				if err != nil {
					t.Errorf("Snapshot: %v", err)
					return
				}
				time.Sleep(time.Millisecond)
				s.Close()
			}
		})
	}
	largest := int64(0)
	at := readmodel.Checkpoint{Position: 11}
	for range 300 { // some 6 MB in all
		b := readmodel.Batch{From: at, To: readmodel.Checkpoint{Position: at.Position + 50}}
		for p := at.Position + 1; p <= b.To.Position; p++ {
			b.Chirps = append(b.Chirps, readmodel.Chirp{Position: p, ID: domain.ChirpIDFrom(benchUUID(int64(p))), Author: 2, Content: domain.Content(strings.Repeat("long ", 50))})
		}
		wantNil(t, w.Apply(t.Context(), b))
		at = b.To
		info, err := os.Stat(v.current.path + "-wal")
		wantNil(t, err)
		largest = max(largest, info.Size())
	}
	close(done)
	readers.Wait()
	if limit := 8 * limits.wal; largest > limit {
		t.Errorf("the write-ahead log grew to %d bytes, want at most %d", largest, limit)
	}
	t.Logf("the write-ahead log grew to %d KB", largest>>10)
}

// TestNoStatementScansATable runs every statement and checks SQLite's query plan: a
// table that grows with the network is searched only by an index, and only a bounded
// number of rows is sorted.
func TestNoStatementScansATable(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	w := serveViews(t, v)
	fillViews(t, w, 5)
	ctx := t.Context()
	s, err := v.Snapshot(ctx)
	wantNil(t, err)
	reader := s.(*snapshot).conn
	for _, win := range []readmodel.Window{{Limit: 2}, {Limit: 2, Ascending: true}} {
		_, e1 := s.ChirpsBy(ctx, 2, win)
		_, e2 := s.Timeline(ctx, 1, win)
		_, e3 := s.SourceChirps(ctx, []readmodel.Source{{Author: 2}, {Author: 2, Delivery: readmodel.Pull, Through: 14}}, win)
		_, e4 := s.Followers(ctx, 2, win)
		_, e5 := s.Following(ctx, 1, win)
		wantNil(t, errors.Join(e1, e2, e3, e4, e5))
		_, err := mergeSources(reader, []sourceCursor{{author: 2, before: 15, next: 12}}, win)
		wantNil(t, err)
	}
	_, e1 := s.ProfileByName(ctx, "user1")
	_, e2 := s.ProfileByID(ctx, domain.UserIDFrom(benchUUID(1)))
	_, e3 := s.Profiles(ctx, []readmodel.UserKey{1})
	_, e4 := s.ChirpByID(ctx, domain.ChirpIDFrom(benchUUID(11)))
	_, e5 := s.Sources(ctx, 1, 0)
	_, e6 := s.Follows(ctx, 1, []readmodel.UserKey{2})
	_, e7 := s.FolloweeIDs(ctx, 1)
	_, e8 := w.ProfilesByID(ctx, nil)
	_, e9 := w.FollowersThrough(ctx, 2, 0, 1)
	_, e10 := w.PushedThrough(ctx, 2, 0, 1)
	_, e11 := w.Follows(ctx, []readmodel.Pair{{Follower: 1, Followee: 2}})
	wantNil(t, errors.Join(e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11))
	all := readmodel.Range{Through: 15}
	wantNil(t, w.Apply(ctx, readmodel.Batch{
		From: readmodel.Checkpoint{Position: 15}, To: readmodel.Checkpoint{Position: 16},
		Unfollows: []readmodel.Follow{{Follower: 1, Followee: 2}}, Cleanups: []readmodel.Delivered{{Owner: 1, Author: 2, Range: all}},
		Marks: []readmodel.Mark{{Followee: 2, Range: all}}, Backfills: []readmodel.Delivered{{Owner: 1, Author: 2, Range: all}},
	}))

	checked := 0
	for _, c := range []*conn{reader, v.current.write} {
		for query := range c.stmts {
			if strings.HasPrefix(query, "PRAGMA") || strings.Contains(query, "count(*)") { // once for each volume
				continue
			}
			checked++
			for _, step := range planOf(t, c, query) {
				scans := strings.HasPrefix(step, "SCAN") && !allowedScan(step)
				sorts := strings.Contains(step, "TEMP B-TREE") && !allowedSort(query)
				if scans || sorts {
					t.Errorf("%s\nis carried out by: %s", query, step)
				}
			}
		}
	}
	s.Close()
	if checked < 30 {
		t.Errorf("%d statements were checked, there should be more", checked)
	}
}

// allowedScan reports whether a scan is of something small: an argument,
// or the one row of a generation.
func allowedScan(step string) bool {
	for _, small := range []string{"SCAN json_each", "SCAN generation", "SCAN given", "SCAN outs", "SCAN (subquery", "SCAN CONSTANT ROW"} {
		if strings.HasPrefix(step, small) {
			return true
		}
	}
	return false
}

// allowedSort reports whether a statement may sort: a fan-out its deliveries, and
// a page of chirps itself.
func allowedSort(query string) bool {
	return strings.Contains(query, "INSERT OR IGNORE") || query == chirpsByNewest || query == chirpsByOldest
}

func planOf(t *testing.T, c *conn, query string) []string {
	t.Helper()
	rows, err := c.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		wantNil(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	wantNil(t, rows.Err())
	return steps
}

// TestSourcesReadsOnlyWhatItReturns checks SQLite's program: a row that the index does
// not exclude is returned, so there is no comparison of a column.
func TestSourcesReadsOnlyWhatItReturns(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	serveViews(t, v)
	s, err := v.Snapshot(t.Context())
	wantNil(t, err)
	defer s.Close()
	rows, err := s.(*snapshot).conn.db.QueryContext(t.Context(), "EXPLAIN "+followedSources, 1, 1)
	wantNil(t, err)
	defer func() { _ = rows.Close() }()
	seeks := 0
	for rows.Next() {
		var opcode string
		var unused any
		wantNil(t, rows.Scan(&unused, &opcode, &unused, &unused, &unused, &unused, &unused, &unused))
		switch opcode {
		case "Lt", "Le", "Gt", "Ge", "Eq", "Ne":
			t.Errorf("a row is read and compared by %s, want an index that excludes it", opcode)
		case "SeekGT", "SeekGE":
			seeks++
		}
	}
	if err := rows.Err(); err != nil || seeks != 2 {
		t.Errorf("got %d seeks, error %v; want 2", seeks, err)
	}
}
