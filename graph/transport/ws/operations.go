package ws

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/internal/domain"
)

// begin registers an operation. If the socket has too many it returns none and the
// message that says so, and if the socket must be closed, why. In graphql-ws an
// operation replaces one with the same id.
func (s *socket) begin(ctx context.Context, id string) (_ context.Context, o *operation, refused []byte, why *closeReason) {
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(ctx))
	o = newOperation(id, cancel)
	s.mu.Lock()
	defer s.mu.Unlock()
	former := s.operations[id]
	switch {
	case former != nil && !s.legacy:
		cancel()
		return nil, nil, nil, closeReasonf(closeDuplicateID, "Subscriber for %s already exists", id)
	case former != nil:
		former.stop()
	case len(s.operations) >= s.limits.SocketOperations:
		cancel()
		return nil, nil, s.errorMessage(o, gqlerror.List{s.service.Present(ctx, domain.Errorf(domain.RateLimited,
			"this socket has %d operations running, which is the limit; complete one first", s.limits.SocketOperations))}), nil
	}
	if s.operations == nil {
		s.operations = map[string]*operation{}
	}
	s.operations[id] = o
	return ctx, o, nil, nil
}

// isRateLimited reports whether a response has no data because all of its operation
// was refused, the caller having called too often.
func isRateLimited(response *graphql.Response) bool {
	var data map[string]json.RawMessage
	if len(response.Errors) == 0 || json.Unmarshal(response.Data, &data) != nil {
		return false
	}
	for _, value := range data {
		if !isNull(value) {
			return false
		}
	}
	for _, err := range response.Errors {
		if err.Extensions["code"] != "RATE_LIMITED" {
			return false
		}
	}
	return true
}

// withoutPaths returns errors without their paths, which would lead through the data that
// is not sent. It copies them, because other subscriptions may share them.
func withoutPaths(errs gqlerror.List) gqlerror.List {
	copies := make(gqlerror.List, len(errs))
	for i, err := range errs {
		one := *err
		one.Path = nil
		copies[i] = &one
	}
	return copies
}

// refuse ends an operation that is not executed. If its caller calls too often the
// socket reads no further for a while.
func (s *socket) refuse(ctx context.Context, id string, o *operation, errs gqlerror.List) {
	if slices.ContainsFunc(errs, func(err *gqlerror.Error) bool { return err.Extensions["code"] == "RATE_LIMITED" }) {
		s.holdRefusal()
	}
	s.end(ctx, id, o, s.errorMessage(o, errs))
}

func (s *socket) holdRefusal() {
	s.service.HoldRefusal(s.untilClosing())
}

// push sends a message of an operation, when there is room for it, unless the client
// has completed the operation.
func (s *socket) push(ctx context.Context, id string, o *operation, m message) {
	if !s.reserve(ctx, m.size()) {
		m.unread.Release()
		return
	}
	s.pushReserved(id, o, m)
}

// pushReserved is push for a message for which there is room.
func (s *socket) pushReserved(id string, o *operation, m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[id] == o {
		s.put(m)
	} else {
		m.unread.Release()
		s.unreserve(m.size())
	}
}

// end sends the last message of an operation, when there is room for it. The client
// may then use its id again.
func (s *socket) end(ctx context.Context, id string, o *operation, last []byte) {
	reserved := s.reserve(ctx, len(last))
	o.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[id] == o {
		delete(s.operations, id)
		if reserved {
			s.put(message{text: last, unread: s.hold(ctx, len(last))})
			return
		}
	}
	if reserved {
		s.unreserve(len(last))
	}
}

// wakeAll lets all operations end, which are canceled.
func (s *socket) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.operations {
		o.wake()
	}
}

// cancel cancels an operation that the client has completed.
func (s *socket) cancel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.operations[id]; o != nil {
		o.stop()
		delete(s.operations, id)
	}
}
