package graph

import (
	"bytes"
	"context"
	"iter"
	"sync"

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

// subscribed is a subscription operation. The resolver sets its source.
type subscribed struct {
	resolver *Resolver
	// shared is the part of the key under which equal subscriptions share answers. It
	// is nil if the answers are for this subscription alone.
	shared *sharedKey
	source iter.Seq2[push, error]
	// pushes come from the goroutine that runs the source, which closes it, and err is
	// why it ended.
	pushes  chan push // nil until the first response
	err     error
	running sync.WaitGroup
	ended   bool
	paid    bool // the next answer is paid for: the first is, with the operation
	// history is that of the log in which the source began, or the one before it.
	history int64

	// current is what the response that is being computed sends, and through the
	// checkpoint of the views that it shows, once it is computed.
	current push
	through domain.Position
	skipped bool // current turned out to be nothing to send
}

// push is what one response of a subscription sends.
type push struct {
	// at is the position that the response shows at least.
	at domain.Position
	// latest returns the position of the newest state, if only that needs to be sent.
	// It is nil if each push must be.
	latest func() domain.Position
	// send puts what to send into the channel that gqlgen reads from. It returns false
	// if there is nothing to send.
	send func(ctx context.Context) (bool, error)
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
	if s.source == nil {
		return responses // the error of the resolver
	}
	if r.pushes != nil {
		r.pushes.Began(ctx)
	}
	s.shared = shareable(ctx, oc)
	return func(ctx context.Context) *graphql.Response { return s.respond(ctx, responses) }
}

// respond returns the next response, or nil if there is none, which ends the
// subscription. It takes the next push only when the transport asks for a response,
// so that a slow client slows the source down.
func (s *subscribed) respond(ctx context.Context, responses graphql.ResponseHandler) (response *graphql.Response) {
	if s.ended {
		return nil
	}
	defer func() { s.ended = response == nil || response.Data == nil }() // also when it panics
	if s.pushes == nil {
		s.run(ctx)
	}
	for p := range s.pushes {
		if p.latest != nil && p.at <= s.through {
			continue // the last response shows it
		}
		if !s.pay(ctx) {
			break
		}
		if p.latest != nil {
			p.at = max(p.at, p.latest())
		}
		s.current, s.skipped = p, false
		if response := s.answer(ctx, responses); !s.skipped {
			return response
		}
	}
	return s.last(ctx)
}

// run runs the source in a goroutine until it or ctx ends.
func (s *subscribed) run(ctx context.Context) {
	s.pushes, s.history = make(chan push), s.resolver.hub.History()
	s.running.Go(func() {
		defer close(s.pushes)
		s.err = panics.Guard(ctx, func() error {
			for p, err := range s.source {
				if err != nil {
					return err
				}
				select {
				case s.pushes <- p:
				case <-ctx.Done():
					return nil
				}
			}
			return nil
		})
	})
}

// last waits until the source has ended, and returns the response that says why, if
// the server ended the subscription.
func (s *subscribed) last(ctx context.Context) *graphql.Response {
	s.running.Wait()
	if s.err == nil || ctx.Err() != nil {
		return nil
	}
	return s.failed(ctx, s.err)
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
	if s.shared == nil || request.From(ctx).After > s.current.at || s.resolver.hub.History() != s.history {
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
	sent, err := sub.current.send(ctx)
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

// deliver makes a sequence of items, converted, the source of the subscription that
// is being started, and returns the channel that gqlgen reads from. It skips items
// that convert to nil.
func deliver[T, M any](ctx context.Context, items iter.Seq2[T, error], pushOf func(T) push, convert func(context.Context, T) (*M, error)) <-chan *M {
	out := make(chan *M, 1)
	s, ok := ctx.Value(subscribedKey{}).(*subscribed)
	if !ok {
		close(out) // not a subscription, so that nobody reads from it
		return out
	}
	s.source = func(yield func(push, error) bool) {
		for item, err := range items {
			var p push
			if err == nil {
				p = pushOf(item)
				p.send = func(ctx context.Context) (bool, error) {
					m, err := convert(ctx, item)
					if m == nil || err != nil {
						return false, err
					}
					out <- m
					return true, nil
				}
			}
			if !yield(p, err) {
				return
			}
		}
	}
	return out
}
