package projector_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/eventstoretest"
	"chirp/internal/logtest"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// errStrange is an error of no known kind.
var errStrange = errors.New("error 16500: too many requests")

// failingViews are views whose calls fail with an error for as long as one is set.
type failingViews struct {
	readmodel.Store
	err    atomic.Pointer[error]
	failed atomic.Int64
}

func (v *failingViews) fail(err error) { v.err.Store(&err) }

func (v *failingViews) now() error {
	if err := v.err.Load(); err != nil && *err != nil {
		v.failed.Add(1)
		return *err
	}
	return nil
}

func (v *failingViews) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	w, err := v.Store.Serving(ctx, epoch, threshold)
	return failingWriter{w, v}, err
}

type failingWriter struct {
	readmodel.Writer
	views *failingViews
}

func (w failingWriter) Generation(ctx context.Context) (readmodel.Generation, error) {
	if w.views.failed.Load()%2 == 0 { // now before a batch, now with one
		if err := w.views.now(); err != nil {
			return readmodel.Generation{}, err
		}
	}
	return w.Writer.Generation(ctx)
}

func (w failingWriter) Apply(ctx context.Context, b readmodel.Batch) error {
	if err := w.views.now(); err != nil {
		return err
	}
	return w.Writer.Apply(ctx, b)
}

// quickly returns settings with short pauses.
func quickly(stores storePair, holder string) projector.Config {
	return projector.Config{
		Log: stores.log, Views: stores.views, Threshold: 3, Holder: holder,
		LeaseTTL: 20 * time.Millisecond, RetryDelay: time.Microsecond, HaltedRetryDelay: time.Millisecond,
	}
}

func TestProjectorNeverHaltsWhenItsEnvironmentFails(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for name, err := range map[string]error{
		"an unknown error":  errStrange,
		"too many files":    &fs.PathError{Op: "open", Path: "views", Err: syscall.EMFILE},
		"no permission":     &fs.PathError{Op: "open", Path: "views", Err: syscall.EACCES},
		"an outage":         domain.Errorf(domain.Unavailable, "planned outage"),
		"a lack of rights":  domain.Errorf(domain.Invalid, "open for reading only"),
		"a context of ours": context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			stores := memory.open(t)
			w := small(t, stores)
			views := &failingViews{Store: stores.views}
			views.fail(err)
			var log logtest.Recorder
			cfg := quickly(stores, "a")
			cfg.Views, cfg.Logger = views, log.Logger()
			p := start(t, cfg)
			eventually(t, "it has tried often", func() bool { return views.failed.Load() > 30 })
			s := p.State()
			if s.Phase == projector.Halted || s.Outage == nil || !errors.Is(s.Outage.Err, err) {
				t.Errorf("state is %+v, want one that is not halted and has the outage", s)
			}
			if n := log.Count("will try again"); n != 1 {
				t.Errorf("the outage is logged %d times, want 1", n)
			}
			views.fail(nil)
			eventually(t, "it catches up", func() bool { return p.State().Position == w.head() })
			eventually(t, "the outage is over", func() bool { return p.State().Outage == nil })
			p.stop(t)
		})
	}
}

// flakyLog is a log whose head cannot be read one time in three.
type flakyLog struct {
	eventstore.Log
	calls atomic.Int64
}

func (l *flakyLog) Head(ctx context.Context) (eventstore.Head, error) {
	if l.calls.Add(1)%3 == 0 {
		return eventstore.Head{}, errStrange
	}
	return l.Log.Head(ctx)
}

func TestBriefErrorsOfIdleProjectorsDoNotAddUp(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stores := memory.open(t)
	w := small(t, stores)
	project(t, stores, w, projector.Config{Threshold: 3})
	log := &flakyLog{Log: stores.log}
	var projectors []*running
	for _, holder := range []string{"a", "b"} {
		cfg := quickly(stores, holder)
		cfg.Log = log
		projectors = append(projectors, start(t, cfg))
	}
	eventually(t, "there were many errors", func() bool { return log.calls.Load() > 100 })
	w.post(0, 1)
	w.write()
	if _, err := stores.views.Await(t.Context(), w.head()-1); err != nil {
		t.Fatal(err)
	}
	for _, p := range projectors {
		if s := p.State(); s.Phase == projector.Halted {
			t.Errorf("a projector halted: %v", s.Failure)
		}
		p.stop(t)
	}
}

