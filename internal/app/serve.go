// Package app runs a server on a store: it opens the store, wires what runs on
// it, reports its health, and stops it gracefully. It knows no kind of store.
package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"chirp/graph/transport"
	"chirp/internal/app/httpserver"
	"chirp/internal/domain"
	"chirp/internal/outage"
)

// firstPause is the pause before a store is opened again for the first time.
const firstPause = 500 * time.Millisecond

// Serve serves until ctx ends, and then stops gracefully: it accepts no more
// connections, finishes the requests under way, closes the sockets with a
// reason, lets the projector reach the end of the log, and closes the store. It
// listens before it opens the store, so that probes are answered while it waits
// for one that cannot be reached (kind Unavailable); any other error of open
// ends it.
func Serve(ctx context.Context, cfg Config, open func(context.Context) (Storage, error), log *slog.Logger) error {
	if cfg.Origins == nil {
		cfg.Origins = &transport.Origins{}
	}
	mux := httpserver.NewMux(log, cfg.Origins)
	if err := mux.ServePages(cfg.Guard.Introspection); err != nil {
		return err
	}
	listeners, err := listen(ctx, cfg, log)
	if err != nil {
		return err
	}
	hosts := httpserver.Hosts{Public: cfg.PublicHosts, Origins: cfg.Origins, Proxies: cfg.TrustedProxies}
	mux.AnswerTo(hosts.At(listeners.public.Addr(), log))
	limits := withinFiles(cfg.HTTP, mostFiles(), log)
	crowd := httpserver.NewCrowd(limits, cfg.TrustedProxies, log)
	mux.Count(crowd)
	s := &server{cfg: cfg, open: open, log: log, mux: mux, crowd: crowd, http: httpserver.New(mux, limits, log), home: homeURL(listeners.public.Addr())}
	s.logOpening(listeners)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, failed := errgroup.WithContext(serving)
	g.Go(func() error { return serveHTTP(s.http, httpserver.Listener{Listener: listeners.public, Crowd: crowd}) })
	ops := httpserver.New(nil, limits, log)
	if l := listeners.ops; l != nil {
		ops.Handler = mux.Ops(hosts.At(l.Addr(), log))
		few := httpserver.NewCrowd(httpserver.Limits{Connections: opsConnections, ConnectionsPerAddress: opsConnections}, nil, log)
		g.Go(func() error { return serveHTTP(ops, httpserver.Listener{Listener: l, Crowd: few}) })
	}
	err = s.serve(ctx, failed)
	s.http.Close()
	ops.Close() // last: it also reports the stop
	return errors.Join(err, g.Wait())
}

// serveHTTP serves a listener until the server is closed.
func serveHTTP(server *http.Server, listener httpserver.Listener) error {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// homeURL returns the URL of the web client for a browser on this machine.
func homeURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return "http://localhost:" + port + "/"
	}
	return "http://" + addr.String() + "/"
}

// server is a server that listens.
type server struct {
	cfg   Config
	open  func(context.Context) (Storage, error)
	log   *slog.Logger
	mux   *httpserver.Mux
	http  *http.Server
	crowd *httpserver.Crowd
	home  string // the URL of the web client
}

// serve opens the store, and runs the app on it until ctx or failed ends or a
// part of the app fails.
func (s *server) serve(ctx, failed context.Context) error {
	opening, cancel := context.WithCancel(failed)
	defer context.AfterFunc(ctx, cancel)()
	defer cancel()
	store, app, err := s.openApp(opening)
	if err != nil || app == nil {
		return err
	}
	s.mux.Serve(app.backend())
	s.logListening()
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
		s.mux.Drain()
		app.drain(s.http)
	case <-failed.Done():
	case <-app.failed.Done():
		err = context.Cause(app.failed)
	}
	app.stop()
	return errors.Join(err, store.Close())
}

// logOpening logs where to ask about the server while its store is not open.
func (s *server) logOpening(l listeners) {
	attrs := []any{"probe", s.home + "readyz"}
	if l.ops != nil {
		attrs = append(attrs, "ops", homeURL(l.ops.Addr()))
	}
	s.log.Info("opening the store; until then only probes are answered", attrs...)
}

// logListening logs the server's addresses, once it holds the store.
func (s *server) logListening() {
	attrs := []any{"url", s.home + "graphql", "page", s.home}
	if s.cfg.Guard.Introspection {
		attrs = append(attrs, "graphiql", s.home+"graphiql")
	}
	s.log.Info("listening", attrs...)
}

// openApp opens the store and starts the app on it. It opens a store again that
// is lost meanwhile. If ctx ends, it returns neither a store nor an error.
func (s *server) openApp(ctx context.Context) (Storage, *app, error) {
	for lost := new(outage.Outage); ; {
		store, err := s.openStore(ctx)
		if err != nil || store == nil {
			return nil, nil, err
		}
		app, err := startApp(ctx, s.cfg, store, s.crowd, s.log)
		if err == nil {
			return store, app, nil
		}
		err = errors.Join(err, store.Close())
		switch {
		case ctx.Err() != nil:
			return nil, nil, nil
		case domain.KindOf(err) != domain.Unavailable:
			return nil, nil, err
		}
		tries := lost.Failed(s.log, "the store was lost at the start, trying again", err)
		s.mux.WaitingFor(err)
		outage.Pause(ctx, outage.Delay(firstPause, tries))
	}
}

// openStore opens the store, again until it can be reached. If ctx ends, it
// returns neither a store nor an error.
func (s *server) openStore(ctx context.Context) (Storage, error) {
	for away := new(outage.Outage); ; {
		store, err := s.open(ctx)
		if err == nil {
			return store, nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if domain.KindOf(err) != domain.Unavailable {
			return nil, err
		}
		tries := away.Failed(s.log, "the store cannot be reached, trying again", err)
		s.mux.WaitingFor(err)
		outage.Pause(ctx, outage.Delay(firstPause, tries))
	}
}
