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

	"chirp/graph/transport"
	"chirp/internal/domain"
)

// socket serves GraphQL over one WebSocket, by the rules of graphql-transport-ws. One
// goroutine reads, the outbox has one that writes, and each operation has one that
// asks for responses while there is room in the outbox.
type socket struct {
	*outbox

	service *transport.Service
	legacy  bool        // the client speaks graphql-ws
	ready   atomic.Bool // connection_init has been acknowledged

	// These are used by the goroutine that reads.
	ctx      context.Context //nolint:containedctx // the caller's, as of connection_init
	header   http.Header     // of the upgrade request
	initSeen bool
	release  func() // releases the connection in the quotas

	mu         sync.Mutex
	operations map[string]*operation // running, by the client's id
	work       sync.WaitGroup        // the goroutines of operations
}

// operation is one that is running on a socket.
type operation struct {
	id     string // as JSON
	cancel context.CancelFunc
}

// serve reads messages until the socket is closed, and then waits until all its
// goroutines have returned.
func (s *socket) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	s.ctx = ctx
	defer s.finish(cancel)
	defer func() {
		if v := recover(); v != nil {
			s.close(s.panicked(ctx, v))
		}
	}()
	for {
		message, why := s.read()
		if why == nil && s.isClosing() {
			continue // the peer has until the deadline to read the close frame
		}
		if why == nil {
			why = s.receive(message)
		}
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
	<-s.done
	_ = s.ws.NetConn().SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, s.ws.NetConn())
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

// read returns the next message, or why to close the socket. It limits the size
// itself, because the WebSocket library would close without a reason.
func (s *socket) read() ([]byte, *closeReason) {
	kind, r, err := s.ws.NextReader()
	var message []byte
	if err == nil {
		message, err = io.ReadAll(io.LimitReader(r, s.limits.Body+1))
	}
	var timeout net.Error
	switch {
	case err != nil && errors.As(err, &timeout) && timeout.Timeout() && !s.ready.Load():
		return nil, &closeReason{closeInitTimeout, "Connection initialisation timeout"}
	case err != nil:
		s.discard() // the peer has left
		return nil, &closeReason{closeNormal, ""}
	case int64(len(message)) > s.limits.Body:
		return nil, closeReasonf(websocket.CloseMessageTooBig, "a message may have %d bytes", s.limits.Body)
	}
	s.extendDeadline()
	if kind != websocket.TextMessage {
		return nil, closeReasonf(closeBadRequest, "messages are JSON text, not binary")
	}
	return message, nil
}

// extendDeadline gives the peer two more ping intervals to send something. Until
// connection_init is acknowledged its deadline stays.
func (s *socket) extendDeadline() {
	if s.ready.Load() {
		s.extendReadDeadline(2 * s.limits.Ping)
	}
}

// receive handles a message, or returns why to close the socket.
func (s *socket) receive(text []byte) (bad *closeReason) {
	var m clientMessage
	if why := transport.DecodeStrictly("the message", text, &m); why != nil {
		return closeReasonf(closeBadRequest, "%s", why.Message)
	}
	if s.legacy {
		if m.Type, bad = fromLegacy(m.Type); bad != nil {
			return bad
		}
	}
	id, _ := m.ID.(string)
	switch m.Type {
	case "ping":
		s.send(encodeMessage("pong", "", m.Payload))
	case "pong":
	case "connection_init":
		return s.initialize(m.Payload)
	case "subscribe":
		return s.subscribe(id, m.Payload)
	case "complete":
		s.cancel(id)
	default:
		return closeReasonf(closeBadRequest, "the message type %.40q is not one that a client sends", m.Type)
	}
	return nil
}

// initialize handles connection_init, which says who is calling.
func (s *socket) initialize(payload json.RawMessage) *closeReason {
	var members map[string]any
	switch {
	case s.initSeen:
		return &closeReason{closeTooManyInits, "Too many initialisation requests"}
	case isNull(payload):
	case !isObject(payload):
		return closeReasonf(closeBadRequest, "the payload of connection_init is not an object")
	default:
		if why := transport.DecodeStrictly("the payload of connection_init", payload, &members); why != nil {
			return closeReasonf(closeBadRequest, "%s", why.Message)
		}
	}
	s.initSeen = true
	if why := s.authenticate(members); why != nil {
		return why
	}
	s.ready.Store(true)
	s.send(encodeMessage("connection_ack", "", nil))
	s.extendDeadline()
	s.keepAlive()
	return nil
}

