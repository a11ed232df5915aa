package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"chirp/internal/domain"
	"chirp/internal/projector"
)

// lagBound is how far the views may be behind the log, in time, before
// readiness goes red: everything that is older must be visible.
const lagBound = 10 * time.Second

// lagWatch remembers where the log ended lagBound ago.
type lagWatch struct {
	mu    sync.Mutex
	heads []domain.Position // one a second, the newest last
	err   error             // of the last look at the log
}

// run looks at the log once a second until ctx ends.
func (w *lagWatch) run(ctx context.Context, head func(context.Context) (domain.Position, error)) error {
	for tick := time.NewTicker(time.Second); ; {
		p, err := head(ctx)
		w.note(p, err)
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
	}
}

func (w *lagWatch) note(p domain.Position, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err = err; err != nil {
		return
	}
	w.heads = append(w.heads, p)
	if n := int(lagBound / time.Second); len(w.heads) > n {
		w.heads = w.heads[len(w.heads)-n:]
	}
}

// due is the position that must be visible by now: where the log ended
// lagBound ago or, early on, when the watch began.
func (w *lagWatch) due() (domain.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.heads) == 0 {
		return 0, w.err
	}
	return w.heads[0], w.err
}

// unready gives the reasons why requests would not be answered well, none if
// they would.
func (a *app) unready(ctx context.Context) []string {
	var reasons []string
	due, err := a.lag.due()
	if err != nil {
		reasons = append(reasons, fmt.Sprintf("the log cannot be read: %v", err))
	}
	if s := a.projector.State(); s.Phase == projector.Halted {
		reasons = append(reasons, fmt.Sprintf("the projector halted: %v", s.Failure))
	}
	snapshot, err := a.store.Views().Snapshot(ctx)
	if err != nil {
		return append(reasons, fmt.Sprintf("the views cannot be read: %v", err))
	}
	defer snapshot.Close()
	if at := snapshot.Generation().Checkpoint.Position; at < due {
		reasons = append(reasons, fmt.Sprintf("the views are at position %d; %s ago the log was at %d already", at, lagBound, due))
	}
	return reasons
}

// registerMetrics says what /metrics shows.
func (a *app) registerMetrics() {
	gauge := func(name, help string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
	}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge("chirp_log_position", "Position of the last event in the log, as the projector last heard.",
		func() float64 { return float64(a.projector.State().Head) })
	gauge("chirp_views_position", "Position up to which the views are complete.",
		func() float64 { return float64(a.projector.State().Position) })
	gauge("chirp_views_lag_events", "Events in the log that the views do not show yet.",
		func() float64 { return float64(a.projector.State().Lag()) })
	gauge("chirp_projector_halted_position", "Position of the event at which this server's projector halted, 0 while it has not.",
		func() float64 {
			if failure := a.projector.State().Failure; failure != nil {
				return float64(failure.Position)
			}
			return 0
		})
	for _, phase := range []projector.Phase{projector.Standby, projector.Active, projector.Halted} {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "chirp_projector_phase",
			Help: "1 for the phase that this server's projector is in.", ConstLabels: prometheus.Labels{"phase": phase.String()}},
			func() float64 {
				if a.projector.State().Phase == phase {
					return 1
				}
				return 0
			}))
	}
	gauge("chirp_feed_subscriptions", "Feed subscriptions that are open here.", func() float64 { return float64(a.hub.Stats().Feeds) })
	gauge("chirp_profile_subscriptions", "Profile subscriptions that are open here.", func() float64 { return float64(a.hub.Stats().Profiles) })
	counter("chirp_subscription_catchups_total", "Times a live feed subscription went back to catch-up reading.", func() float64 { return float64(a.hub.Stats().CatchUps) })
	counter("chirp_subscriptions_dropped_total", "Feed subscriptions ended for being too slow.", func() float64 { return float64(a.hub.Stats().Dropped) })
}
