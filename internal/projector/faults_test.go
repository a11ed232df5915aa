package projector_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// fault is what goes wrong in a call of a writer.
type fault int

const (
	noFault       fault = iota
	unavailable         // the call fails and has no effect
	committed           // the call fails but has taken effect
	unknown             // the call fails with an error of no known kind
	fenced              // the call fails as if another projector had written
	crashedBefore       // the process dies before the call takes effect
	crashedAfter        // the process dies after the call took effect
	faults              // the number of faults
)

var errDead = domain.Errorf(domain.Unavailable, "the process is dead")

// faultyViews are views whose writer's calls run into planned faults.
type faultyViews struct {
	readmodel.Store
	mu      sync.Mutex
	plan    map[int]fault // by the call's index
	calls   int
	dead    bool
	crashed chan struct{}
	// applied is called after each Apply that took effect, with their number. If
	// it returns an error, the process dies and the error is stored in wrong.
	applied func(n int) error
	applies int
	wrong   error
	// leases grants the lease to every projector.
	leases bool
}

func newFaultyViews(s readmodel.Store, plan map[int]fault) *faultyViews {
	return &faultyViews{Store: s, plan: plan, crashed: make(chan struct{})}
}

func (v *faultyViews) Lease(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	if v.isDead() {
		return false, errDead
	}
	if v.leases {
		return true, nil
	}
	return v.Store.Lease(ctx, holder, ttl)
}

func (v *faultyViews) Release(ctx context.Context, holder string) error {
	if v.isDead() {
		return errDead
	}
	return v.Store.Release(ctx, holder)
}

func (v *faultyViews) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	w, err := v.Store.Serving(ctx, epoch, threshold)
	return faultyWriter{w, v}, err
}

func (v *faultyViews) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	b, err := v.Store.Build(ctx, epoch, threshold)
	return faultyBuilder{faultyWriter{b, v}, b}, err
}

func (v *faultyViews) next() fault {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		return unavailable
	}
	v.calls++
	return v.plan[v.calls-1]
}

func (v *faultyViews) isDead() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.dead
}

func (v *faultyViews) die() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.dead {
		v.dead = true
		close(v.crashed)
	}
}

// meet makes a call, subject to the next fault of the plan.
func (v *faultyViews) meet(call func() error) error {
	switch f := v.next(); f {
	case unavailable:
		return domain.Errorf(domain.Unavailable, "planned outage")
	case unknown:
		return errors.New("planned failure")
	case fenced:
		return readmodel.ErrFenced
	case crashedBefore:
		v.die()
		return errDead
	case committed, crashedAfter:
		err := call()
		if f == crashedAfter {
			v.die()
		}
		return errors.Join(err, domain.Errorf(domain.Unavailable, "planned outage after the commit"))
	default:
		return call()
	}
}

type faultyWriter struct {
	readmodel.Writer
	views *faultyViews
}

func (w faultyWriter) ProfilesByID(ctx context.Context, ids []domain.UserID) (found []readmodel.Profile, err error) {
	err = w.views.meet(func() (err error) {
		found, err = w.Writer.ProfilesByID(ctx, ids)
		return err
	})
	return found, err
}

func (w faultyWriter) Follows(ctx context.Context, pairs []readmodel.Pair) (found []readmodel.Follow, err error) {
	err = w.views.meet(func() (err error) {
		found, err = w.Writer.Follows(ctx, pairs)
		return err
	})
	return found, err
}

func (w faultyWriter) FollowersThrough(ctx context.Context, user readmodel.UserKey, after domain.Position, limit int) (end domain.Position, err error) {
	err = w.views.meet(func() (err error) {
		end, err = w.Writer.FollowersThrough(ctx, user, after, limit)
		return err
	})
	return end, err
}

func (w faultyWriter) PushedThrough(ctx context.Context, user readmodel.UserKey, after domain.Position, limit int) (end domain.Position, err error) {
	err = w.views.meet(func() (err error) {
		end, err = w.Writer.PushedThrough(ctx, user, after, limit)
		return err
	})
	return end, err
}

func (w faultyWriter) Apply(ctx context.Context, b readmodel.Batch) error {
	return w.views.meet(func() error {
		err := w.Writer.Apply(ctx, b)
		if err == nil && w.views.applied != nil {
			w.views.applies++
			w.views.mustSucceed(w.views.applied(w.views.applies))
		}
		if domain.KindOf(err) != domain.Unavailable && ctx.Err() == nil && !errors.Is(err, readmodel.ErrFenced) {
			w.views.mustSucceed(err) // a retry with smaller batches might hide it
		}
		return err
	})
}

// faultyBuilder is a faultyWriter of a generation that is being built.
type faultyBuilder struct {
	faultyWriter
	builder readmodel.Builder
}

func (b faultyBuilder) Finish(ctx context.Context) error {
	return b.views.meet(func() error { return b.builder.Finish(ctx) })
}

func (b faultyBuilder) Hold(ctx context.Context, d time.Duration) error {
	return b.views.meet(func() error { return b.builder.Hold(ctx, d) })
}

func (b faultyBuilder) Switch(ctx context.Context) error {
	return b.views.meet(func() error { return b.builder.Switch(ctx) })
}

// mustSucceed ends the process at an unexpected error.
func (v *faultyViews) mustSucceed(err error) {
	if err != nil {
		v.wrong = errors.Join(v.wrong, err)
		v.die()
	}
}
