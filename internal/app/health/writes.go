package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
)

const (
	// probeEvery is the time between two probes while writes fail, and
	// probeTimeout how long one may take.
	probeEvery   = time.Second
	probeTimeout = 10 * time.Second
	// quietFor is how long no write may have failed before a probe that succeeds
	// is believed: it cannot know what made the others fail.
	quietFor = 5 * time.Second
)

// Writes knows whether the store can be written. A write that fails means that
// it cannot; a write that succeeds, or a probe after a quiet time, that it can
// again.
type Writes struct {
	probe func(context.Context) error
	log   *slog.Logger

	appends, credentials writes
	wake                 chan struct{} // has room for one signal: a write has failed
	lastFailed           atomic.Int64  // when a write last failed, in Unix nanoseconds
}

// writes is the state of the writes of one kind.
type writes struct {
	kind     string // a label of the metrics
	outage   outage.Outage
	failures atomic.Int64
}

// NewWrites returns a Writes that observes the writes to the Log and the
// Credentials that it wraps. probe writes what no reader sees.
func NewWrites(probe func(context.Context) error, log *slog.Logger) *Writes {
	w := &Writes{probe: probe, log: log, wake: make(chan struct{}, 1)}
	w.appends.kind, w.credentials.kind = "append", "credential"
	return w
}

func (w *Writes) kinds() []*writes { return []*writes{&w.appends, &w.credentials} }

// observe learns from the outcome of a write.
func (w *Writes) observe(of *writes, err error) {
	switch {
	case err == nil:
		of.succeeded(w.log)
	case storeFailed(err):
		of.failures.Add(1)
		w.lastFailed.Store(time.Now().UnixNano())
		of.outage.Failed(w.log, "the store cannot be written", err, "write", of.kind)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (of *writes) failing() bool {
	_, failing := of.outage.Now()
	return failing
}

func (of *writes) succeeded(log *slog.Logger) {
	if of.failing() {
		of.outage.Ended(log, "the store can be written again")
	}
}

// storeFailed reports whether an error means that the store takes no writes,
// and not that it refused this one, that another write was in the way, or that
// the caller gave up.
func storeFailed(err error) bool {
	var known *domain.Error
	switch {
	case errors.Is(err, eventstore.ErrConflict), errors.Is(err, eventstore.ErrCommandReused), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &known):
		return known.Kind == domain.Internal || known.Kind == domain.Unavailable && known.RetryAfter == 0
	default:
		return true
	}
}

// Run probes the store while writes fail, until ctx ends.
func (w *Writes) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		}
		for w.failing() {
			if !outage.Pause(ctx, probeEvery) {
				return nil
			}
			w.tryOnce(ctx)
		}
	}
}

func (w *Writes) failing() bool { return w.appends.failing() || w.credentials.failing() }

// tryOnce probes the store.
func (w *Writes) tryOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	err := w.probe(ctx)
	quiet := began.Sub(time.Unix(0, w.lastFailed.Load())) >= quietFor
	for _, of := range w.kinds() {
		switch {
		case err != nil && of.failing():
			of.outage.Failed(w.log, "the store cannot be written", err, "write", "probe")
		case err == nil && quiet:
			of.succeeded(w.log)
		}
	}
}

// Problems returns why the store cannot be written, none if it can.
func (w *Writes) Problems() []string {
	var problems []string
	for _, of := range w.kinds() {
		if report, failing := of.outage.Now(); failing {
			problems = append(problems, fmt.Sprintf("the store has taken no %s since %s: %v", of.kind, report.Since.UTC().Format(time.RFC3339), report.Err))
		}
	}
	return problems
}

// Register adds metrics of the writes.
func (w *Writes) Register(metrics *prometheus.Registry) {
	for _, of := range w.kinds() {
		metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "chirp_store_write_failures_total",
			Help: "Writes to the log or of a credential that the store did not take.", ConstLabels: prometheus.Labels{"write": of.kind}},
			func() float64 { return float64(of.failures.Load()) }))
	}
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "chirp_store_writable", Help: "1 while the store takes writes, as far as is known."},
		func() float64 {
			if w.failing() {
				return 0
			}
			return 1
		}))
}

// Log returns the log with its appends observed.
func (w *Writes) Log(log eventstore.Log) eventstore.Log { return observedLog{log, w} }

// Credentials returns the credentials with their writes observed.
func (w *Writes) Credentials(c auth.Credentials) auth.Credentials { return observedCredentials{c, w} }

type observedLog struct {
	eventstore.Log
	writes *Writes
}

// Append implements eventstore.Log.
func (l observedLog) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	commit, err := l.Log.Append(ctx, a)
	if err != nil || !commit.Repeated { // a repeat writes nothing
		l.writes.observe(&l.writes.appends, err)
	}
	return commit, err
}

type observedCredentials struct {
	auth.Credentials
	writes *Writes
}

// SaveCredential implements auth.Credentials.
func (c observedCredentials) SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error {
	err := c.Credentials.SaveCredential(ctx, user, hash, at)
	c.writes.observe(&c.writes.credentials, err)
	return err
}

// AddSession implements auth.AccessStore.
func (c observedCredentials) AddSession(ctx context.Context, user domain.UserID, s auth.Session) error {
	err := c.Credentials.AddSession(ctx, user, s)
	if !errors.Is(err, auth.ErrEpochMoved) {
		c.writes.observe(&c.writes.credentials, err)
	}
	return err
}

// EndSession implements auth.AccessStore.
func (c observedCredentials) EndSession(ctx context.Context, user domain.UserID, id auth.SessionID) error {
	err := c.Credentials.EndSession(ctx, user, id)
	c.writes.observe(&c.writes.credentials, err)
	return err
}

// EndSessions implements auth.AccessStore.
func (c observedCredentials) EndSessions(ctx context.Context, user domain.UserID, keep auth.SessionID) error {
	err := c.Credentials.EndSessions(ctx, user, keep)
	c.writes.observe(&c.writes.credentials, err)
	return err
}

// ReplaceCredential implements auth.AccessStore.
func (c observedCredentials) ReplaceCredential(ctx context.Context, was auth.Credential, hash string) error {
	err := c.Credentials.ReplaceCredential(ctx, was, hash)
	if !errors.Is(err, auth.ErrNoCredential) && !errors.Is(err, auth.ErrEpochMoved) {
		c.writes.observe(&c.writes.credentials, err)
	}
	return err
}

// ConfirmCredential implements auth.Credentials.
func (c observedCredentials) ConfirmCredential(ctx context.Context, user domain.UserID) error {
	err := c.Credentials.ConfirmCredential(ctx, user)
	c.writes.observe(&c.writes.credentials, err)
	return err
}

// DeleteCredential implements auth.Credentials.
func (c observedCredentials) DeleteCredential(ctx context.Context, user domain.UserID) error {
	err := c.Credentials.DeleteCredential(ctx, user)
	c.writes.observe(&c.writes.credentials, err)
	return err
}
