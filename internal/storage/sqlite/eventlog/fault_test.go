package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
)

func TestAppendReturnsWhenItsContextEnds(t *testing.T) {
	log := openLog(t, t.TempDir())
	release := log.Hold(t)
	const callers = 20
	witness := make(chan error, 1) // is not answered while the writer is held
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
		t.Errorf("the appends returned no sooner than one whose context did not end, which got error %v", err)
		witness <- err
	default:
	}
	release()
	if err := <-witness; err != nil {
		t.Errorf("Append with a context that did not end: %v", err)
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
	log := openLog(t, t.TempDir())
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} {
		if got, err := log.Setting(t.Context(), pragma); got != want || err != nil {
			t.Errorf("%s: got %s, error %v; want %s", pragma, got, err, want)
		}
	}
}

func TestFullDiskFailsAppendsUntilThereIsRoom(t *testing.T) {
	log := openLog(t, t.TempDir())
	if err := log.LimitPages(t.Context(), 30); err != nil {
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
	if err := log.LimitPages(t.Context(), 1_000_000); err != nil {
		t.Fatalf("LimitPages: %v", err)
	}
	commit, err := log.Append(t.Context(), chirp(t))
	if err != nil || int64(commit.Position()) != written.Load()+1 {
		t.Errorf("Append once there is room: got position %d, error %v; want %d", commit.Position(), err, written.Load()+1)
	}
}

func TestJobThatBreaksItsTransactionFailsAlone(t *testing.T) {
	log := openLog(t, t.TempDir())
	release := log.Hold(t) // meanwhile all queue up, to share a transaction
	const callers = 10
	var g errgroup.Group
	for i := range callers {
		g.Go(func() error {
			if _, err := log.Append(t.Context(), numbered(fmt.Sprint(i), 0)); err != nil {
				return fmt.Errorf("append beside a job that breaks: %w", err)
			}
			return nil
		})
		g.Go(func() error {
			if err := log.Break(t.Context()); err == nil {
				return errors.New("job that breaks: got no error")
			}
			return nil
		})
	}
	for log.Queued() < 2*callers {
		runtime.Gosched()
	}
	release()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	wantEvents(t, log, callers)
}

func TestCloseEndsFollowersThatWait(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := openLog(t, dir)
		var g errgroup.Group
		for range 4 {
			g.Go(func() (last error) {
				for _, last = range log.Follow(t.Context(), 0) {
				}
				if domain.KindOf(last) != domain.Unavailable {
					return fmt.Errorf("Follow of a closed log: got error %v, want one of kind Unavailable", last)
				}
				return nil
			})
		}
		if _, err := log.Append(t.Context(), chirp(t)); err != nil {
			t.Fatalf("Append: %v", err)
		}
		if got := log.Published(); got != 1 {
			t.Errorf("an append was answered when the followers knew of position %d, want 1", got)
		}
		synctest.Wait() // until all of them wait for another event
		if err := log.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
}
