// Package transport serves the API over HTTP: in one JSON document, or in a
// stream of server-sent events or multipart parts. Its subpackage ws serves it
// over WebSocket. What an operation means is its executor's affair.
package transport

import (
	"net/http"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/auth"
)

// Config says what the transports stand on.
type Config struct {
	Executor graphql.GraphExecutor
	Present  graphql.ErrorPresenterFunc // returns what a client is told of an error
	Tokens   *auth.Tokens
	Limits   Limits
}

// Service is what the transports share: how they execute operations and present
// errors, and the connections that are open.
type Service struct {
	Config
	*connections
	quotas
}

// NewService makes a service. No panic comes out of its Executor.
func NewService(cfg Config) *Service {
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.Executor = safeExecutor{cfg.Executor, cfg.Present}
	return &Service{Config: cfg, connections: newConnections(), quotas: newQuotas(cfg.Limits)}
}

// Refuse answers a request as the function Refuse does.
func (s *Service) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	Refuse(w, r, s.Present, err)
}
