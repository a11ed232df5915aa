package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/sqlite"
)

// TestAcknowledgedAppendsAreInTheFolderThatMoves moves the folder away and back while
// appends continue. It must hold each that was acknowledged, and none that returned
// ErrNotAppended.
func TestAcknowledgedAppendsAreInTheFolderThatMoves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	store := openStore(t, dir, sqlite.Options{Exclusive: true})
	const writers, moves = 4, 20
	stop := make(chan struct{})
	var mu sync.Mutex
	done, refused := map[string]bool{}, map[string]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("%d:%d", w, i)
				_, err := store.Log().Append(t.Context(), numbered(name))
				mu.Lock()
				done[name], refused[name] = err == nil, errors.Is(err, eventstore.ErrNotAppended)
				mu.Unlock()
				if err != nil && domain.KindOf(err) != domain.Unavailable {
					t.Errorf("Append: got %v, want kind Unavailable", err)
				}
			}
		})
	}
	tried := func(what map[string]bool) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, is := range what {
			if is {
				n++
			}
		}
		return n
	}
	for range moves {
		for acknowledged := tried(done); tried(done) < acknowledged+3; {
		}
		move(t, dir, dir+".away")
		for before := tried(refused); tried(refused) < before+3; {
		}
		move(t, dir+".away", dir)
	}
	close(stop)
	wg.Wait()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	again := openStore(t, dir, sqlite.Options{})
	for name, acknowledged := range done {
		events, err := again.Log().Load(t.Context(), numbered(name).Events[0].Stream)
		if err != nil || acknowledged && len(events) != 1 || refused[name] && len(events) != 0 {
			t.Errorf("%s, acknowledged %t, certainly refused %t: got %d events, error %v", name, acknowledged, refused[name], len(events), err)
		}
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