// spoil makes a world's last event but one unreadable for this program, and returns
// its position and a func that repairs it.
func spoil(t testing.TB, stores storePair, w *world) (at domain.Position, repair func()) {
	w.post(0, 2)
	w.write()
	at = w.head() - 1
	log := stores.log.(*eventstoretest.Memory)
	log.Tamper(at, func(e *eventstore.Event) { e.Type = "chirp.posted.v2" })
	return at, func() { log.Tamper(at, func(e *eventstore.Event) { e.Type = "chirp.posted.v1" }) }
}

func TestHaltedProjectorRetriesTheEvent(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stores := memory.open(t)
	w := small(t, stores)
	bad, repair := spoil(t, stores, w)
	var log logtest.Recorder
	cfg := quickly(stores, "a")
	requests := &counting{Store: stores.views}
	cfg.Views, cfg.Logger = requests, log.Logger()
	p := start(t, cfg)
	eventually(t, "it halts", func() bool { return p.State().Phase == projector.Halted })
	halted := requests.n.Load()
	eventually(t, "it has retried", func() bool { return requests.n.Load() > halted+10 })
	if n := log.Count("still cannot be applied"); n != 1 {
		t.Errorf("the retries are logged %d times, want once a minute", n)
	}
	if s := p.State(); s.Phase != projector.Halted || s.Failure == nil || s.Failure.Position != bad || s.Position != bad-1 {
		t.Errorf("state is %+v, want it halted at %d", s, bad)
	}
	if n := log.Count("projector: halted"); n != 1 {
		t.Errorf("the halt is logged %d times, want 1", n)
	}
	repair()
	eventually(t, "it continues", func() bool {
		s := p.State()
		return s.Phase == projector.Active && s.Failure == nil && s.Position == w.head()
	})
	p.stop(t)
	wantExact(t, stores, 3)
}

// newer is a log as a newer program reads it, which knows the type that spoil sets.
type newer struct{ eventstore.Log }

func (l newer) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		for events, err := range l.Log.Follow(ctx, after) {
			events = slices.Clone(events)
			for i := range events {
				events[i].Type = strings.Replace(events[i].Type, "chirp.posted.v2", "chirp.posted.v1", 1)
			}
			if !yield(events, err) {
				return
			}
		}
	}
}

func TestHaltedProjectorsAreOnStandbyOnceANewerOneIsPastTheEvent(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stores := memory.open(t)
	w := small(t, stores)
	bad, _ := spoil(t, stores, w)
	var old []*running
	for _, holder := range []string{"old a", "old b"} {
		cfg := quickly(stores, holder)
		cfg.HaltedRetryDelay = time.Hour
		old = append(old, start(t, cfg))
	}
	for _, p := range old {
		eventually(t, "the old ones halt", func() bool { return p.State().Phase == projector.Halted })
	}
	cfg := quickly(stores, "new")
	cfg.Log = newer{stores.log}
	p := start(t, cfg)
	for _, o := range old {
		eventually(t, "the old ones are on standby", func() bool {
			s := o.State()
			return s.Phase == projector.Standby && s.Failure == nil && s.Position > bad
		})
	}
	p.stop(t)
	w.post(0, 1)
	w.write()
	eventually(t, "an old one continues with what it can read", func() bool {
		return checkpoint(t, stores) == at(w.head()) && slices.ContainsFunc(old, func(o *running) bool { return o.State().Phase == projector.Active })
	})
	for _, o := range old {
		o.stop(t)
	}
}

// scriptedViews are views whose Apply fails with the errors of a script, one after
// the other, and works when there is none left.
type scriptedViews struct {
	readmodel.Store
	script chan error
}

