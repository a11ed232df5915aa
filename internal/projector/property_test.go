package projector_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chirp/internal/domain"
	"chirp/internal/projector"
	"chirp/internal/projector/projectortest"
)

// The budget bounds the time of the property on a store on which a fixed number of
// checks would take too long.
const (
	budgetVariable = "CHIRP_TEST_PROPERTY_SECONDS"
	defaultBudget  = 5 * time.Second
)

func TestFeedsAreExactInMemory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { feedsAreExact(rt, &pool{t: t, kind: memory}) })
}

func TestFeedsAreExactOnSQLite(t *testing.T) {
	p := &pool{t: t, kind: onSQLite, keep: true}
	rapid.Check(t, func(t *rapid.T) { feedsAreExact(t, p) })
}

func TestFeedsAreExactOnMongoDB(t *testing.T) {
	budget := defaultBudget
	if s := os.Getenv(budgetVariable); s != "" {
		seconds, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s=%q is not a number of seconds", budgetVariable, s)
		}
		budget = time.Duration(seconds) * time.Second
	}
	p := &pool{t: t, kind: onMongoDB, keep: true}
	for _, threshold := range thresholds {
		p.get(threshold) // opening is slow and does not count
	}
	runs := 0
	for end := time.Now().Add(budget); time.Now().Before(end); {
		rapid.Check(t, func(t *rapid.T) {
			if runs == 0 || time.Now().Before(end) {
				runs++
				feedsAreExact(t, p)
			}
		})
	}
	t.Logf("%d runs in %s (%s sets the seconds)", runs, budget, budgetVariable)
}

// thresholds are low, so that users often become celebrities and stop being ones.
// Only the higher one leaves room between the two limits.
var thresholds = []int64{3, 5}

// pool provides the stores for runs of the property. If opening a store is slow,
// runs share one, each with users of its own. A store on which a run failed is not
// used again.
type pool struct {
	t      *testing.T
	kind   kind
	keep   bool
	opened map[int64]storePair // by threshold
}

func (p *pool) get(threshold int64) storePair {
	if s, open := p.opened[threshold]; open {
		return s
	}
	s := p.kind.open(p.t)
	head, err := s.log.Head(context.Background())
	if err == nil {
		_, err = s.views.Serving(context.Background(), head.Epoch, threshold)
	}
	if err != nil {
		p.t.Fatalf("open the views: %v", err)
	}
	if p.keep {
		if p.opened == nil {
			p.opened = make(map[int64]storePair)
		}
		p.opened[threshold] = s
	}
	return s
}

// feedsAreExact performs random acts of a few users, and projects them with random
// limits, restarts and faults of the store. After commits, after every crash and at
// the end, the views must be what the oracle says.
func feedsAreExact(t *rapid.T, p *pool) {
	r := run{t: t, rules: projectortest.Rules{
		Threshold: rapid.SampledFrom(thresholds).Draw(t, "threshold"), Backfill: rapid.IntRange(1, 3).Draw(t, "backfill"),
	}}
	r.storePair = p.get(r.rules.Threshold)
	delete(p.opened, r.rules.Threshold) // until the run has succeeded
	r.world = newWorld(t, r.log)
	r.world.register(rapid.IntRange(2, 8).Draw(t, "users"))
	r.world.identify(0)
	act := rapid.Custom(func(t *rapid.T) [3]int {
		return [3]int{
			rapid.IntRange(0, 99).Draw(t, "act"), rapid.IntRange(0, 7).Draw(t, "user"), rapid.IntRange(0, 7).Draw(t, "other"),
		}
	})
	for range rapid.IntRange(1, 5).Draw(t, "rounds") {
		for _, a := range rapid.SliceOfN(act, 0, 40).Draw(t, "acts") {
			r.world.act(a[0], a[1], a[2])
		}
		r.world.write()
		r.project()
	}
	if p.keep {
		p.opened[r.rules.Threshold] = r.storePair
	}
}

// never is more events than a log of the property has.
const never = 1 << 30

// run is one run of the property.
type run struct {
	t *rapid.T
	storePair
	rules projectortest.Rules
	world *world
}

// project brings the views to the log's head, through random crashes.
func (r *run) project() {
	pageSize := func() int { return rapid.IntRange(1, 7).Draw(r.t, "page") }
	for crashed := true; crashed; {
		plan := make(map[int]fault)
		for range rapid.IntRange(0, 3).Draw(r.t, "faults") {
			call := rapid.IntRange(0, 12).Draw(r.t, "call")
			plan[call] = fault(rapid.IntRange(1, int(faults)-1).Draw(r.t, "fault"))
		}
		cfg := projector.Config{
			MaxEvents:     rapid.SampledFrom([]int{1, 2, 4, 9, 30}).Draw(r.t, "events"),
			Backfill:      r.rules.Backfill,
			MaxDeliveries: rapid.SampledFrom([]int{1, 2, 3, 7, 50}).Draw(r.t, "deliveries"),
			Threshold:     rapid.SampledFrom([]int64{r.rules.Threshold, 1, 100}).Draw(r.t, "configured threshold"),
			FarBehind:     behindBy(rapid.SampledFrom([]int{never, never, 30, 8, 1}).Draw(r.t, "far behind")),
			Watch:         time.Microsecond,
		}
		var err error
		if crashed, err = r.process(cfg, plan); err != nil {
			r.t.Fatalf("after a commit: %v", err)
		}
		if err := compare(context.Background(), r.views, r.world.oracle, r.rules, pageSize); err != nil {
			r.t.Fatalf("crashed %t: %v", crashed, err)
		}
	}
}

// process runs one server: it projects until the views are at the head or it dies.
func (r *run) process(cfg projector.Config, plan map[int]fault) (crashed bool, err error) {
	views := newFaultyViews(r.views, plan)
	views.applied = func(n int) error {
		if n%r.stride != 0 {
			return nil
		}
		return compare(context.Background(), r.views, r.world.oracle, r.rules, whole)
	}
	cfg.Log, cfg.Views, cfg.Holder, cfg.RetryDelay = r.log, views, "the only one", time.Millisecond
	err = projectTo(cfg, r.world.head(), views.crashed)
	select {
	case <-views.crashed:
		return true, views.wrong
	default:
		return false, err
	}
}

// projectTo runs a projector until the views are at position head, it halts, or
// stop is closed.
func projectTo(cfg projector.Config, head domain.Position, stop <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p := projector.New(cfg)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	there := make(chan error, 1)
	go func() {
		_, err := cfg.Views.Await(ctx, head-1)
		there <- err
	}()
	state := p.State()
	for err := errors.New("not there yet"); err != nil; state = p.State() {
		select {
		case err = <-there:
			if err != nil {
				cancel()
				return fmt.Errorf("position %d was not reached: %w: %+v", head, errors.Join(err, <-ended), state)
			}
		case <-stop:
			err = nil
		case <-time.After(10 * time.Millisecond):
			if state.Phase == projector.Halted {
				cancel()
				return errors.Join(state.Failure, <-ended, <-there)
			}
		}
	}
	cancel()
	return <-ended
}
