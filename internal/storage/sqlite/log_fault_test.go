package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite"
)

// holdLog keeps the log's write lock, as another process may, until release.
func holdLog(t *testing.T, dir string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestAppendReturnsWhenItsContextEnds(t *testing.T) {
	dir := t.TempDir()
	log := openStore(t, dir, sqlite.Options{}).Log()
	release := holdLog(t, dir)
	const callers = 20
	witness := make(chan error, 1) // is not answered while the lock is held
	go func() {
		_, err := log.Append(t.Context(), numbered("witness", 0))
		witness <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var started atomic.Int64
	var g errgroup.Group
	for i := range callers {
		g.Go(func() error {
			if started.Add(1) == callers {
				cancel()
			}
			_, err := log.Append(ctx, numbered(fmt.Sprint(i), 0))
			if !errors.Is(err, context.Canceled) {
				return fmt.Errorf("Append: got error %v, want context.Canceled", err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-witness:
		t.Errorf("the appends returned no sooner than one whose context goes on, which got error %v", err)
		witness <- err
	default:
	}
	release()
	if err := <-witness; err != nil {
		t.Errorf("Append with a context that goes on: %v", err)
	}
	for i := range callers {
		if _, err := log.Append(t.Context(), numbered(fmt.Sprint(i), 0)); err != nil {
			t.Errorf("Append again: %v", err)
		}
	}
	wantEvents(t, log, callers+1)
}

// A kill cannot show that a commit reaches the disk; these settings make it.
func TestCommitsAreSynced(t *testing.T) {
	store := openStore(t, t.TempDir(), sqlite.Options{})
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} {
		if got, err := store.Setting(t.Context(), pragma); got != want || err != nil {
			t.Errorf("%s: got %s, error %v; want %s", pragma, got, err, want)
		}
	}
}

func TestFullDiskFailsAppendsUntilThereIsRoom(t *testing.T) {
	store := openStore(t, t.TempDir(), sqlite.Options{})
	log := store.Log()
	if err := store.LimitPages(t.Context(), 30); err != nil {
		t.Fatalf("LimitPages: %v", err)
	}
	written, g := atomic.Int64{}, errgroup.Group{}
	for range 8 {
		g.Go(func() error {
			for range 1000 {
				_, err := log.Append(t.Context(), chirp(t))
				if domain.KindOf(err) == domain.Unavailable && strings.Contains(err.Error(), "disk with the data folder is full") {
					return nil
				}
				if err != nil {
					return err
				}
				written.Add(1)
			}
			return errors.New("the disk never got full")
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, log, int(written.Load()))
	if err := store.LimitPages(t.Context(), 1_000_000); err != nil {
		t.Fatalf("LimitPages: %v", err)
	}
	commit, err := log.Append(t.Context(), chirp(t))
	if err != nil || int64(commit.Position()) != written.Load()+1 {
		t.Errorf("Append once there is room: got position %d, error %v; want %d", commit.Position(), err, written.Load()+1)
	}
}

func TestJobThatBreaksItsTransactionFailsAlone(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir, sqlite.Options{})
	release := holdLog(t, dir) // meanwhile all queue up, to share a transaction
	const callers = 10
	var queued atomic.Int64
	var g errgroup.Group
	for i := range callers {
		g.Go(func() error {
			queued.Add(1)
			if _, err := store.Log().Append(t.Context(), numbered(fmt.Sprint(i), 0)); err != nil {
				return fmt.Errorf("append beside a job that breaks: %w", err)
			}
			return nil
		})
		g.Go(func() error {
			queued.Add(1)
			if err := store.Break(t.Context()); err == nil {
				return errors.New("job that breaks: got no error")
			}
			return nil
		})
	}
	for queued.Load() < 2*callers {
		time.Sleep(time.Millisecond)
	}
	release()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	wantEvents(t, store.Log(), callers)
}

func TestCloseEndsEverything(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{Exclusive: true})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	log := store.Log()
	var written atomic.Int64
	var g errgroup.Group
	enough := make(chan struct{})
	for i := range 16 {
		g.Go(func() error {
			for n := 0; ; n++ {
				if _, err := log.Append(t.Context(), numbered(fmt.Sprint(i, ":", n), 0)); err != nil {
					return wantClosed("Append", err)
				}
				if written.Add(1) == 200 {
					close(enough)
				}
			}
		})
		g.Go(func() (last error) {
			for _, last = range log.Follow(t.Context(), 0) {
			}
			return wantClosed("Follow", last)
		})
	}
	<-enough
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	_, loadErr := log.Load(t.Context(), "0:0")
	_, headErr := log.Head(t.Context())
	if err := errors.Join(wantClosed("Load", loadErr), wantClosed("Head", headErr)); err != nil {
		t.Error(err)
	}
	reopened := openStore(t, dir, sqlite.Options{Exclusive: true})
	wantEvents(t, reopened.Log(), int(written.Load()))
	if err := reopened.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestCloseEndsFollowersThatWait(t *testing.T) {
	store := openStore(t, t.TempDir(), sqlite.Options{})
	var g errgroup.Group
	caughtUp := make(chan struct{}, 4)
	for range cap(caughtUp) {
		g.Go(func() (last error) {
			for _, last = range store.Log().Follow(t.Context(), 0) {
				if last == nil {
					caughtUp <- struct{}{}
				}
			}
			return wantClosed("Follow", last)
		})
	}
	if _, err := store.Log().Append(t.Context(), chirp(t)); err != nil {
		t.Fatalf("Append: %v", err)
	}
	if got := store.Published(); got != 1 {
		t.Errorf("an append was answered when the followers knew of position %d, want 1", got)
	}
	for range cap(caughtUp) {
		<-caughtUp
	}
	time.Sleep(20 * time.Millisecond) // they wait by now, or nearly always
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func wantClosed(call string, err error) error {
	if domain.KindOf(err) != domain.Unavailable {
		return fmt.Errorf("%s on a closed store: got error %v, want one of kind Unavailable", call, err)
	}
	return nil
}
