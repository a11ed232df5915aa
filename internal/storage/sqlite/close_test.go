package sqlite_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/storage/sqlite"
)

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
				if _, err := log.Append(t.Context(), numbered(fmt.Sprint(i, ":", n))); err != nil {
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

func wantClosed(call string, err error) error {
	if domain.KindOf(err) != domain.Unavailable {
		return fmt.Errorf("%s on a closed store: got error %v, want one of kind Unavailable", call, err)
	}
	return nil
}
