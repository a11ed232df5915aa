// Package graph is the public API: it serves the schema over HTTP, server-sent
// events and WebSocket. Resolvers parse, make one call into the rooms below,
// and map the answer; what they share stands beside them.
package graph

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"

	"chirp/graph/generated"
	"chirp/internal/auth"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/subscription"
)

// Config says what the API stands on. All but the first four may be zero.
type Config struct {
	Commands *command.Handler
	Queries  *query.Service
	Hub      *subscription.Hub
	Auth     auth.Authenticator

	// Introspection lets clients ask for the schema.
	Introspection bool
	// PasswordsOff refuses to register and log in with a password.
	PasswordsOff bool
	// RateLimit is how many mutations a second each caller may call, five
	// seconds' worth at once; what their operations cost is bounded by 500 times
	// as much, and log-ins and registrations get a tenth of it for each client
	// address and four tenths for each account. 0 is no limit.
	RateLimit float64
	// ClientIP gives the address that a request comes from, by default that of
	// its connection. A server behind a proxy reads it from a header that the
	// proxy sets.
	ClientIP func(*http.Request) string
	// AllowedOrigins are the sites, such as https://app.example.com, whose pages
	// may use the API besides the server's own, as ParseOrigins takes them. If
	// one of them is wrong, no other site may.
	AllowedOrigins []string
	// Documents are trusted, and clients may name them by their documentId.
	Documents *Documents
	// DocumentsOnly refuses all others.
	DocumentsOnly bool

	Limits Limits
	Logger *slog.Logger
}

// Handler serves the API.
type Handler struct {
	clientIP func(*http.Request) string
	tokens   *auth.Tokens
	exec     contained
	sockets  socketTransport
	http     httpTransport
	present  graphql.ErrorPresenterFunc
	streams  *streams
}

// New makes the API's handler.
func New(cfg Config) *Handler {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.ClientIP == nil {
		cfg.ClientIP = remoteIP
	}
	views := newViews(cfg.Queries)
	p := presenter{log: cfg.Logger}
	h := &Handler{clientIP: cfg.ClientIP, tokens: cfg.Auth.Tokens, present: p.present, streams: newStreams()}
	resolvers := &Resolver{commands: cfg.Commands, hub: cfg.Hub, auth: cfg.Auth, views: views, present: p.present, passwords: !cfg.PasswordsOff}
	h.exec = contained{newExecutor(cfg, resolvers, p), p.present}
	quotas := newQuotas(cfg.Limits)
	h.sockets = socketTransport{limits: cfg.Limits, tokens: h.tokens, streams: h.streams, quotas: quotas, origins: allowedOrigins(cfg), present: p.present}
	h.http = httpTransport{limits: cfg.Limits,
		live: live{limits: cfg.Limits, tokens: h.tokens, streams: h.streams, quotas: quotas, present: p.present}}
	return h
}

func newExecutor(cfg Config, r *Resolver, p presenter) *executor.Executor {
	types := schema()
	es := generated.NewExecutableSchema(generated.Config{Schema: types, Resolvers: r})
	s := executor.New(es)
	s.SetErrorPresenter(p.present)
	s.SetRecoverFunc(recovered)
	s.SetQueryCache(foundDocuments{})
	s.Use(documentStep{
		validator: newValidator(cfg.Limits, cfg.Introspection), kept: newCache(),
		trusted: cfg.Documents, trustedOnly: cfg.DocumentsOnly,
	})
	s.Use(inputStep{coercer{types, inputScalars()}})
	s.Use(costStep{limits: cfg.Limits, introspection: cfg.Introspection})
	throttle := newThrottle(cfg.RateLimit, time.Now)
	s.Use(charge{throttle})
	s.AroundRootFields(containRoot)
	s.AroundOperations(watchEnd)
	s.AroundResponses(addRest)
	s.AroundResponses(throttle.tellCost)
	s.AroundResponses(r.respond)
	s.AroundRootFields(afterMutation)
	s.AroundFields(markFaults)
	s.AroundFields(throttle.field)
	return s
}

// ServeHTTP implements http.Handler. A caller whose token is not good is told
// so and never served as an anonymous one. Sockets bring their token later.
func (h *Handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &answerWriter{ResponseWriter: rw}
	defer func() {
		if v := recover(); v != nil {
			h.contain(w, r, v)
		}
	}()
	c, err := newCall(r, h.clientIP)
	w.Header().Set(requestIDHeader, c.id)
	ctx := withCall(r.Context(), c)
	if n := len(r.Header.Values("Authorization")); err == nil && n > 1 {
		err = domain.Errorf(domain.Unauthenticated, "the request has the header Authorization %d times", n)
	}
	if err == nil && !asksForSocket(r) {
		ctx, err = auth.Authenticate(ctx, h.tokens, r.Header.Get("Authorization"))
	}
	if err != nil {
		Refuse(w, r, &domain.Error{Kind: domain.KindOf(err), Msg: h.present(ctx, fault{err}).Message})
		return
	}
	r = r.WithContext(graphql.StartOperationTrace(ctx))
	if asksForSocket(r) {
		h.sockets.serve(w, r, h.exec)
		return
	}
	h.http.serve(w, r, h.exec)
}

// Drain closes every socket with code 1001 and a reason, ends every event
// stream with an error, refuses new ones, and waits until they are gone or ctx
// ends. Plain requests are still served.
func (h *Handler) Drain(ctx context.Context, reason string) error {
	return h.streams.drain(ctx, reason)
}
