package views

import (
	"context"
	"errors"
	"testing"
	"time"

	"chirp/internal/readmodel"
)

// What a builder sorts for an index may be larger than memory.
func TestBuildersSortInFiles(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	serveViews(t, v)
	b, err := v.Build(t.Context(), testEpoch, 10)
	wantNil(t, err)
	const file = 1
	wantNil(t, b.(*builder).generation.withWriter(func(c *conn) error {
		stores, err := collect(c, scanOne[int], "PRAGMA temp_store")
		if err == nil && (len(stores) != 1 || stores[0] != file) {
			t.Errorf("PRAGMA temp_store: got %v, want %d", stores, file)
		}
		return err
	}))
}

// endingContext ends when its Err is called first, which returns nil that time.
type endingContext struct {
	context.Context
	end context.CancelFunc
}

func (c endingContext) Err() error {
	err := c.Context.Err()
	c.end()
	return err
}

func TestFinishEndsWithItsContext(t *testing.T) {
	v := openTestStore(t, t.TempDir(), Options{Exclusive: true})
	serveViews(t, v)
	b, err := v.Build(t.Context(), testEpoch, 10)
	wantNil(t, err)
	wantNil(t, b.Apply(t.Context(), viewsBatch(5)))
	ctx, cancel := context.WithCancel(t.Context())
	if err := b.Finish(endingContext{ctx, cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("Finish when its context ends: got %v, want that it was canceled", err)
	}
	wantNil(t, b.Apply(t.Context(), readmodel.Batch{From: viewsBatch(5).To, To: readmodel.Checkpoint{Position: 100}}))
	wantNil(t, b.Finish(t.Context()))
	wantNil(t, b.Switch(t.Context()))
	if n, err := timelineLength(t, v); n != 5 || err != nil {
		t.Errorf("the timeline has %d chirps, %v, want 5", n, err)
	}
}

// TestBuildersCloseTheirConnectionsWhenTheirGenerationServes has two processes with a
// builder of one generation, one of which switches to it.
func TestBuildersCloseTheirConnectionsWhenTheirGenerationServes(t *testing.T) {
	dir := t.TempDir()
	server := openTestStore(t, dir, Options{Exclusive: true})
	serveViews(t, server)
	guest := openTestStore(t, dir, Options{})
	idle, err := guest.Build(t.Context(), testEpoch, 10)
	wantNil(t, err)
	b, err := server.Build(t.Context(), testEpoch, 10)
	wantNil(t, err)
	built := []*generation{b.(*builder).generation, idle.(*builder).generation}
	wantNil(t, b.Apply(t.Context(), viewsBatch(5)))
	wantNil(t, b.Switch(t.Context()))
	_, err = guest.serving(true)
	wantNil(t, err)
	for i, g := range built {
		if !g.closed {
			t.Errorf("builder %d has its connections open", i)
		}
	}
	for range 2 {
		wantNil(t, b.Finish(t.Context()))
		wantNil(t, b.Switch(t.Context()))
		wantNil(t, b.Hold(t.Context(), time.Second))
	}
	if g, err := b.Generation(t.Context()); g.Number != 2 || err != nil {
		t.Errorf("Generation: got %+v, %v, want generation 2", g, err)
	}
	wantNil(t, b.Apply(t.Context(), readmodel.Batch{From: viewsBatch(5).To, To: readmodel.Checkpoint{Position: 100}}))
	wantNil(t, idle.Switch(t.Context()))
	wantNil(t, idle.Finish(t.Context()))
}
