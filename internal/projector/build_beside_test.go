package projector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// TestBuildersOfOneGenerationFenceEachOther has a projector and an operator build
// one generation at once. Neither sees the other before it begins, because the
// checkpoint is watched for a shorter time than a batch takes.
func TestBuildersOfOneGenerationFenceEachOther(t *testing.T) {
	for name, operatorFirst := range map[string]bool{"the projector begins": false, "the operator begins": true} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, stores storePair) { fenceEachOther(t, stores, operatorFirst) })
		})
	}
}

func fenceEachOther(t *testing.T, stores storePair, operatorFirst bool) {
	w := newWorld(t, stores.log)
	w.register(3)
	for i := range 100 {
		w.follow(i%3, (i+1)%3)
		w.post(i%3, 1)
	}
	w.write()
	head, _ := stores.log.Head(t.Context())
	if _, err := stores.views.Serving(t.Context(), head.Epoch, 3); err != nil {
		t.Fatal(err)
	}
	cfg := projector.Config{
		Log: stores.log, Views: stores.views, Threshold: 3, Holder: "a", FarBehind: behindBy(50), MaxEvents: 1,
		RetryDelay: time.Millisecond, Watch: time.Nanosecond,
	}
	slow := &slowViews{Store: stores.views, begun: make(chan struct{})}
	rebuilt := make(chan error, 1)
	rebuild := func(views readmodel.Store) {
		cfg := cfg
		cfg.Views = views
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		rebuilt <- projector.Rebuild(ctx, cfg, projector.RebuildConfig{Watch: time.Nanosecond})
	}
	if operatorFirst {
		go rebuild(slow)
		<-slow.begun
	} else {
		cfg.Views = slow
	}
	p := start(t, cfg)
	if !operatorFirst {
		<-slow.begun
		rebuild(stores.views)
	}
	if err := <-rebuilt; err != nil && !errors.Is(err, projector.ErrOtherRebuild) {
		t.Errorf("Rebuild returned %v, want nil or ErrOtherRebuild", err)
	}
	w.post(0, 3)
	w.write()
	eventually(t, "the projector has caught up", func() bool { return p.State().Position == w.head() })
	p.stop(t)
	if g := serving(t, stores); g.Number != 2 {
		t.Errorf("%+v serves, want generation 2", g)
	}
	wantExact(t, stores, 3)
}
