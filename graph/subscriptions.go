package graph

import (
	"bytes"
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/panics"
	"chirp/graph/request"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/outage"
)

// Pushes decides when subscriptions are sent their answers.
type Pushes interface {
	// Began charges for a subscription that has begun, by what it holds.
	Began(ctx context.Context)
	// Wait waits until the caller of the operation in ctx has paid for another answer.
	// It returns an error only if ctx ends.
	Wait(ctx context.Context) error
	// Pay pays for another answer if that takes no waiting, and reports whether it did.
	Pay(ctx context.Context) bool
	// Payer names who pays for the operation in ctx and takes its turns.
	Payer(ctx context.Context) string
	// Turn waits until an answer may be computed, which must end with a call of end.
	Turn(ctx context.Context) (inTurn context.Context, end func(), err error)
	// Room waits until the client has read enough for another answer to be kept for it.
	// It returns an error only if ctx ends.
	Room(ctx context.Context) error
	// Copy charges for the bytes of an answer that was computed for another
	// subscription, if there is room for a copy, and reports whether there is.
	Copy(ctx context.Context, bytes int) bool
}

// subscribed is a subscription operation. The resolver sets begin.
type subscribed struct {
	resolver *Resolver
	// shared is the part of the key under which equal subscriptions share answers. It
	// is nil if the answers are for this subscription alone.
	shared *sharedKey
	begin  func() source
	source source // nil until the first response
	ended  bool
	paid   bool // the next answer is paid for: the first is, with the operation
	// history is that of the log in which the source began, or the one before it.
	history int64

	// current is what the response that is being computed sends, and through the
	// checkpoint of the views that it shows, once it is computed.
	current push
	taken   bool // current was taken from the source, and not sent yet
	through domain.Position
	skipped bool // current turned out to be nothing to send
	failure error
}

type subscribedKey struct{}

// aroundOperation makes the responses of a subscription. It is an operation
// middleware.
func (r *Resolver) aroundOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	oc := graphql.GetOperationContext(ctx)
	if oc.Operation.Operation != ast.Subscription {
		return next(ctx)
	}
	s := &subscribed{resolver: r, paid: true, through: -1}
	responses := next(context.WithValue(ctx, subscribedKey{}, s))
	if s.begin == nil {
		return responses // the error of the resolver
	}
	if r.pushes != nil {
		r.pushes.Began(ctx)
	}
	s.shared = shareable(ctx, oc)
	return func(ctx context.Context) *graphql.Response { return s.respond(ctx, responses) }
}

// respond returns the next response. It returns nil if there is none, which ends the
// subscription unless it rests. It takes the next push only when the transport asks for
// a response, so that a slow client slows the source down.
func (s *subscribed) respond(ctx context.Context, responses graphql.ResponseHandler) (response *graphql.Response) {
	if s.ended {
		return nil
	}
	rest := request.RestOf(ctx)
	if rest != nil {
		rest.Resting = false
	}
	defer func() { // also when it panics
		if response == nil && rest != nil && rest.Resting {
			return
		}
		if s.ended = response == nil || response.Data == nil; s.ended && s.source != nil {
			s.source.close()
		}
	}()
	if s.source == nil {
		s.history, s.source = s.resolver.hub.History(), s.begin()
	}
	for {
		if rests, err := s.take(ctx, rest); rests || err != nil {
			return s.last(ctx, err)
		}
		if s.current.latest != nil && s.current.at <= s.through {
			s.taken = false
			continue // the last response shows it
		}
		if !s.pay(ctx) {
			return nil
		}
		s.taken, s.skipped = false, false
		s.current.at = s.current.newest()
		if response := s.answer(ctx, responses); !s.skipped {
			return response
		}
	}
}

// take takes the next push from the source, unless there is one already. If there is
// none now it waits, or reports that the subscription rests.
func (s *subscribed) take(ctx context.Context, rest *request.Rest) (rests bool, err error) {
	if s.failure != nil || s.taken {
		return false, s.failure
	}
	var wake func()
	if rest != nil {
		wake = rest.Wake
		if rest.Try == nil {
			rest.Try = func() *graphql.Response { return s.try(ctx, rest) }
		}
	}
	s.current, rests, err = s.source.next(ctx, wake)
	s.taken = !rests && err == nil
	if rests {
		rest.Resting = true
	}
	return rests, err
}

