// Chirp is a self-hosted social-feed server: a GraphQL API with live
// subscriptions over an event log, on MongoDB or on an embedded store.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"chirp/graph/transport"
	"chirp/internal/app"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb"
	"chirp/internal/storage/sqlite"
)

func main() {
	cfg, err := parseConfig(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, errHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "chirp:", err)
		os.Exit(2)
	case cfg.command == "version":
		fmt.Println("chirp", version())
		return
	}
	takeFileSizeAsError()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	command := run
	switch cfg.command {
	case "verify":
		command = func(ctx context.Context, cfg config, log *slog.Logger) error {
			return verifyViews(ctx, cfg, os.Stdout, newProgressLine(os.Stderr), log)
		}
	case "rebuild":
		command = func(ctx context.Context, cfg config, log *slog.Logger) error {
			return rebuildViews(ctx, cfg, os.Stdout, newRebuildBar(os.Stderr), log)
		}
	case "export":
		command = func(ctx context.Context, cfg config, log *slog.Logger) error {
			return exportLog(ctx, cfg, os.Stdout, newTransferBar(os.Stderr), log)
		}
	case "import":
		command = func(ctx context.Context, cfg config, log *slog.Logger) error {
			return importLog(ctx, cfg, os.Stdin, newTransferBar(os.Stderr), log)
		}
	}
	if err := command(ctx, cfg, cfg.logger(os.Stderr)); err != nil {
		fmt.Fprintln(os.Stderr, "chirp:", err)
		if errors.Is(err, errInterrupted) {
			os.Exit(exitInterrupted)
		}
		os.Exit(1)
	}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// newServer makes the HTTP server of a handler, for a readable listener. Every
// request goes to the handler, because a connection learns from it that somebody
// has the request.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ConnContext: withConnection, ConnState: betweenRequests, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
}

// drainTimeout bounds each step of a graceful stop.
const drainTimeout = 10 * time.Second

// run serves until ctx ends, then stops gracefully: it stops accepting,
// finishes what is under way, closes the sockets with a reason, lets the
// projector reach the end of the log, and closes the store. It listens before
// the store is open, so that probes are answered while a store is waited for.
func run(ctx context.Context, cfg config, log *slog.Logger) error {
	listener, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Addr, err)
	}
	origins, err := transport.ParseOrigins(cfg.AllowedOrigins)
	if err != nil {
		return errors.Join(fmt.Errorf("--allowed-origins: %w", err), listener.Close())
	}
	front := newFront(log, origins)
	if err := front.pages(cfg.Introspection); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := newServer(front, log)
	cfg.home = homePage(listener.Addr())
	log.Info("opening the store; until then only probes are answered", "probe", cfg.home+"readyz")
	if cfg.listening != nil {
		cfg.listening(listener.Addr())
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, failed := errgroup.WithContext(serving)
	g.Go(func() error {
		if err := server.Serve(readable{listener}); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	err = serve(ctx, failed, cfg, front, server, log)
	server.Close()
	return errors.Join(err, g.Wait())
}

// homePage returns the URL at which a browser on this machine has the client.
func homePage(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return "http://localhost:" + port + "/"
	}
	return "http://" + addr.String() + "/"
}

// announce says where the server is, now that it holds the store and serves.
func announce(cfg config, log *slog.Logger) {
	attrs := []any{"url", cfg.home + "graphql", "page", cfg.home}
	if cfg.Introspection {
		attrs = append(attrs, "graphiql", cfg.home+"graphiql")
	}
	log.Info("listening", attrs...)
}

// serve opens the store, runs everything on it until ctx ends or something
// fails, and drains.
func serve(ctx, failed context.Context, cfg config, front *front, server *http.Server, log *slog.Logger) error {
	opening, cancel := context.WithCancel(failed)
	defer context.AfterFunc(ctx, cancel)()
	defer cancel()
	var err error
	if cfg.documents, err = cfg.Limits.documents(log); err != nil {
		return err
	}
	store, app, err := openApp(opening, cfg, front, log)
	if err != nil || app == nil {
		return err
	}
	front.serve(app)
	announce(cfg, log)
	select {
	case <-ctx.Done():
		log.Info("stopping")
		front.drain()
		app.drain(server, log)
	case <-failed.Done():
	case <-app.failed.Done():
		err = context.Cause(app.failed)
	}
	app.stop()
	return errors.Join(err, store.Close())
}

// openApp opens the store of the config and starts everything on it. A store
// that is lost again meanwhile is opened anew; once ctx has ended there is
// neither store nor error.
func openApp(ctx context.Context, cfg config, front *front, log *slog.Logger) (app.Storage, *application, error) {
	for lost := new(outage.Outage); ; {
		store, err := openStore(ctx, cfg, front, log)
		if err != nil || store == nil {
			return nil, nil, err
		}
		app, err := startApp(ctx, cfg, store, log)
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
		tries := lost.Failed(log, "the store was lost at the start, trying again", err)
		front.waitingFor(err)
		rest(ctx, tries)
	}
}

// rest waits after a number of failed attempts, or until ctx ends.
func rest(ctx context.Context, tries int) {
	select {
	case <-ctx.Done():
	case <-time.After(outage.Delay(500*time.Millisecond, tries)):
	}
}

// openStore opens the store of the config. One that cannot be reached is tried
// again until ctx ends (then there is neither store nor error); one that
// answers but cannot be used is an error.
func openStore(ctx context.Context, cfg config, front *front, log *slog.Logger) (app.Storage, error) {
	for away := new(outage.Outage); ; {
		store, err := openOnce(ctx, cfg, log)
		if err == nil {
			return store, nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if domain.KindOf(err) != domain.Unavailable {
			return nil, err
		}
		tries := away.Failed(log, "the store cannot be reached, trying again", err)
		front.waitingFor(err)
		rest(ctx, tries)
	}
}

// openOnce opens the store of the config. The server, or an import, has its
// folder to itself but for commands that look on.
func openOnce(ctx context.Context, cfg config, log *slog.Logger) (app.Storage, error) {
	if cfg.MongodbURI != "" {
		store, err := mongodb.Open(ctx, cfg.MongodbURI, cfg.MongodbDatabase, mongodb.Options{
			Log: log, Import: cfg.command == "import", Existing: cfg.command == "rebuild",
			ReadOnly: cfg.command == "verify" || cfg.command == "export",
		})
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	store, err := sqlite.Open(ctx, cfg.Data, sqlite.Options{
		Exclusive: cfg.command == "serve" || cfg.command == "import", ReadOnly: cfg.command == "verify" || cfg.command == "export",
		Existing: cfg.command == "rebuild", Log: log,
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// tokenSecret is what signs tokens: the one of the config, or the store's own.
func tokenSecret(ctx context.Context, cfg config, credentials auth.Credentials) ([]byte, error) {
	if cfg.TokenSecret != "" {
		return []byte(cfg.TokenSecret), nil
	}
	proposed := make([]byte, 32)
	if _, err := rand.Read(proposed); err != nil {
		return nil, err
	}
	return credentials.Secret(ctx, proposed)
}
