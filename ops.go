package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/projector"
)

// lagBound is how far the views may be behind the log, in time, before
// readiness goes red: everything that is older must be visible.
const lagBound = 10 * time.Second

// lagWatch remembers where the log ended lagBound ago, and where the views were.
type lagWatch struct {
	mu      sync.Mutex
	heads   []domain.Position // one a second, the newest last
	visible []domain.Position // the same of the views' checkpoint
	err     error             // of the last look at the log
}

// run looks at the log and the views once a second until ctx ends.
func (w *lagWatch) run(ctx context.Context, head func(context.Context) (domain.Position, error), visible func() domain.Position) error {
	for tick := time.NewTicker(time.Second); ; {
		at := visible()
		p, err := head(ctx)
		w.note(p, at, err)
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
	}
}

func (w *lagWatch) note(head, visible domain.Position, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visible = remember(w.visible, visible)
	if w.err = err; err == nil {
		w.heads = remember(w.heads, head)
	}
}

// remember adds a position to those of the last lagBound.
func remember(positions []domain.Position, p domain.Position) []domain.Position {
	positions = append(positions, p)
	return positions[max(0, len(positions)-int(lagBound/time.Second)):]
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

// duePushed is the position that the hub must have reached by now: where the
// views were lagBound ago, and 0 before there was such a time.
func (w *lagWatch) duePushed() domain.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.visible) < int(lagBound/time.Second) {
		return 0
	}
	return w.visible[0]
}

// visible is where the views are, as the projector last heard.
func (a *application) visible() domain.Position { return a.projector.State().Position }

// unready gives the reasons why requests would not be answered well, none if
// they would.
func (a *application) unready(ctx context.Context) []string {
	reasons := append(a.store.Problems(), a.writes.problems()...)
	due, err := a.lag.due()
	if err != nil {
		reasons = append(reasons, fmt.Sprintf("the log cannot be read: %v", err))
	}
	reasons = append(reasons, a.projectorReasons()...)
	reasons = append(reasons, a.hubReasons()...)
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

// projectorReasons says why the projector cannot keep the views up to date.
func (a *application) projectorReasons() []string {
	var reasons []string
	s := a.projector.State()
	if s.Phase == projector.Halted {
		reasons = append(reasons, fmt.Sprintf("the projector halted: %v", s.Failure))
	}
	if due, err := a.lag.due(); s.Outage != nil && (lasts(s.Outage) || err == nil && s.Position < due) {
		reasons = append(reasons, "the projector "+describe(s.Outage))
	}
	return reasons
}

// hubReasons says why subscribers do not get what is new.
func (a *application) hubReasons() []string {
	stats := a.hub.Stats()
	due := a.lag.duePushed()
	switch {
	case stats.Outage != nil && (lasts(stats.Outage) || stats.Position < due):
		return []string{fmt.Sprintf("the live hub is at position %d and %s", stats.Position, describe(stats.Outage))}
	case stats.Position < due:
		return []string{fmt.Sprintf("the live hub is at position %d; %s ago the views were at %d already", stats.Position, lagBound, due)}
	}
	return nil
}

// lasts reports whether an outage is longer than what lag is allowed.
func lasts(o *outage.Report) bool { return time.Since(o.Since) > lagBound }

func describe(o *outage.Report) string {
	return fmt.Sprintf("has been trying again for %s, %d times: %v", time.Since(o.Since).Round(time.Second), o.Tries, o.Err)
}

// registerMetrics says what /metrics shows.
func (a *application) registerMetrics() {
	gauge := func(name, help string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
	}
	a.writes.register(a.metrics)
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
	a.registerGates()
	gauge("chirp_feed_subscriptions", "Feed subscriptions that are open here.", func() float64 { return float64(a.hub.Stats().Feeds) })
	gauge("chirp_profile_subscriptions", "Profile subscriptions that are open here.", func() float64 { return float64(a.hub.Stats().Profiles) })
	counter("chirp_subscription_catchups_total", "Times a live feed subscription went back to catch-up reading.", func() float64 { return float64(a.hub.Stats().CatchUps) })
	counter("chirp_subscriptions_dropped_total", "Feed subscriptions ended for being too slow.", func() float64 { return float64(a.hub.Stats().Dropped) })
}

// registerGates shows where callers wait for their turn.
func (a *application) registerGates() {
	for i, g := range a.store.Gates() {
		a.registerGate("chirp_connections", "connections of the store", prometheus.Labels{"pool": g.Name},
			func() gate.Stats { return a.store.Gates()[i] })
	}
	a.registerGate("chirp_password_hashes", "password hashes at once", nil, a.passwords.Stats)
}

// registerGate shows how much of something there is, how much is in use, how
// many callers wait for it, and how many have waited in vain.
func (a *application) registerGate(name, what string, labels prometheus.Labels, stats func() gate.Stats) {
	gauge := func(suffix, help string, value func(gate.Stats) int) {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name + suffix, Help: help, ConstLabels: labels},
			func() float64 { return float64(value(stats())) }))
	}
	gauge("", "How many "+what+" there may be.", func(s gate.Stats) int { return s.Places })
	gauge("_in_use", "How many "+what+" there are.", func(s gate.Stats) int { return s.Inside })
	gauge("_waited_for", "Callers that wait for one of the "+what+".", func(s gate.Stats) int { return s.Waiting })
	a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name + "_refused_total", ConstLabels: labels,
		Help: "Callers refused as UNAVAILABLE, who have waited in vain for one of the " + what + "."},
		func() float64 { return float64(stats().Refused) }))
}
