package main

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
	// probeEvery is how often writing is tried after a write has failed, until
	// it is known to be possible.
	probeEvery = time.Second
	// quietFor is how long no write must have failed before such a probe is
	// believed: it cannot know what made the others fail.
	quietFor = 5 * time.Second
)

// kindOfWrite says what was to be written.
type kindOfWrite string

const (
	appendWrite     kindOfWrite = "append"
	credentialWrite kindOfWrite = "credential"
)

// writeWatch knows whether the store can be written. From a write that fails on
// it cannot, until another one succeeds, or a probe after a quiet time.
type writeWatch struct {
	probe func(context.Context) error
	log   *slog.Logger

	kinds  [2]writes
	wake   chan struct{} // has room for one signal: a write has failed
	failed atomic.Int64  // when a write last failed, in Unix nanoseconds
}

// writes are those of one kind.
type writes struct {
	kind     kindOfWrite
	outage   outage.Outage
	failures atomic.Int64
}

func newWriteWatch(probe func(context.Context) error, log *slog.Logger) *writeWatch {
	w := &writeWatch{probe: probe, log: log, wake: make(chan struct{}, 1)}
	w.kinds[0].kind, w.kinds[1].kind = appendWrite, credentialWrite
	return w
}

// note learns from the outcome of a write.
func (w *writeWatch) note(kind kindOfWrite, err error) {
	of := &w.kinds[0]
	if kind != of.kind {
		of = &w.kinds[1]
	}
	switch {
	case err == nil:
		of.ended(w.log)
	case storeFailed(err):
		of.failures.Add(1)
		w.failed.Store(time.Now().UnixNano())
		of.outage.Failed(w.log, "the store cannot be written", err, "write", string(kind))
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

func (of *writes) ended(log *slog.Logger) {
	if of.failing() {
		of.outage.Ended(log, "the store can be written again")
	}
}

// storeFailed reports whether an error says that the store does not take
// writes, and not that this one was refused, in the way, or given up by its
// caller.
func storeFailed(err error) bool {
	var told *domain.Error
	switch {
	case errors.Is(err, eventstore.ErrConflict), errors.Is(err, eventstore.ErrCommandReused), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &told):
		return told.Kind == domain.Internal || told.Kind == domain.Unavailable && told.RetryAfter == 0
	default:
		return true
	}
}

// run probes, while writes fail, until ctx ends.
func (w *writeWatch) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		}
		for w.failing() {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(probeEvery):
			}
			w.try(ctx)
		}
	}
}

func (w *writeWatch) failing() bool { return w.kinds[0].failing() || w.kinds[1].failing() }

// try probes once.
func (w *writeWatch) try(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lagBound)
	defer cancel()
	began := time.Now()
	err := w.probe(ctx)
	quiet := began.Sub(time.Unix(0, w.failed.Load())) >= quietFor
	for i := range w.kinds {
		switch of := &w.kinds[i]; {
		case err != nil && of.failing():
			of.outage.Failed(w.log, "the store cannot be written", err, "write", "probe")
		case err == nil && quiet:
			of.ended(w.log)
		}
	}
}

// problems returns why the store cannot be written, none if it can.
func (w *writeWatch) problems() []string {
	var problems []string
	for i := range w.kinds {
		if report, failing := w.kinds[i].outage.Now(); failing {
			problems = append(problems, fmt.Sprintf("the store has taken no %s since %s: %v", w.kinds[i].kind, report.Since.UTC().Format(time.RFC3339), report.Err))
		}
	}
	return problems
}

// register adds the counters of failed writes to the metrics.
func (w *writeWatch) register(metrics *prometheus.Registry) {
	for i := range w.kinds {
		of := &w.kinds[i]
		metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "chirp_store_write_failures_total",
			Help: "Writes to the log or of a credential that the store did not take.", ConstLabels: prometheus.Labels{"write": string(of.kind)}},
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

// watchedLog is a log whose appends are watched.
type watchedLog struct {
	eventstore.Log
	writes *writeWatch
}

// Append implements eventstore.Log.
func (l watchedLog) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	commit, err := l.Log.Append(ctx, a)
	if err != nil || !commit.Repeated { // a repeat writes nothing
		l.writes.note(appendWrite, err)
	}
	return commit, err
}

// watchedCredentials are credentials whose writes are watched.
type watchedCredentials struct {
	auth.Credentials
	writes *writeWatch
}

// SaveCredential implements auth.Credentials.
func (c watchedCredentials) SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error {
	err := c.Credentials.SaveCredential(ctx, user, hash, at)
	c.writes.note(credentialWrite, err)
	return err
}

// ConfirmCredential implements auth.Credentials.
func (c watchedCredentials) ConfirmCredential(ctx context.Context, user domain.UserID) error {
	err := c.Credentials.ConfirmCredential(ctx, user)
	c.writes.note(credentialWrite, err)
	return err
}

// DeleteCredential implements auth.Credentials.
func (c watchedCredentials) DeleteCredential(ctx context.Context, user domain.UserID) error {
	err := c.Credentials.DeleteCredential(ctx, user)
	c.writes.note(credentialWrite, err)
	return err
}
