// Package guard decides what one request may ask. It finds and validates the
// document, coerces the variables, and limits the size and the cost of an operation
// and the rate at which a caller may call. It refuses an operation before any part
// of it is executed.
package guard

import (
	"time"

	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
)

// Config is what the guards need.
type Config struct {
	Schema *ast.Schema
	Limits Limits
	// PageSize is how many rows a page has if a request does not say.
	PageSize int
	// Introspection lets clients ask for the schema.
	Introspection bool
	// Documents are trusted: clients may name them by their documentId.
	Documents *Documents
	// DocumentsOnly refuses all other documents.
	DocumentsOnly bool
	// Prepare is called once for each document that is valid, and returns what is kept
	// with it for its execution, as request.Operation's Prepared. It should take no more
	// memory than the document. It may be nil.
	Prepare func(text string) any
	// RateLimit is the number of mutations that each caller may call per second, in
	// bursts of five seconds' worth. Operations may cost 500 times as much per
	// second. All callers at one address together get four times the rate. An
	// address may register users at a tenth of the rate. 0 is no limit.
	RateLimit float64
	// RegistrationsPerDay is how many accounts may be made from an address in a day,
	// unless there is no rate limit. IPv6 /56 networks may make twice as many, and /48
	// networks four times. 0 is no limit.
	RegistrationsPerDay int
	// Registers reports whether the input of a mutation is that of a registration.
	Registers func(input any) bool
	// Effect may be nil, which limits no effects.
	Effect Effect
}

// Use adds the guards to an executor, and returns the limiter that they share. Each
// relies on the ones before it.
func Use(e *executor.Executor, cfg Config) *Limiter {
	limits := cfg.Limits.withDefaults()
	e.SetQueryCache(foundDocuments{})
	limiter := newLimiter(cfg, time.Now)
	limiter.effects = newEffectLimiter(cfg.RateLimit, cfg.Effect, time.Now)
	e.Use(documentFinder{
		limiter: limiter, validator: newValidator(cfg.Schema, limits, cfg.Introspection), cache: newDocumentCache(),
		trusted: cfg.Documents, trustedOnly: cfg.DocumentsOnly, prepare: cfg.Prepare,
	})
	e.Use(inputCoercion{coercer{cfg.Schema, inputScalars()}})
	e.Use(costLimit{limits: limits, pageSize: cfg.PageSize, introspection: cfg.Introspection})
	schema := newIntrospection()
	e.Use(costCharge{limiter, schema})
	e.AroundOperations(limiter.carry)
	e.AroundResponses(addRemainingErrors)
	e.AroundResponses(limiter.reportCost)
	e.AroundResponses(limiter.chargeOutput)
	e.AroundResponses(schema.answer)
	e.AroundFields(limiter.limitMutation)
	return limiter
}
