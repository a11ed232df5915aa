// Package app runs the server on an open store.
package app

import (
	"context"

	"chirp/internal/auth"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/readmodel"
)

// Storage is what runs on one store of either kind.
type Storage interface {
	Log() eventstore.Log
	Views() readmodel.Store
	Credentials() auth.Credentials
	// Gates returns the numbers of the gates at which callers wait for a
	// connection, always the same ones.
	Gates() []gate.Stats
	// Problems returns the reasons why the store must not be trusted or cannot
	// be written now, one a line of /readyz. It returns what the store found
	// when it last looked, without waiting for it.
	Problems() []string
	// Notices returns what an operator should mend although everything is
	// served, one a line, in the same way.
	Notices() []string
	// TryWrite writes to the log what nobody will see, to learn whether it takes
	// appends.
	TryWrite(ctx context.Context) error
	Close() error
}
