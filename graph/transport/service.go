// Package transport serves the API over HTTP, in one JSON document or in a stream of
// server-sent events or multipart parts. Package ws below it serves WebSocket.
// Neither knows the schema: an executor executes the operations.
package transport

import (
	"net/http"

	"github.com/99designs/gqlgen/graphql"

	"chirp/graph/guard"
	"chirp/internal/auth"
)

// Config is what the transports need.
type Config struct {
	Executor graphql.GraphExecutor
	Present  graphql.ErrorPresenterFunc // returns what the client sees of an error
	Tokens   *auth.Tokens
	Limiter  *guard.Limiter
	Limits   Limits
}

// Service is what the transports share: their configuration, the connections that
// are open, and the work that is done.
type Service struct {
	Config
	*connections
	quotas
	admission
	subscriptionQuotas
}

// NewService returns a service. Its Executor does not panic.
func NewService(cfg Config) *Service {
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.Executor = safeExecutor{cfg.Executor, cfg.Present}
	return &Service{
		Config: cfg, connections: newConnections(), quotas: newQuotas(cfg.Limits),
		admission: newAdmission(cfg.Limits), subscriptionQuotas: newSubscriptionQuotas(cfg.Limits),
	}
}

// Refuse is the function Refuse with the service's Present.
func (s *Service) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	Refuse(w, r, s.Present, err)
}
