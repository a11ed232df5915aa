// Package api puts the public API together: what it means, from package graph;
// what one request may ask, from package guard; and how it is served, from
// package transport and its ws. Nothing else knows more than one of them.
package api

import (
	"log/slog"
	"net/http"

	"github.com/99designs/gqlgen/graphql/executor"

	"chirp/graph"
	"chirp/graph/guard"
	"chirp/graph/transport"
	"chirp/graph/transport/ws"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/query"
	"chirp/internal/subscription"
)

// Config says what the API stands on. All but the first four may be zero.
type Config struct {
	Commands *command.Handler
	Queries  *query.Service
	Hub      *subscription.Hub
	Auth     auth.Authenticator

	// PasswordsOff refuses to register and log in with a password.
	PasswordsOff bool
	// ClientIP returns the address that a request comes from, by default that of
	// its connection. A server behind a proxy reads it from a header that the
	// proxy sets.
	ClientIP func(*http.Request) string
	// Origins are the sites whose pages may open a socket besides the server's
	// own.
	Origins *transport.Origins

	// Guard bounds what one request may ask. What only the API knows is filled in:
	// Schema, PageSize and Account.
	Guard guard.Config
	// Transport bounds what one client can send and keep open.
	Transport transport.Limits

	Logger *slog.Logger
}

// New makes the API's handler.
func New(cfg Config) *transport.Handler {
	handler, _ := build(cfg)
	return handler
}

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
	resolver := graph.New(graph.Config{
		Commands: cfg.Commands, Queries: cfg.Queries, Hub: cfg.Hub, Auth: cfg.Auth,
		PasswordsOff: cfg.PasswordsOff, Logger: cfg.Logger,
	})
	schema := resolver.Executable()
	exec := executor.New(schema)
	cfg.Guard.Schema, cfg.Guard.PageSize, cfg.Guard.Account = schema.Schema(), query.Page{}.Size(), graph.Account
	guard.Use(exec, cfg.Guard)
	resolver.Use(exec)
	service := transport.NewService(transport.Config{
		Executor: exec, Present: resolver.Present, Tokens: cfg.Auth.Tokens, Limits: cfg.Transport,
	})
	return transport.NewHandler(service, cfg.ClientIP, ws.New(service, cfg.Origins)), exec
}

// Refuse answers a request for the API while there is none, with an error's
// message and the code of its kind, in the media type that the request accepts.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	transport.Refuse(w, r, graph.Presenter{Log: slog.New(slog.DiscardHandler)}.Present, err)
}
