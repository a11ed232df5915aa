package app

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"chirp/internal/app/httpserver"
	"chirp/internal/gate"
	"chirp/internal/projector"
	"chirp/internal/query"
)

// registerMetrics registers what /metrics shows. threshold is the celebrity
// threshold of the config.
func (a *app) registerMetrics(threshold int64, crowd *httpserver.Crowd) {
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.writes.Register(a.metrics)
	a.registerProjector()
	a.registerThresholds(threshold)
	a.registerHub()
	a.registerCache()
	a.registerGates()
	a.registerCrowd(crowd)
}

// gauge registers a gauge whose value is read at each scrape.
func (a *app) gauge(name, help string, labels prometheus.Labels, value func() float64) {
	a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
}

// counter registers a counter whose value is read at each scrape.
func (a *app) counter(name, help string, labels prometheus.Labels, value func() float64) {
	a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, value))
}

func (a *app) registerProjector() {
	a.gauge("chirp_log_position", "Position of the last event in the log, as the projector last knew it.", nil,
		func() float64 { return float64(a.projector.State().Head) })
	a.gauge("chirp_views_position", "Position up to which the views are complete.", nil,
		func() float64 { return float64(a.projector.State().Position) })
	a.gauge("chirp_views_lag_events", "Events in the log that the views do not show yet.", nil,
		func() float64 { return float64(a.projector.State().Lag()) })
	a.gauge("chirp_views_building_position", "Position up to which this server has built the views that will replace those far behind, 0 while it builds none.", nil,
		func() float64 {
			if building := a.projector.State().Building; building != nil {
				return float64(building.Position)
			}
			return 0
		})
	a.gauge("chirp_projector_halted_position", "Position of the event at which this server's projector halted, 0 while it has not.", nil,
		func() float64 {
			if failure := a.projector.State().Failure; failure != nil {
				return float64(failure.Position)
			}
			return 0
		})
	for _, phase := range []projector.Phase{projector.Standby, projector.Active, projector.Halted} {
		a.gauge("chirp_projector_phase", "1 for the phase that this server's projector is in.", prometheus.Labels{"phase": phase.String()},
			func() float64 {
				if a.projector.State().Phase == phase {
					return 1
				}
				return 0
			})
	}
}

// thresholdTimeout bounds how long a scrape waits for the views.
const thresholdTimeout = 2 * time.Second

// registerThresholds registers the celebrity threshold of the config and that of
// the views, which keep theirs until they are rebuilt.
func (a *app) registerThresholds(configured int64) {
	gauge := func(source string, value func() float64) {
		a.gauge("chirp_celebrity_threshold", "Followers from which a user is a celebrity: as configured, and in the views that serve, NaN while they cannot be read.",
			prometheus.Labels{"source": source}, value)
	}
	gauge("configured", func() float64 { return float64(configured) })
	gauge("views", a.viewsThreshold)
}

func (a *app) viewsThreshold() float64 {
	ctx, cancel := context.WithTimeout(gate.Own(context.Background()), thresholdTimeout)
	defer cancel()
	snapshot, err := a.store.Views().Snapshot(ctx)
	if err != nil {
		return math.NaN()
	}
	defer snapshot.Close()
	return float64(snapshot.Generation().Threshold)
}

func (a *app) registerHub() {
	a.gauge("chirp_feed_subscriptions", "Feed subscriptions that are open here.", nil,
		func() float64 { return float64(a.hub.Stats().Feeds) })
	a.gauge("chirp_feed_subscriptions_live", "Feed subscriptions to which chirps are pushed. The others read what came before.", nil,
		func() float64 { return float64(a.hub.Stats().Live) })
	a.gauge("chirp_profile_subscriptions", "Profile subscriptions that are open here.", nil,
		func() float64 { return float64(a.hub.Stats().Profiles) })
	a.counter("chirp_subscription_catchups_total", "Times a live feed subscription went back to catch-up reading.", nil,
		func() float64 { return float64(a.hub.Stats().CatchUps) })
	a.counter("chirp_subscriptions_dropped_total", "Feed subscriptions ended for being too slow.", nil,
		func() float64 { return float64(a.hub.Stats().Dropped) })
}

// registerCache registers the numbers of the rows that are kept in memory.
func (a *app) registerCache() {
	for kind, of := range map[string]func(query.CacheStats) query.CachedRows{
		"chirps": func(s query.CacheStats) query.CachedRows { return s.Chirps },
		"users":  func(s query.CacheStats) query.CachedRows { return s.Users },
	} {
		labels := prometheus.Labels{"of": kind}
		rows := func() query.CachedRows { return of(a.queries.Cache.Stats()) }
		a.gauge("chirp_cache_rows", "Rows of the views that are kept in memory.", labels, func() float64 { return float64(rows().Rows) })
		a.gauge("chirp_cache_bytes", "About how many bytes they take.", labels, func() float64 { return float64(rows().Bytes) })
		a.counter("chirp_cache_hits_total", "Rows that were needed and in memory.", labels, func() float64 { return float64(rows().Hits) })
		a.counter("chirp_cache_misses_total", "Rows that were needed and read from the views.", labels, func() float64 { return float64(rows().Misses) })
	}
}

// registerCrowd registers the numbers of clients' connections.
func (a *app) registerCrowd(c *httpserver.Crowd) {
	a.gauge("chirp_http_connections", "Connections of clients.", nil, func() float64 { return float64(c.Stats().Open) })
	a.gauge("chirp_http_connections_most", "How many connections clients may have.", nil, func() float64 { return float64(c.Stats().Most) })
	closed := func(which string, value func() float64) {
		a.counter("chirp_http_connections_closed_total", "Connections closed because a client, or all, had as many as they may have: idle ones for new ones, and new ones. Requests through proxies count as new ones.",
			prometheus.Labels{"which": which}, value)
	}
	closed("idle", func() float64 { return float64(c.Stats().Evicted) })
	closed("new", func() float64 { return float64(c.Stats().Refused) })
}

// registerGates registers the gates at which callers wait for their turn.
func (a *app) registerGates() {
	for i, g := range a.store.Gates() {
		a.registerGate("chirp_connections", "connections of the store", prometheus.Labels{"pool": g.Name},
			func() gate.Stats { return a.store.Gates()[i] })
	}
	for i, g := range a.graphql.Gates() {
		a.registerGate("chirp_requests", "places for requests", prometheus.Labels{"gate": g.Name},
			func() gate.Stats { return a.graphql.Gates()[i] })
	}
	a.registerGate("chirp_password_hashes", "password hashes at once", nil, a.passwords.Stats)
}

// registerGate registers how many places a gate has, how many are taken, how
// many callers wait for one, and how many have waited in vain.
func (a *app) registerGate(name, what string, labels prometheus.Labels, stats func() gate.Stats) {
	gauge := func(suffix, help string, value func(gate.Stats) int) {
		a.gauge(name+suffix, help, labels, func() float64 { return float64(value(stats())) })
	}
	gauge("", "How many "+what+" there may be.", func(s gate.Stats) int { return s.Places })
	gauge("_in_use", "How many "+what+" there are.", func(s gate.Stats) int { return s.Inside })
	gauge("_waited_for", "Callers that wait for one of the "+what+".", func(s gate.Stats) int { return s.Waiting })
	a.counter(name+"_refused_total", "Callers refused as UNAVAILABLE, who have waited in vain for one of the "+what+".", labels,
		func() float64 { return float64(stats().Refused) })
}
