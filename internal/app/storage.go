package app

import (
	"context"

	"chirp/internal/auth"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/readmodel"
)

// Storage is an open store of either kind.
type Storage interface {
	Log() eventstore.Log
	Views() readmodel.Store
	Credentials() auth.Credentials
	// Gates returns the numbers of the gates at which callers wait for a
	// connection, always of the same gates in the same order.
	Gates() []gate.Stats
	// Problems returns the reasons why the store must not be trusted or cannot
	// be written now, each a line of /readyz: what the store found when it last
	// looked, without waiting for it.
	Problems() []string
	// Notices returns what an operator should fix although everything is
	// served, also without waiting.
	Notices() []string
	// TryWrite writes to the log what no reader sees, to learn whether it takes
	// appends.
	TryWrite(ctx context.Context) error
	Close() error
}
