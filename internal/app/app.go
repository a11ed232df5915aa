package app

import (
	"context"
	"crypto/rand"
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

	"chirp/graph/api"
	"chirp/graph/guard"
	"chirp/graph/request"
	"chirp/graph/transport"
	"chirp/internal/app/health"
	"chirp/internal/app/httpserver"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/demo"
	"chirp/internal/domain"
	"chirp/internal/gate"
	"chirp/internal/projector"
	"chirp/internal/query"
	"chirp/internal/subscription"
)

// app is everything that runs on an open store.
type app struct {
	store     Storage
	projector *projector.Projector
	hub       *subscription.Hub
	queries   *query.Service
	graphql   *transport.Handler
	metrics   *prometheus.Registry
	passwords *auth.Passwords
	sessions  *auth.Sessions
	lag       health.Lag
	writes    *health.Writes
	issuer    *auth.Issuer  // nil without an OpenID Connect issuer
	demo      *demo.Network // nil without the demo
	log       *slog.Logger

	// failed ends, with a cause, when one of the parts cannot go on.
	failed context.Context
	cancel context.CancelFunc
	parts  sync.WaitGroup
}

// startApp builds the parts on a store and starts them. ctx bounds the start
// alone; stop ends the parts.
func startApp(ctx context.Context, cfg Config, store Storage, crowd *httpserver.Crowd, log *slog.Logger) (*app, error) {
	secret, err := tokenSecret(ctx, cfg, store.Credentials())
	if err != nil {
		return nil, fmt.Errorf("token secret: %w", err)
	}
	tokens, err := auth.NewTokens(secret, time.Now)
	if err != nil {
		return nil, err
	}
	a := &app{store: store, log: log, metrics: prometheus.NewRegistry(), writes: health.NewWrites(store.TryWrite, log)}
	a.queries = &query.Service{Views: store.Views(), Head: a.head, Hashes: store.Log().Hashes, Consult: guard.Consult, Read: guard.ChargeRows, Away: request.Away,
		Cache: query.NewCache(cfg.CacheBytes)}
	a.projector = projector.New(projector.Config{
		Log: store.Log(), Views: store.Views(), Threshold: cfg.CelebrityThreshold,
		Holder: holder(), Logger: log,
	})
	a.hub = subscription.New(subscription.Config{Log: store.Log(), Views: store.Views(), Queries: a.queries, Logger: log, Keys: guard.Keys})
	commands := &command.Handler{Events: a.writes.Log(store.Log()), Now: time.Now, NewID: newID}
	if cfg.OIDCIssuer != "" {
		a.issuer = auth.NewIssuer(auth.IssuerConfig{URL: cfg.OIDCIssuer, Audience: cfg.OIDCAudience, Logger: log})
		tokens.Trust(a.issuer, commands.FindIdentity)
	}
	a.passwords = auth.NewPasswords(runtime.GOMAXPROCS(0) / 2)
	credentials := a.writes.Credentials(store.Credentials())
	a.sessions = auth.NewSessions(credentials, tokens, log)
	authenticator := auth.Authenticator{Credentials: credentials, Passwords: a.passwords, Tokens: tokens, Sessions: a.sessions}
	commands.SaveCredential = authenticator.Save
	a.graphql = api.New(api.Config{
		Commands: commands, Queries: a.queries, Hub: a.hub, Auth: authenticator, Logger: log,
		PasswordsOff: !cfg.LocalPasswords, ClientIP: transport.ForwardedIP(cfg.TrustedProxies), Origins: cfg.Origins,
		Guard: cfg.Guard, Transport: cfg.Transport,
	})
	if cfg.Demo {
		if a.demo, err = startDemo(ctx, commands, authenticator, log); err != nil {
			return nil, err
		}
	}
	a.registerMetrics(cfg.CelebrityThreshold, crowd)
	a.start()
	return a, nil
}

// tokenSecret returns what signs tokens: the config's secret, or the store's
// own.
func tokenSecret(ctx context.Context, cfg Config, credentials auth.Credentials) ([]byte, error) {
	if cfg.TokenSecret != "" {
		return []byte(cfg.TokenSecret), nil
	}
	proposed := make([]byte, 32)
	if _, err := rand.Read(proposed); err != nil {
		return nil, err
	}
	return credentials.Secret(ctx, proposed)
}

// newID returns a UUID of version 7: ids sort by the time they were made.
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

// backend returns what the mux serves.
func (a *app) backend() httpserver.Backend {
	return httpserver.Backend{GraphQL: a.graphql, Metrics: a.metrics, Unready: a.unready, Notices: a.store.Notices}
}

// start runs the parts, each in a goroutine of its own.
func (a *app) start() {
	running, cancel := context.WithCancel(gate.Own(context.Background()))
	failed, fail := context.WithCancelCause(running)
	a.failed, a.cancel = failed, cancel
	run := func(name string, part func(context.Context) error) {
		a.parts.Go(func() {
			if err := part(running); err != nil && running.Err() == nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	run("projector", a.projector.Run)
	run("live hub", a.hub.Run)
	if a.issuer != nil {
		run("OpenID Connect issuer", a.issuer.Run)
	}
	if a.demo != nil {
		run("demo", a.demo.Run)
	}
	run("sessions", a.sessions.Run)
	run("credential sweep", a.sweepCredentials)
	run("old views", a.dropOldViews)
	run("write health", a.writes.Run)
	run("lag health", func(ctx context.Context) error { return a.lag.Run(ctx, a.head, a.viewsPosition) })
}

// drainTimeout bounds a graceful stop.
const drainTimeout = 10 * time.Second

// drain ends what is under way: it closes subscriptions and sockets with a
// reason, lets requests finish, and then the projector reach the end of the log.
func (a *app) drain(server *http.Server) {
	ctx, cancel := context.WithTimeout(gate.Own(context.Background()), drainTimeout)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- server.Shutdown(ctx) }() // closes the listener at once
	a.hub.Close()
	err := errors.Join(a.graphql.Drain(ctx, "the server is stopping"), <-closed)
	if err != nil {
		a.log.Warn("some requests were cut off", "error", err)
	}
	if a.projector.State().Phase == projector.Halted {
		a.log.Warn("the views are not up to date, because the projector has halted")
		return
	}
	if a.projector.State().Building != nil {
		a.log.Warn("the views are not up to date, because others are being built; the next start continues building them")
		return
	}
	if head, err := a.head(ctx); err == nil && head > 0 {
		if _, err := a.store.Views().Await(ctx, head-1); err != nil {
			a.log.Warn("the views are not up to date; the next start catches up", "error", err)
		}
	}
}

// stop ends the parts and waits for them.
func (a *app) stop() {
	a.hub.Close()
	a.cancel()
	a.parts.Wait()
}

// head returns the position of the log's last event.
func (a *app) head(ctx context.Context) (domain.Position, error) {
	head, err := a.store.Log().Head(ctx)
	return head.Position, err
}

// viewsPosition returns the position of the views, as the projector last knew
// it.
func (a *app) viewsPosition() domain.Position { return a.projector.State().Position }
