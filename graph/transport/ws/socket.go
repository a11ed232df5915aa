package ws

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/request"
	"chirp/graph/transport"
)

// socket serves GraphQL over one WebSocket, by the rules of graphql-transport-ws. One
// goroutine reads, the outbox has one while it writes, and each operation has one while
// it has responses; see execution.
type socket struct {
	*outbox

	service *transport.Service
	legacy  bool        // the client speaks graphql-ws
	ready   atomic.Bool // connection_init has been acknowledged

	// These are used by the goroutine that reads.
	ctx           context.Context //nolint:containedctx // the caller's, as of connection_init
	overdue       overdue
	authorization string      // of the upgrade request
	header        http.Header // what else operations look at there
	initSeen      bool
	release       func() // releases the connection in the quotas

	mu         sync.Mutex
	operations map[string]*operation // running, by the client's id
	work       sync.WaitGroup        // the operations, until they have ended
}

// serve reads messages until the socket is closed, and then waits until all its
// goroutines have returned.
func (s *socket) serve() {
	ctx, cancel := context.WithCancel(s.ctx)
	s.ctx = ctx
	defer s.finish(cancel)
	defer func() {
		if v := recover(); v != nil {
			s.close(s.panicked(ctx, v))
		}
	}()
	for {
		message, release, why := s.read()
		if why == nil && !s.isClosing() { // if so, the peer has until the deadline to read the close frame
			why = s.handleAside(message)
		}
		release()
		if why != nil {
			s.close(*why)
			return
		}
	}
}

// stopTimeout bounds the wait for operations to end after they were canceled.
const stopTimeout = 5 * time.Second

// finish cancels the operations, waits until the writer is done, gives the peer time
// to read what was written, and closes the connection.
func (s *socket) finish(cancel context.CancelFunc) {
	cancel()
	s.wakeAll()
	<-s.done
	_ = s.ws.NetConn().SetReadDeadline(time.Now().Add(linger))
	_, _ = io.CopyN(io.Discard, s.ws.NetConn(), s.limits.Body)
	_ = s.ws.Close()
	stopped := make(chan struct{})
	go func() {
		s.work.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(stopTimeout):
	}
}

// read returns the next message, which counts as received until release is called, or
// why to close the socket. It limits the size itself, because the WebSocket library
// would close without a reason.
func (s *socket) read() (message []byte, release func(), why *closeReason) {
	s.extendDeadline() // the client could not be heard before
	kind, r, err := s.ws.NextReader()
	release = func() {}
	if err == nil {
		message, release, err = s.service.ReceiveMessage(s.ctx, s.closing.Done(), r, s.limits.Body, s.beginMessage)
		s.endMessage()
	}
	var timeout net.Error
	switch {
	case err != nil && errors.As(err, &timeout) && timeout.Timeout() && !s.ready.Load():
		return nil, release, &closeReason{closeInitTimeout, "Connection initialisation timeout"}
	case err != nil && errors.As(err, &timeout) && timeout.Timeout() && len(message) > 0:
		return nil, release, &closeReason{closeTryLater, "the message did not arrive in time"}
	case err != nil:
		s.discard() // the peer has left
		return nil, release, &closeReason{closeNormal, ""}
	case int64(len(message)) > s.limits.Body:
		return nil, release, closeReasonf(websocket.CloseMessageTooBig, "a message may have %d bytes", s.limits.Body)
	}
	s.extendDeadline()
	if kind != websocket.TextMessage {
		return nil, release, closeReasonf(closeBadRequest, "messages are JSON text, not binary")
	}
	return message, release, nil
}

// extendDeadline gives the peer more time to send something. Until connection_init is
// acknowledged its deadline stays.
func (s *socket) extendDeadline() {
	if s.ready.Load() {
		s.hear()
	}
}

// handleAside handles a message in a goroutine of its own, so that the one that reads
// has a small stack: handling takes a deep one, and sockets that wait are many.
func (s *socket) handleAside(text []byte) (bad *closeReason) {
	handled := make(chan *closeReason, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				why := s.panicked(s.ctx, v)
				handled <- &why
			}
		}()
		handled <- s.receive(text)
	}()
	return <-handled
}

// receive decodes and handles a message, or returns why to close the socket.
func (s *socket) receive(text []byte) (bad *closeReason) {
	decoded, err := s.service.DecodeTurn(s.untilClosing(), int64(len(text)))
	if err != nil {
		return nil // the socket is closing
	}
	defer decoded()
	var m clientMessage
	if why := transport.DecodeStrictly("the message", text, &m); why != nil {
		return closeReasonf(closeBadRequest, "%s", why.Message)
	}
	if m.Type == "connection_init" {
		return s.initialize(m.Payload, decoded)
	}
	decoded()
	return s.handle(m)
}

// handle handles a message other than connection_init.
func (s *socket) handle(m clientMessage) (bad *closeReason) {
	if s.legacy {
		if m.Type, bad = fromLegacy(m.Type); bad != nil {
			return bad
		}
	}
	id, _ := m.ID.(string)
	switch m.Type {
	case "ping":
		s.pong(m.Payload)
	case "pong":
	case "subscribe":
		return s.subscribe(id, m.Payload)
	case "complete":
		s.cancel(id)
	default:
		return closeReasonf(closeBadRequest, "the message type %.40q is not one that a client sends", m.Type)
	}
	return nil
}

