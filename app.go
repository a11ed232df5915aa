package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	graphapi "chirp/graph/api"
	"chirp/graph/guard"
	"chirp/graph/transport"
	"chirp/internal/app"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/demo"
	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/projector"
	"chirp/internal/query"
	"chirp/internal/subscription"
)

// application is everything that runs on an open store.
type application struct {
	store     app.Storage
	projector *projector.Projector
	hub       *subscription.Hub
	queries   *query.Service
	graphql   *transport.Handler
	metrics   *prometheus.Registry
	passwords *auth.Passwords
	lag       lagWatch
	writes    *writeWatch
	issuer    *auth.Issuer  // of outside tokens, nil if there is none
	demo      *demo.Network // nil without --demo
	log       *slog.Logger

	// failed ends, with a cause, when one of the parts cannot go on.
	failed context.Context
	cancel context.CancelFunc
	parts  sync.WaitGroup
}

// startApp builds the parts on a store and starts them. ctx bounds the start
// alone; stop ends the parts.
func startApp(ctx context.Context, cfg config, store app.Storage, log *slog.Logger) (*application, error) {
	secret, err := tokenSecret(ctx, cfg, store.Credentials())
	if err != nil {
		return nil, fmt.Errorf("token secret: %w", err)
	}
	tokens, err := auth.NewTokens(secret, time.Now)
	if err != nil {
		return nil, err
	}
	a := &application{store: store, log: log, metrics: prometheus.NewRegistry(), writes: newWriteWatch(store.TryWrite, log)}
	events, credentials := watchedLog{store.Log(), a.writes}, watchedCredentials{store.Credentials(), a.writes}
	a.queries = &query.Service{Views: store.Views(), Head: a.head, Hashes: store.Log().Hashes}
	a.projector = projector.New(projector.Config{
		Log: store.Log(), Views: store.Views(), Threshold: cfg.CelebrityThreshold,
		Holder: holder(), Logger: log,
	})
	a.hub = subscription.New(subscription.Config{Log: store.Log(), Views: store.Views(), Queries: a.queries, Logger: log})
	commands := &command.Handler{Events: events, Now: time.Now, NewID: newID}
	if cfg.OIDCIssuer != "" {
		a.issuer = auth.NewIssuer(auth.IssuerConfig{URL: cfg.OIDCIssuer, Audience: cfg.OIDCAudience, Logger: log})
		tokens.Trust(a.issuer, commands.FindIdentity)
	}
	a.passwords = auth.NewPasswords(runtime.GOMAXPROCS(0))
	authenticator := auth.Authenticator{Credentials: credentials, Passwords: a.passwords, Tokens: tokens}
	commands.SaveCredential = authenticator.Save
	proxies, err := cfg.proxies()
	if err != nil {
		return nil, err
	}
	origins, err := transport.ParseOrigins(cfg.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	a.graphql = graphapi.New(graphapi.Config{
		Commands: commands,
		Queries:  a.queries, Hub: a.hub, Auth: authenticator,
		PasswordsOff: !cfg.LocalPasswords, ClientIP: transport.ForwardedIP(proxies), Origins: origins,
		Guard: guard.Config{
			Limits: cfg.Limits.limits(), Introspection: cfg.Introspection, RateLimit: cfg.RateLimit,
			Documents: cfg.documents, DocumentsOnly: cfg.Limits.TrustedDocumentsOnly,
		},
		Transport: cfg.limits(), Logger: log,
	})
	if cfg.Demo {
		if a.demo, err = startDemo(ctx, commands, authenticator, log); err != nil {
			return nil, err
		}
	}
	a.registerMetrics()
	a.registerThresholds(cfg.CelebrityThreshold)
	a.start()
	return a, nil
}

// newID makes a UUID of version 7: ids sort by the time they were made.
func newID() [16]byte { return uuid.Must(uuid.NewV7()) }

// holder names this process among the servers of a store, so that an operator
// can find it.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, pid %d, %s", host, os.Getpid(), uuid.NewString())
}

func (a *application) start() {
	running, cancel := context.WithCancel(gate.Own(context.Background()))
	failed, fail := context.WithCancelCause(running)
	a.failed, a.cancel = failed, cancel
	part := func(name string, run func(context.Context) error) {
		a.parts.Go(func() {
			if err := run(running); err != nil && running.Err() == nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	part("projector", a.projector.Run)
	part("live hub", a.hub.Run)
	if a.issuer != nil {
		part("outside issuer", a.issuer.Run)
	}
	if a.demo != nil {
		part("demo", a.demo.Run)
	}
	part("credential sweep", a.sweepCredentials)
	part("old views", a.dropOldViews)
	part("write watch", a.writes.run)
	part("lag watch", func(ctx context.Context) error { return a.lag.run(ctx, a.head, a.visible) })
}

// drain ends what is under way in order: subscriptions and sockets with a
// reason, requests by their own end, and the projector at the end of the log.
func (a *application) drain(server *http.Server, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(gate.Own(context.Background()), drainTimeout)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- server.Shutdown(ctx) }() // closes the listener at once
	a.hub.Close()
	err := errors.Join(a.graphql.Drain(ctx, "the server is stopping"), <-closed)
	if err != nil {
		log.Warn("some requests were cut off", "error", err)
	}
	if a.projector.State().Phase == projector.Halted {
		log.Warn("the views are not up to date, for the projector has halted")
		return
	}
	if head, err := a.head(ctx); err == nil && head > 0 {
		if _, err := a.store.Views().Await(ctx, head-1); err != nil {
			log.Warn("the views are not up to date; the next start catches up", "error", err)
		}
	}
}

// stop ends the parts and waits for them.
func (a *application) stop() {
	a.hub.Close()
	a.cancel()
	a.parts.Wait()
}

func (a *application) head(ctx context.Context) (domain.Position, error) {
	head, err := a.store.Log().Head(ctx)
	return head.Position, err
}

const (
	sweepEvery = 10 * time.Minute
	// sweepAge is the age from which a credential without an account is taken
	// for left behind; no registration is under way that long.
	sweepAge = time.Hour
)

// sweepCredentials removes, now and then, what failed registrations left.
func (a *application) sweepCredentials(ctx context.Context) error {
	exists := func(ctx context.Context, user domain.UserID) (bool, error) {
		events, err := a.store.Log().Load(ctx, domain.UserStream(user))
		return len(events) > 0, err
	}
	for tick := time.NewTicker(sweepEvery); ; {
		swept, err := auth.Sweep(ctx, a.store.Credentials(), exists, time.Now().Add(-sweepAge))
		switch {
		case ctx.Err() != nil:
			tick.Stop()
			return nil
		case err != nil:
			a.log.Warn("sweep credentials", "error", err)
		case swept > 0:
			a.log.Info("swept credentials of registrations that failed", "count", swept)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
