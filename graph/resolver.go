package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/subscription"
)

//go:generate go tool gqlgen
//go:generate go run ./printschema ../schema ../schema.graphql

// Resolver holds what the resolvers share.
type Resolver struct {
	commands *command.Handler
	hub      *subscription.Hub
	auth     auth.Authenticator
	views    *views
	present  graphql.ErrorPresenterFunc
	// passwords lets users register and log in with passwords.
	passwords bool
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