// initialize handles connection_init, which says who is calling. It calls decoded when the
// payload is.
func (s *socket) initialize(payload json.RawMessage, decoded func()) *closeReason {
	var members map[string]any
	switch {
	case s.initSeen:
		return &closeReason{closeTooMany, "Too many initialisation requests"}
	case isNull(payload):
	case !isObject(payload):
		return closeReasonf(closeBadRequest, "the payload of connection_init is not an object")
	default:
		if why := transport.DecodeStrictly("the payload of connection_init", payload, &members); why != nil {
			return closeReasonf(closeBadRequest, "%s", why.Message)
		}
	}
	decoded()
	s.initSeen = true
	if why := s.authenticate(members); why != nil {
		return why
	}
	s.ready.Store(true)
	s.send(s.ctx, encodeMessage("connection_ack", "", nil))
	s.extendDeadline()
	s.keepAlive()
	return nil
}

// keepAlive tells a client of graphql-ws that the connection is alive. Other clients
// get WebSocket pings.
func (s *socket) keepAlive() {
	if s.legacy && s.ready.Load() {
		s.sendNow(encodeMessage("ka", "", nil)) // the writer calls this
	}
}

// subscribe starts an operation. A message without an id or a query violates the
// protocol. If anything else in it is wrong, the operation fails and the socket stays
// open.
func (s *socket) subscribe(id string, payload json.RawMessage) *closeReason {
	switch {
	case !s.ready.Load():
		return &closeReason{closeUnauthorized, "Unauthorized"}
	case id == "":
		return closeReasonf(closeBadRequest, "subscribe needs an id")
	case !isObject(payload):
		return closeReasonf(closeBadRequest, "the payload of subscribe is not an object")
	}
	ctx := s.untilClosing()
	err := s.waitForReader(ctx, int64(len(payload)))
	if errors.Is(err, transport.ErrUnread) {
		s.sendNow(s.errorMessage(newOperation(id, nil), gqlerror.List{s.service.Present(ctx, err)}))
		return nil
	}
	if err != nil || s.service.Limiter.WaitOperation(ctx) != nil {
		return nil // the socket is closing
	}
	ctx, turn, err := s.service.Turn(s.ctx, int64(len(payload)))
	if err != nil {
		s.send(s.ctx, s.errorMessage(newOperation(id, nil), gqlerror.List{s.service.Present(s.ctx, err)}))
		return nil
	}
	return s.start(ctx, id, payload, turn)
}

// waitForReader waits until the client has read enough for another answer. A large
// message counts as received meanwhile, so that it may not wait for long.
func (s *socket) waitForReader(ctx context.Context, bytes int64) error {
	waiting, cancel := ctx, func() {}
	if transport.IsLarge(bytes) {
		waiting, cancel = context.WithTimeout(ctx, transport.UnreadPatience)
	}
	defer cancel()
	s.waitForRoom(waiting)
	_ = s.service.WaitForReader(waiting)
	if waiting.Err() != nil && ctx.Err() == nil {
		return transport.ErrUnread
	}
	return ctx.Err()
}

// largePong is from which size a pong waits until the client has read enough.
const largePong = 1 << 10

// pong answers a ping of the protocol.
func (s *socket) pong(payload json.RawMessage) {
	ctx := s.untilClosing()
	if len(payload) < largePong || s.service.WaitForReader(ctx) == nil {
		s.send(ctx, encodeMessage("pong", "", payload))
	}
}

// start decodes an operation in its turn and executes it in a goroutine.
func (s *socket) start(ctx context.Context, id string, payload json.RawMessage, turn *request.Turn) *closeReason {
	start := graphql.Now()
	wire, bad := transport.Decode("the payload of subscribe", payload)
	if bad == nil && !wire.NamesDocument() {
		turn.End()
		return closeReasonf(closeBadRequest, "the payload of subscribe has no query")
	}
	ctx, o, refused, why := s.begin(ctx, id)
	if o == nil {
		turn.End()
		if refused != nil {
			s.holdRefusal()
			s.send(s.ctx, refused)
		}
		return why
	}
	if bad != nil {
		turn.End()
		s.end(ctx, id, o, s.errorMessage(o, gqlerror.List{s.service.Present(ctx, bad)}))
		return nil
	}
	params, _ := wire.Raw()
	params.Headers = s.header
	params.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	oc, errs := s.service.Executor.CreateOperationContext(ctx, params)
	if errs != nil {
		errs = s.service.Executor.DispatchError(graphql.WithOperationContext(ctx, oc), errs).Errors
		turn.End()
		s.refuse(ctx, id, o, errs)
		return nil
	}
	release := func() {}
	if oc.Operation.Operation == ast.Subscription {
		turn.End()
		var err error
		if release, err = s.service.Subscribe(ctx); err != nil {
			s.refuse(ctx, id, o, gqlerror.List{s.service.Present(ctx, err)})
			return nil
		}
	}
	s.work.Add(1)
	go s.execute(ctx, id, o, oc, turn, release)
	return nil
}
