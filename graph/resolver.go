// Package graph holds the resolvers of the public API, and says how its errors
// are presented. A resolver parses its arguments, makes one call into the packages
// below, and maps the result.
package graph

import (
	"context"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"

	"chirp/graph/generated"
	"chirp/graph/model"
	"chirp/graph/panics"
	"chirp/graph/plan"
	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/subscription"
)

//go:generate go tool gqlgen
//go:generate go run ./printschema ../schema ../schema.graphql

// Config is what the resolvers need.
type Config struct {
	Commands *command.Handler
	Queries  *query.Service
	Hub      *subscription.Hub
	Auth     auth.Authenticator
	// PasswordsOff refuses registrations and log-ins with a password.
	PasswordsOff bool
	// Pushes decides when subscriptions are sent their answers; nil is at once.
	Pushes Pushes
	Logger *slog.Logger
}

// Resolver holds what the resolvers share.
type Resolver struct {
	Presenter

	commands  *command.Handler
	hub       *subscription.Hub
	auth      auth.Authenticator
	snapshots *snapshots
	answers   *answers
	pushes    Pushes
	// passwords is whether users may register and log in with passwords.
	passwords bool
}

// New returns the resolvers.
func New(cfg Config) *Resolver {
	return &Resolver{
		Presenter: Presenter{cfg.Logger}, commands: cfg.Commands, hub: cfg.Hub, auth: cfg.Auth,
		snapshots: newSnapshots(cfg.Queries), answers: newAnswers(), pushes: cfg.Pushes, passwords: !cfg.PasswordsOff,
	}
}

// Executable returns the API's schema with the resolvers behind it. It executes documents
// by plans if they were prepared by plan.Prepare.
func (r *Resolver) Executable() graphql.ExecutableSchema {
	schema := generated.NewExecutableSchema(generated.Config{Schema: Schema(), Resolvers: r})
	return plan.New(schema, r, func(err error) error { return resolverError{err} })
}

// Use adds to an executor the middleware that the resolvers need around each
// operation, response and field.
func (r *Resolver) Use(e *executor.Executor) {
	e.SetErrorPresenter(r.Present)
	e.SetRecoverFunc(panics.Recovered)
	e.AroundOperations(r.aroundOperation)
	e.AroundResponses(r.aroundResponse)
	e.AroundRootFields(recoverRootField)
	e.AroundRootFields(closeAfterMutation)
	e.AroundFields(markResolverErrors)
}

// recoverRootField recovers panics of root fields, because gqlgen runs those of a
// query in goroutines of their own. It is a root field middleware.
func recoverRootField(ctx context.Context, next graphql.RootResolver) (result graphql.Marshaler) {
	defer func() {
		if v := recover(); v != nil {
			graphql.AddError(ctx, panics.Recovered(ctx, v))
			result = graphql.Null
		}
	}()
	return next(ctx)
}

// callerAndMeta returns who is calling and the metadata of a command.
func callerAndMeta(ctx context.Context, commandID *string) (domain.UserID, command.Meta, error) {
	id, err := requireCaller(ctx)
	if err != nil {
		return "", command.Meta{}, err
	}
	m, err := commandMeta(ctx, commandID)
	return id, m, err
}

// commandMeta returns the metadata of a command, from its request.
func commandMeta(ctx context.Context, commandID *string) (command.Meta, error) {
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

// requireCaller returns who is calling, or an error of kind Unauthenticated.
func requireCaller(ctx context.Context) (domain.UserID, error) {
	id, ok := auth.Caller(ctx)
	if _, outside := auth.Identity(ctx); outside && !ok {
		return "", domain.Errorf(domain.Unauthenticated, "your token is valid, but its identity has no account here; create one with registerUser, without a password")
	}
	if !ok {
		return "", domain.Errorf(domain.Unauthenticated, "this needs a token; log in and send it as Authorization: Bearer …")
	}
	return id, nil
}

// Registers reports whether a mutation's input is that of a registration.
func Registers(input any) bool {
	_, ok := input.(model.RegisterUserInput)
	return ok
}
