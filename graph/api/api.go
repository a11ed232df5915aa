// Package api assembles the public API from its parts, which do not know each other:
// the resolvers of package graph, the guards of package guard, and the transports of
// package transport and package ws.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/99designs/gqlgen/graphql/executor"

	"chirp/graph"
	"chirp/graph/guard"
	"chirp/graph/plan"
	"chirp/graph/request"
	"chirp/graph/transport"
	"chirp/graph/transport/ws"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/gate"
	"chirp/internal/query"
	"chirp/internal/subscription"
)

// Config is what the API needs. All fields but the first four may be zero.
type Config struct {
	Commands *command.Handler
	Queries  *query.Service
	Hub      *subscription.Hub
	Auth     auth.Authenticator

	// PasswordsOff refuses registrations and log-ins with a password.
	PasswordsOff bool
	// ClientIP returns the address that a request comes from. The default is that of
	// the connection; see transport.ForwardedIP for a server behind proxies.
	ClientIP func(*http.Request) string
	// Origins are the sites other than the server's own whose pages may open a
	// socket.
	Origins *transport.Origins

	// Guard bounds what one request may ask. New sets Schema, PageSize, Registers,
	// Effect and Prepare.
	// Without a rate limit, wrong passwords are not counted either.
	Guard guard.Config
	// Transport bounds what one client may send and keep open.
	Transport transport.Limits

	Logger *slog.Logger
}

// appending is how many mutations for each processor wait for the log without places
// among the operations that are executed. They are committed together, and use no
// processor meanwhile.
const appending = 64

// awayToAppend returns how mutations wait for the log. Those of one address leave room for
// others.
func awayToAppend() func(context.Context, func()) {
	places := appending * runtime.GOMAXPROCS(0)
	g := gate.NewLimited("appends", gate.Limits{Places: places, PlacesPerKey: places * 3 / 4})
	return request.AwayInside(func(ctx context.Context) (leave func(), ok bool) { return g.TryEnter(ctx, guard.Keys(ctx)...) })
}

// New returns the API's handler.
func New(cfg Config) *transport.Handler {
	handler, _ := build(cfg)
	return handler
}

// build returns the API's handler and its executor.
func build(cfg Config) (*transport.Handler, *executor.Executor) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.ClientIP == nil {
		cfg.ClientIP = transport.ForwardedIP(nil)
	}
	if cfg.Origins == nil {
		cfg.Origins = &transport.Origins{}
	}
	if cfg.Guard.RateLimit > 0 {
		cfg.Auth.Guesses = auth.NewGuesses(time.Now)
	}
	pushes := &pushes{}
	cfg.Auth.Passwords.Aside = request.Away
	cfg.Commands.Away = awayToAppend()
	resolver := graph.New(graph.Config{
		Commands: cfg.Commands, Queries: cfg.Queries, Hub: cfg.Hub, Auth: cfg.Auth,
		PasswordsOff: cfg.PasswordsOff, Pushes: pushes, Logger: cfg.Logger,
	})
	schema := resolver.Executable()
	exec := executor.New(schema)
	cfg.Guard.Schema, cfg.Guard.PageSize, cfg.Guard.Registers = schema.Schema(), query.Page{}.Size(), graph.Registers
	cfg.Guard.Effect, cfg.Guard.Prepare = resolver.Effect, plan.Prepare
	limiter := guard.Use(exec, cfg.Guard)
	resolver.Use(exec)
	service := transport.NewService(transport.Config{
		Executor: exec, Present: resolver.Present, Tokens: cfg.Auth.Tokens, Limiter: limiter, Limits: cfg.Transport,
	})
	pushes.limiter, pushes.service = limiter, service
	return transport.NewHandler(service, cfg.ClientIP, ws.New(service, cfg.Origins)), exec
}

// Refuse refuses a request for the API, for use while there is no handler. It writes
// an error's message and the code of its kind in a media type that the request
// accepts.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	transport.Refuse(w, r, graph.Presenter{Log: slog.New(slog.DiscardHandler)}.Present, err)
}
