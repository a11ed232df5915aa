package main

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chirp/internal/gate"
)

// thresholdTimeout bounds how long a scrape waits for the views.
const thresholdTimeout = 2 * time.Second

// registerThresholds shows from how many followers a user is a celebrity: as
// configured, and in the views, which keep theirs until they are rebuilt.
func (a *application) registerThresholds(configured int64) {
	gauge := func(source string, value func() float64) {
		a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "chirp_celebrity_threshold",
			Help:        "Followers from which a user is a celebrity: as configured, and in the views that serve, NaN while they cannot be read.",
			ConstLabels: prometheus.Labels{"source": source}}, value))
	}
	gauge("configured", func() float64 { return float64(configured) })
	gauge("views", a.viewsThreshold)
}

func (a *application) viewsThreshold() float64 {
	ctx, cancel := context.WithTimeout(gate.Own(context.Background()), thresholdTimeout)
	defer cancel()
	snapshot, err := a.store.Views().Snapshot(ctx)
	if err != nil {
		return math.NaN()
	}
	defer snapshot.Close()
	return float64(snapshot.Generation().Threshold)
}