// try returns the response for the next push if another subscription has computed it,
// and nothing needs to be waited for. It is request.Rest's.
func (s *subscribed) try(ctx context.Context, rest *request.Rest) (response *graphql.Response) {
	defer func() {
		if v := recover(); v != nil {
			s.failure = panics.Recovered(ctx, v) // respond returns it
		}
	}()
	rest.Resting = false
	if ctx.Err() != nil {
		return nil
	}
	if s.current, s.taken = s.source.poll(); !s.taken || s.shared == nil || s.isAlone(ctx) || s.current.latest != nil && s.current.at <= s.through {
		return nil
	}
	if !s.paid && s.resolver.pushes != nil && !s.resolver.pushes.Pay(ctx) {
		return nil
	}
	s.paid = true // even if there is no answer yet
	response, through, ok := s.resolver.answers.ready(answerKey{operation: *s.shared, history: s.history, at: s.current.newest()})
	if !ok || s.resolver.pushes != nil && !s.resolver.pushes.Copy(ctx, len(response.Data)) {
		return nil
	}
	s.taken, s.paid, s.through = false, false, through
	rest.Resting = s.source.rest(rest.Wake)
	return response
}

// isAlone reports whether the response for the current push is for this subscription
// only.
func (s *subscribed) isAlone(ctx context.Context) bool {
	return s.shared == nil || request.From(ctx).After > s.current.at || s.resolver.hub.History() != s.history
}

// last returns the response that says why the source has ended, if the server ended the
// subscription.
func (s *subscribed) last(ctx context.Context, err error) *graphql.Response {
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return s.failed(ctx, err)
}

// pay waits until the caller has paid for an answer. It returns false if ctx ends.
func (s *subscribed) pay(ctx context.Context) bool {
	if s.paid {
		s.paid = false
		return true
	}
	return s.resolver.pushes == nil || s.resolver.pushes.Wait(ctx) == nil
}

// failed returns the response that says why the server ended the subscription.
func (s *subscribed) failed(ctx context.Context, err error) *graphql.Response {
	presented := s.resolver.Present(ctx, resolverError{err})
	presented.Path = nil // the response has no data for it to lead through
	return &graphql.Response{Errors: gqlerror.List{presented}}
}

// answer returns the response for the current push. Equal subscriptions share it, unless
// the push may be of a history of the log that a restore has undone: its position may be
// another event's by now.
func (s *subscribed) answer(ctx context.Context, responses graphql.ResponseHandler) *graphql.Response {
	if s.isAlone(ctx) {
		ctx, end := s.turn(ctx)
		defer end()
		return s.compute(ctx, responses)
	}
	key := answerKey{operation: *s.shared, history: s.history, at: s.current.at}
	for s.room(ctx) {
		response, through, computed := s.resolver.answers.share(ctx, key, turn{s.payer(ctx), s.turn}, func(ctx context.Context) (*graphql.Response, domain.Position) {
			return s.compute(ctx, responses), s.through
		})
		if computed || response == nil || s.resolver.pushes == nil || s.resolver.pushes.Copy(ctx, len(response.Data)) {
			s.through = through
			return response
		}
	}
	return nil
}

// room waits until there is room for an answer, before there is one, so that those who
// wait hold none. It returns false if ctx ends.
func (s *subscribed) room(ctx context.Context) bool {
	return s.resolver.pushes == nil || s.resolver.pushes.Room(ctx) == nil
}

// compute computes the response for the current push. It copies the data, because
// gqlgen reuses the memory.
func (s *subscribed) compute(ctx context.Context, responses graphql.ResponseHandler) *graphql.Response {
	response := responses(ctx)
	if response != nil {
		response.Data = bytes.Clone(response.Data)
	}
	return response
}

// payer returns who pays for the subscription.
func (s *subscribed) payer(ctx context.Context) string {
	if s.resolver.pushes == nil {
		return ""
	}
	return s.resolver.pushes.Payer(ctx)
}

// turn waits for a turn, again while the server is busy. If ctx ends it returns at
// once.
func (s *subscribed) turn(ctx context.Context) (context.Context, func()) {
	for s.resolver.pushes != nil {
		inTurn, end, err := s.resolver.pushes.Turn(ctx)
		if err == nil {
			return inTurn, end
		}
		if !outage.Pause(ctx, sharedOpenPause) {
			break
		}
	}
	return ctx, func() {}
}

// aroundResponse gives each response its scope, and has a subscription send what the
// response is about. It is a response middleware.
func (r *Resolver) aroundResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	sub, subscription := ctx.Value(subscribedKey{}).(*subscribed)
	if subscription && sub.shared != nil && sub.shared.public {
		// An answer for all cannot have what is the caller's alone. It is the guards
		// around this that charge the caller.
		ctx = auth.WithCaller(ctx, "")
	}
	viewer, _ := auth.Caller(ctx)
	s := &responseScope{snapshots: r.snapshots, viewer: viewer, after: request.From(ctx).After, subscription: subscription}
	defer func() { _ = s.close(ctx) }() // fails only if ctx ends, and then the last user closes it
	ctx = withResponseScope(ctx, s)
	if !subscription {
		return next(ctx)
	}
	sent, err := sub.source.send(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		return sub.failed(ctx, err)
	case !sent:
		sub.skipped = err == nil
		return nil
	}
	response := next(ctx)
	sub.through = s.checkpoint()
	return response
}