// keepAlive tells a client of graphql-ws that the connection is alive. Other clients
// get WebSocket pings.
func (s *socket) keepAlive() {
	if s.legacy && s.ready.Load() {
		s.send(encodeMessage("ka", "", nil))
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
	start := graphql.Now()
	request, bad := transport.Decode("the payload of subscribe", payload)
	if bad == nil && !request.NamesDocument() {
		return closeReasonf(closeBadRequest, "the payload of subscribe has no query")
	}
	ctx, o, why := s.begin(id)
	if o == nil {
		return why
	}
	if bad != nil {
		s.end(id, o, s.errorMessage(o, gqlerror.List{s.service.Present(ctx, bad)}))
		return nil
	}
	params, _ := request.Raw()
	params.Headers = s.header
	params.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	oc, errs := s.service.Executor.CreateOperationContext(ctx, params)
	if errs != nil {
		s.end(id, o, s.errorMessage(o, s.service.Executor.DispatchError(graphql.WithOperationContext(ctx, oc), errs).Errors))
		return nil
	}
	release := func() {}
	if oc.Operation.Operation == ast.Subscription {
		var err error
		if release, err = s.service.Subscribe(ctx); err != nil {
			s.end(id, o, s.errorMessage(o, gqlerror.List{s.service.Present(ctx, err)}))
			return nil
		}
	}
	s.work.Go(func() {
		defer release()
		s.execute(ctx, id, o, oc)
	})
	return nil
}

// begin registers an operation. It returns none if the socket has too many, or if the
// socket must be closed. In graphql-ws an operation replaces one with the same id.
func (s *socket) begin(id string) (context.Context, *operation, *closeReason) {
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(s.ctx))
	o := &operation{string(transport.Encode(id)), cancel}
	s.mu.Lock()
	defer s.mu.Unlock()
	former := s.operations[id]
	switch {
	case former != nil && !s.legacy:
		cancel()
		return nil, nil, closeReasonf(closeDuplicateID, "Subscriber for %s already exists", id)
	case former != nil:
		former.cancel()
	case len(s.operations) >= s.limits.SocketOperations:
		cancel()
		s.send(s.errorMessage(o, gqlerror.List{s.service.Present(ctx, domain.Errorf(domain.RateLimited,
			"this socket has %d operations running, which is the limit; complete one first", s.limits.SocketOperations))}))
		return nil, nil, nil
	}
	s.operations[id] = o
	return ctx, o, nil
}

// execute sends the responses of an operation. It asks for the next one of a
// subscription only when there is room in the outbox, so that a client is
// disconnected if it does not read, but not if it asks for a lot. It asks until there
// are no more responses, because until then the operation's goroutines run.
func (s *socket) execute(ctx context.Context, id string, o *operation, oc *graphql.OperationContext) {
	responses, ctx := s.service.Executor.DispatchOperation(ctx, oc)
	for {
		if oc.Operation.Operation == ast.Subscription {
			s.waitForRoom(ctx.Done())
		}
		response := responses(ctx)
		switch {
		case response == nil:
			s.end(id, o, encodeMessage("complete", o.id, nil))
			return
		case response.Data == nil:
			s.end(id, o, s.errorMessage(o, response.Errors))
		default:
			s.push(id, o, s.nextMessage(o, transport.EncodeResponse(response)))
		}
	}
}

// push sends a message of an operation unless the client has completed it.
func (s *socket) push(id string, o *operation, message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[id] == o {
		s.send(message)
	}
}

// end sends the last message of an operation. The client may use its id again.
func (s *socket) end(id string, o *operation, message []byte) {
	o.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[id] == o {
		delete(s.operations, id)
		s.send(message)
	}
}

// cancel cancels an operation that the client has completed.
func (s *socket) cancel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.operations[id]; o != nil {
		o.cancel()
		delete(s.operations, id)
	}
}
