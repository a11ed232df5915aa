package projector_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// replacedLog is a log that may be replaced by another one while it is used.
type replacedLog struct {
	eventstore.Log // nil
	now            atomic.Pointer[eventstore.Log]
}

func (l *replacedLog) replace(log eventstore.Log) { l.now.Store(&log) }

func (l *replacedLog) Head(ctx context.Context) (eventstore.Head, error) {
	return (*l.now.Load()).Head(ctx)
}

func (l *replacedLog) Hashes(ctx context.Context, at []domain.Position) (map[domain.Position]domain.EventHash, error) {
	return (*l.now.Load()).Hashes(ctx, at)
}

func (l *replacedLog) ReadAll(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	return (*l.now.Load()).ReadAll(ctx, after, limit)
}

func (l *replacedLog) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return (*l.now.Load()).Follow(ctx, after)
}

// replacedViews are views that may be replaced by others while they are used.
type replacedViews struct {
	readmodel.Store // nil
	now             atomic.Pointer[readmodel.Store]
}

func (v *replacedViews) replace(views readmodel.Store) { v.now.Store(&views) }

func (v *replacedViews) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	return (*v.now.Load()).Serving(ctx, epoch, threshold)
}

func (v *replacedViews) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	return (*v.now.Load()).Build(ctx, epoch, threshold)
}

func (v *replacedViews) Unfinished(ctx context.Context) (readmodel.Generation, error) {
	return (*v.now.Load()).Unfinished(ctx)
}

func (v *replacedViews) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	return (*v.now.Load()).Snapshot(ctx)
}

func (v *replacedViews) Lease(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	return (*v.now.Load()).Lease(ctx, holder, ttl)
}

func (v *replacedViews) Release(ctx context.Context, holder string) error {
	return (*v.now.Load()).Release(ctx, holder)
}

// emptyGeneration makes another generation of the views serve, which is empty.
func emptyGeneration(t *testing.T, stores storePair) {
	t.Helper()
	head, err := stores.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stores.views.Serving(t.Context(), head.Epoch, 3); err != nil {
		t.Fatal(err)
	}
	b, err := stores.views.Build(t.Context(), head.Epoch, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Switch(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestAProjectorContinuesAfterARestore has an operator put back an earlier state of
// the log while the projector runs. The views of it are empty at first, so others are
// built in their place.
func TestAProjectorContinuesAfterARestore(t *testing.T) {
	before, after := memory.open(t), memory.open(t)
	w := newWorld(t, before.log)
	w.register(2)
	w.post(0, 400)
	w.write()
	restored := newWorld(t, after.log)
	restored.register(2)
	restored.post(0, 100)
	restored.write()
	emptyGeneration(t, after)

	log, views := new(replacedLog), new(replacedViews)
	log.replace(before.log)
	views.replace(before.views)
	p := start(t, projector.Config{
		Log: log, Views: views, Threshold: 3, Holder: "a", LeaseTTL: 20 * time.Millisecond, RetryDelay: time.Millisecond, Watch: time.Millisecond,
		FarBehind: func(position, head domain.Position) bool { return head-position >= 50 && 3*(head-position) >= head },
	})
	eventually(t, "the projector has caught up", func() bool { return p.State().Position == w.head() && p.State().Head == w.head() })
	log.replace(after.log)
	views.replace(after.views)
	eventually(t, "the views of the earlier state are built", func() bool { return checkpoint(t, after).Position == restored.head() })
	restored.post(0, 5)
	restored.write()
	eventually(t, "what was appended since is applied", func() bool { return checkpoint(t, after).Position == restored.head() })
	eventually(t, "the state shows it", func() bool {
		s := p.State()
		return s.Position == restored.head() && s.Head == restored.head() && s.Building == nil
	})
	p.stop(t)
	wantExact(t, after, 3)
}
