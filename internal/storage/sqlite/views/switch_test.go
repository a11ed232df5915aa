package views

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"chirp/internal/readmodel"
)

// TestWriterThatWaitsThroughASwitchIsFenced lets a projector wait for the write
// lock that another process holds to switch.
func TestWriterThatWaitsThroughASwitchIsFenced(t *testing.T) {
	dir := t.TempDir()
	server := openTestStore(t, dir, Options{Exclusive: true})
	old := serveViews(t, server)
	fillViews(t, old, 5)
	guest := openTestStore(t, dir, Options{})
	b, err := guest.Build(t.Context(), testEpoch, 99)
	wantNil(t, err)
	wantNil(t, b.Apply(t.Context(), viewsBatch(5)))
	wantNil(t, b.Finish(t.Context()))
	g, err := b.Generation(t.Context())
	wantNil(t, err)

	var waiting sync.WaitGroup
	defer waiting.Wait()
	wantNil(t, guest.current.withWriter(func(c *conn) error {
		return c.transact(func() error {
			waiting.Go(func() {
				to := readmodel.Checkpoint{Position: 16}
				if err := old.Apply(t.Context(), readmodel.Batch{From: readmodel.Checkpoint{Position: 15}, To: to}); !errors.Is(err, readmodel.ErrFenced) {
					t.Errorf("Apply through the switch: got %v, want ErrFenced", err)
				}
			})
			// Apply has seen that its generation serves before it takes this
			// mutex, under which it waits for the lock.
			for server.current.writeMu.TryLock() {
				server.current.writeMu.Unlock()
				runtime.Gosched()
			}
			return guest.switchGeneration(c, guest.current, g)
		})
	}))
	waiting.Wait()
	file, err := openGeneration(dir, 1, server.limits, false)
	wantNil(t, err)
	at, err := file.describe()
	wantNil(t, err)
	wantNil(t, file.close())
	if at.Checkpoint.Position != 15 {
		t.Errorf("the old generation is at %d, want 15", at.Checkpoint.Position)
	}
}

// TestUnfinishedViewsThatCannotGoOnAreStartedOver damages what is being built, or
// takes the log back, between two builds.
func TestUnfinishedViewsThatCannotGoOnAreStartedOver(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"garbage at the beginning": overwrite(0, 100),
		"half discarded": func(t *testing.T, path string) {
			change(t, path, "DELETE FROM generation")
		},
		"ahead of the log": func(t *testing.T, path string) {
			change(t, path, "UPDATE generation SET position = 1 << 62")
		},
		"of another format": func(t *testing.T, path string) {
			change(t, path, "PRAGMA user_version = 99")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fillViews(t, serveViews(t, openTestStore(t, dir, Options{Exclusive: true})), 5)
			first := openTestStore(t, dir, Options{})
			b, err := first.Build(t.Context(), testEpoch, 99)
			wantNil(t, err)
			wantNil(t, b.Apply(t.Context(), viewsBatch(50)))
			closeViews(t, first)
			damage(t, generationPath(dir, 2))

			second := openTestStore(t, dir, Options{})
			b, err = second.Build(t.Context(), testEpoch, 99)
			wantNil(t, err)
			g, err := b.Generation(t.Context())
			if want := (readmodel.Generation{Number: 3, Epoch: testEpoch, Threshold: 99}); err != nil || g != want {
				t.Errorf("Build: got %+v, %v, want %+v", g, err, want)
			}
			wantNil(t, b.Apply(t.Context(), viewsBatch(7)))
			wantNil(t, b.Finish(t.Context()))
			wantNil(t, b.Switch(t.Context()))
			if n, err := timelineLength(t, second); n != 7 || err != nil {
				t.Errorf("the timeline has %d chirps, %v, want 7", n, err)
			}
			if next, err := nextGeneration(dir); next != 4 || err != nil {
				t.Errorf("the next generation is %d, %v, want 4", next, err)
			}
		})
	}
}
