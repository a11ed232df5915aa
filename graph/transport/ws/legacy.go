package ws

import (
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/transport"
)

// legacySubprotocol is the protocol of the npm package subscriptions-transport-ws,
// which many clients still use. Its messages are those of graphql-transport-ws under
// other names. What it does not define is as in graphql-transport-ws.
const legacySubprotocol = "graphql-ws"

// fromLegacy returns the type that a client's message has in graphql-transport-ws, or
// why to close the socket.
func fromLegacy(kind string) (string, *closeReason) {
	switch kind {
	case "start":
		return "subscribe", nil
	case "stop":
		return "complete", nil
	case "connection_terminate":
		return "", &closeReason{closeNormal, ""}
	default:
		return "", closeReasonf(closeBadRequest, "the message type %.40q is not one that a client of %s sends", kind, legacySubprotocol)
	}
}

// dataMember is how a response begins that has nothing but data.
const dataMember = `{"data":`

// nextMessages returns how the messages with responses of an operation begin, whose id
// is JSON, if they have nothing but data.
func (s *socket) nextMessages(id string) []byte {
	kind := "next"
	if s.legacy {
		kind = "data"
	}
	return []byte(`{"id":` + id + `,"type":"` + kind + `","payload":` + dataMember)
}

// errorMessage returns the message that ends an operation with errors. In graphql-ws
// it has only the first.
func (s *socket) errorMessage(o *operation, errs gqlerror.List) []byte {
	if s.legacy && len(errs) > 0 {
		return encodeMessage("error", o.id, transport.Encode(errs[0]))
	}
	return encodeMessage("error", o.id, transport.Encode(errs))
}

// messageBeforeClose returns the message to write before the close frame, or nil. A
// client of graphql-ws looks there for the reason.
func (s *socket) messageBeforeClose(why closeReason) []byte {
	if !s.legacy || s.ready.Load() && why.code < closeBadRequest || why.code == closeNormal {
		return nil
	}
	return encodeMessage("connection_error", "", transport.Encode(map[string]string{"message": why.reason}))
}
