package ws

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/request"
	"chirp/graph/transport"
)

// operation is one that is running on a socket.
type operation struct {
	id     string // as JSON
	cancel context.CancelFunc

	mu      sync.Mutex
	resting *execution // that has no goroutine until it is woken, or nil
	woken   bool       // while it did not rest
}

func newOperation(id string, cancel context.CancelFunc) *operation {
	return &operation{id: string(transport.Encode(id)), cancel: cancel}
}

// stop cancels the operation, which then ends.
func (o *operation) stop() {
	o.cancel()
	o.wake()
}

// wake lets the operation go on, if it rests.
func (o *operation) wake() {
	o.mu.Lock()
	e := o.resting
	o.resting, o.woken = nil, e == nil
	o.mu.Unlock()
	if e != nil && !e.goOnAtOnce() {
		go e.run()
	}
}

// rest lets the operation rest until it is woken. It returns false if it has been.
func (o *operation) rest(e *execution) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.woken {
		o.woken = false
		return false
	}
	o.resting = e
	return true
}

// execution asks for the responses of an operation in a goroutine, and sends them. It
// asks for the next one of a subscription only when there is room in the outbox. While
// the subscription has none it rests, without a goroutine. It asks until there are no
// more responses, because until then the operation holds what it needs.
type execution struct {
	*socket

	id        string // the client's
	o         *operation
	ctx       context.Context //nolint:containedctx // of the operation
	next      []byte          // how its messages with responses begin
	responses graphql.ResponseHandler
	reply     *transport.Reply
	turn      *request.Turn // ends with the first response
	rest      *request.Rest // nil if it is no subscription
	release   func()
	first     message // to be sent before it asks for a response, if it has a text
}

// execute executes an operation.
func (s *socket) execute(ctx context.Context, id string, o *operation, oc *graphql.OperationContext, turn *request.Turn, release func()) {
	ctx, reply := s.service.Reply(ctx)
	e := &execution{socket: s, id: id, o: o, next: s.nextMessages(o.id), reply: reply, turn: turn, release: release}
	if oc.Operation.Operation == ast.Subscription {
		e.rest = &request.Rest{Wake: o.wake}
		ctx = request.WithRest(ctx, e.rest)
	} else if err := s.service.Weigh(ctx, turn, oc); err != nil {
		s.end(ctx, id, o, s.errorMessage(o, gqlerror.List{s.service.Present(ctx, err)}))
		e.finish()
		return
	}
	e.responses, e.ctx = s.service.Executor.DispatchOperation(ctx, oc)
	e.run()
}

// run sends responses until there are no more, or the subscription rests.
func (e *execution) run() {
	if e.first.text != nil {
		e.push(e.ctx, e.id, e.o, e.first)
		e.first = message{}
	}
	for {
		if e.rest != nil {
			e.waitForRoom(e.ctx)
		}
		response := e.responses(e.ctx)
		e.turn.End()
		switch {
		case response == nil && e.rest != nil && e.rest.Resting:
			if e.o.rest(e) {
				return
			}
		case response == nil:
			e.end(e.ctx, e.id, e.o, encodeMessage("complete", e.o.id, nil))
			e.finish()
			return
		case response.Data == nil || isRateLimited(response):
			e.end(e.ctx, e.id, e.o, e.errorMessage(e.o, withoutPaths(response.Errors)))
		default:
			e.push(e.ctx, e.id, e.o, e.message(response))
		}
	}
}

// message returns the message with a response. Subscriptions share theirs; others may
// reuse its memory.
func (e *execution) message(response *graphql.Response) message {
	if e.rest != nil && transport.IsPlain(response) {
		return message{e.next, response.Data, "}}", e.reply.Take()}
	}
	return message{e.next[:len(e.next)-len(dataMember)], transport.EncodeResponse(response), "}", e.reply.Take()}
}

// goOnAtOnce sends the next response if that takes no waiting, and reports whether the
// operation rests again.
func (e *execution) goOnAtOnce() bool {
	if !e.hasRoom() {
		return false
	}
	response := e.rest.Try()
	if response == nil {
		return false
	}
	m := e.message(response)
	if !e.tryReserve(m.size()) {
		e.first = m
		return false
	}
	e.pushReserved(e.id, e.o, m)
	return e.rest.Resting && e.o.rest(e)
}

// finish frees what the operation holds.
func (e *execution) finish() {
	e.turn.End()
	e.reply.End()
	e.release()
	e.work.Done()
}