func (v scriptedViews) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	w, err := v.Store.Serving(ctx, epoch, threshold)
	return scriptedWriter{w, v.script}, err
}

type scriptedWriter struct {
	readmodel.Writer
	script chan error
}

func (w scriptedWriter) Apply(ctx context.Context, b readmodel.Batch) error {
	select {
	case err := <-w.script:
		return err
	default:
		return w.Writer.Apply(ctx, b)
	}
}

func TestFailuresAreCountedForEachEvent(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stores := memory.open(t)
	w := small(t, stores)
	project(t, stores, w, projector.Config{Threshold: 3})
	views := scriptedViews{stores.views, make(chan error, 100)}
	var log logtest.Recorder
	cfg := quickly(stores, "a")
	cfg.Views, cfg.Logger = views, log.Logger()
	cfg.LeaseTTL = time.Minute // a failure at the moment when the lease is lost would not count
	p := start(t, cfg)
	misfit := readmodel.ErrDoesNotFit
	for range 10 { // each event fails four times, and five times would halt
		for _, err := range []error{misfit, misfit, errStrange, errStrange, errStrange, errStrange, misfit, errStrange, misfit} {
			views.script <- err
		}
		w.post(0, 1)
		w.write()
		eventually(t, "it continues", func() bool { return p.State().Position == w.head() })
	}
	if n := log.Count("halted"); n != 0 {
		t.Errorf("it halted %d times, want 0", n)
	}
	for range 5 {
		views.script <- misfit
	}
	w.post(0, 1)
	w.write()
	eventually(t, "five failures of one event halt it", func() bool { return log.Count("halted") > 0 })
	p.stop(t)
}

func TestProjectorThatMakesNoProgressYieldsTheLease(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stores := memory.open(t)
	w := small(t, stores)
	views := &failingViews{Store: stores.views}
	views.fail(&fs.PathError{Op: "open", Path: "views", Err: syscall.EMFILE})
	cfg := quickly(stores, "failing")
	cfg.Views, cfg.YieldAfter = views, 50*time.Millisecond
	failing := start(t, cfg)
	eventually(t, "the failing one has the lease", func() bool { return views.failed.Load() > 0 })
	healthy := start(t, quickly(stores, "healthy"))
	eventually(t, "the other one applies events", func() bool { return healthy.State().Phase == projector.Active && healthy.State().Position == w.head() })
	eventually(t, "the outage of the failing one is over", func() bool { return failing.State().Outage == nil })
	failing.stop(t)
	healthy.stop(t)
}

func TestStandbyLogsTheLeaseHolder(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	stores := memory.open(t)
	store := stores.views
	lease := func(holder string) {
		eventually(t, holder+" has the lease", func() bool {
			held, err := store.Lease(t.Context(), holder, time.Hour)
			return err == nil && held
		})
	}
	lease("first")
	var log logtest.Recorder
	cfg := quickly(stores, "standby")
	cfg.LeaseTTL = time.Millisecond
	cfg.Logger = log.Logger()
	requests := &counting{Store: store}
	cfg.Views = requests
	p := start(t, cfg)
	eventually(t, "it has requested the lease often", func() bool { return requests.n.Load() > 20 })
	if got := log.Count("holder=first until="); got != 1 {
		t.Errorf("the holder is logged %d times, want once", got)
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	requests.refuse.Store(true)
	must(store.Release(t.Context(), "first"))
	lease("second")
	requests.refuse.Store(false)
	eventually(t, "it logs the second holder", func() bool { return log.Count("holder=second until=") == 1 })
	p.stop(t)
}

// counting are views that count the requests for the lease, and can refuse them.
type counting struct {
	readmodel.Store
	n      atomic.Int64
	refuse atomic.Bool
}

func (c *counting) Lease(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	c.n.Add(1)
	if c.refuse.Load() {
		return false, errStrange
	}
	return c.Store.Lease(ctx, holder, ttl)
}

func (c *counting) LeaseHolder() (string, time.Time) {
	return c.Store.(readmodel.LeaseHolder).LeaseHolder()
}
