// Package guard bounds what one request may ask: which documents and variables
// are valid, how large and how dear an operation may be, and how often a caller
// may call. It refuses an operation before anything of it is executed.
package guard

import (
	"time"

	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
)

// Config says what the guards stand on.
type Config struct {
	Schema *ast.Schema
	Limits Limits
	// PageSize is how many rows a page has for which a request names no number.
	PageSize int
	// Introspection lets clients ask for the schema.
	Introspection bool
	// Documents are trusted, and clients may name them by their documentId.
	Documents *Documents
	// DocumentsOnly refuses all others.
	DocumentsOnly bool
	// RateLimit is how many mutations a second each caller may call, five
	// seconds' worth at once; what their operations cost is bounded by 500 times
	// as much, and log-ins and registrations get a tenth of it for each client
	// address and four tenths for each account. 0 is no limit.
	RateLimit float64
	// Account returns the name of the account whose password the input of a
	// mutation is for. It is false for any other input.
	Account func(input any) (username string, ok bool)
}

// Use puts the guards into an executor, in the order in which each can rely on
// the one before.
func Use(e *executor.Executor, cfg Config) {
	limits := cfg.Limits.withDefaults()
	e.SetQueryCache(foundDocuments{})
	e.Use(documentStep{
		validator: newValidator(cfg.Schema, limits, cfg.Introspection), kept: newCache(),
		trusted: cfg.Documents, trustedOnly: cfg.DocumentsOnly,
	})
	e.Use(inputStep{coercer{cfg.Schema, inputScalars()}})
	e.Use(costStep{limits: limits, pageSize: cfg.PageSize, introspection: cfg.Introspection})
	throttle := newThrottle(cfg.RateLimit, cfg.Account, time.Now)
	e.Use(charge{throttle})
	e.AroundResponses(addRest)
	e.AroundResponses(throttle.tellCost)
	e.AroundFields(throttle.field)
}
