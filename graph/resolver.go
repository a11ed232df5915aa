package graph

import (
	"context"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"

	"chirp/graph/generated"
	"chirp/graph/model"
	"chirp/graph/panics"
	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/subscription"
)

//go:generate go tool gqlgen
//go:generate go run ./printschema ../schema ../schema.graphql

// Config says what the resolvers stand on.
type Config struct {
	Commands *command.Handler
	Queries  *query.Service
	Hub      *subscription.Hub
	Auth     auth.Authenticator
	// PasswordsOff refuses to register and log in with a password.
	PasswordsOff bool
	Logger       *slog.Logger
}

// Resolver holds what the resolvers share.
type Resolver struct {
	Presenter

	commands *command.Handler
	hub      *subscription.Hub
	auth     auth.Authenticator
	views    *views
	// passwords lets users register and log in with passwords.
	passwords bool
}

// New makes the resolvers.
func New(cfg Config) *Resolver {
	return &Resolver{
		Presenter: Presenter{cfg.Logger}, commands: cfg.Commands, hub: cfg.Hub, auth: cfg.Auth,
		views: newViews(cfg.Queries), passwords: !cfg.PasswordsOff,
	}
}

// Executable returns the API's schema with the resolvers behind it.
func (r *Resolver) Executable() graphql.ExecutableSchema {
	return generated.NewExecutableSchema(generated.Config{Schema: Schema(), Resolvers: r})
}

// Use puts into an executor what the resolvers need round each operation,
// response and field.
func (r *Resolver) Use(e *executor.Executor) {
	e.SetErrorPresenter(r.Present)
	e.SetRecoverFunc(panics.Recovered)
	e.AroundOperations(watchEnd)
	e.AroundResponses(r.respond)
	e.AroundRootFields(containRoot)
	e.AroundRootFields(afterMutation)
	e.AroundFields(markFaults)
}

// containRoot is a root field middleware around all others: queries run them in
// goroutines that nothing else guards.
func containRoot(ctx context.Context, next graphql.RootResolver) (result graphql.Marshaler) {
	defer func() {
		if v := recover(); v != nil {
			graphql.AddError(ctx, panics.Recovered(ctx, v))
			result = graphql.Null
		}
	}()
	return next(ctx)
}

// acting gives who is calling and what every command carries.
func acting(ctx context.Context, commandID *string) (domain.UserID, command.Meta, error) {
	id, err := caller(ctx)
	if err != nil {
		return "", command.Meta{}, err
	}
	m, err := meta(ctx, commandID)
	return id, m, err
}

// meta is what every command carries of the request.
func meta(ctx context.Context, commandID *string) (command.Meta, error) {
	from := request.From(ctx)
	m := command.Meta{CorrelationID: from.ID, TraceID: from.TraceID}
	if commandID == nil {
		return m, nil
	}
	if *commandID == "" {
		return m, domain.Errorf(domain.Invalid, "commandId is empty; leave it out, or give it 1 to 64 printable characters")
	}
	m.CommandID = *commandID
	return m, nil
}

// caller gives who is calling, or an error of kind Unauthenticated.
func caller(ctx context.Context) (domain.UserID, error) {
	id, ok := auth.Caller(ctx)
	if _, outside := auth.Identity(ctx); outside && !ok {
		return "", domain.Errorf(domain.Unauthenticated, "your token is good, but its identity has no account here; make one with registerUser, without a password")
	}
	if !ok {
		return "", domain.Errorf(domain.Unauthenticated, "this needs a token; log in and send it as Authorization: Bearer …")
	}
	return id, nil
}

// Account returns the name of the account whose password a mutation's input is
// for. It is false for any other input.
func Account(input any) (username string, ok bool) {
	switch input := input.(type) {
	case model.RegisterUserInput:
		return input.Username, true
	case model.LogInInput:
		return input.Username, true
	default:
		return "", false
	}
}
