package ws

import (
	"github.com/vektah/gqlparser/v2/gqlerror"

	"chirp/graph/transport"
)

// legacySubprotocol is that of the npm package subscriptions-transport-ws,
// which many clients still speak. Its messages are those of
// graphql-transport-ws by other names. Where it says nothing, the rules of
// graphql-transport-ws hold.
const legacySubprotocol = "graphql-ws"

// fromLegacy returns the type that a message of a client has in
// graphql-transport-ws, or why to close the socket.
func fromLegacy(kind string) (string, *closeReason) {
	switch kind {
	case "connection_init":
		return kind, nil
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

// nextMessage returns the message that carries a response.
func (s *socket) nextMessage(o *operation, response []byte) []byte {
	if s.legacy {
		return encodeMessage("data", o.id, response)
	}
	return encodeMessage("next", o.id, response)
}

// errorMessage returns the message that ends an operation with errors, which is
// one error in graphql-ws.
func (s *socket) errorMessage(o *operation, errs gqlerror.List) []byte {
	if s.legacy && len(errs) > 0 {
		return encodeMessage("error", o.id, transport.Encode(errs[0]))
	}
	return encodeMessage("error", o.id, transport.Encode(errs))
}

// lastMessage returns what is written before the close frame, nil for nothing.
// A client of graphql-ws looks there for the reason.
func (s *socket) messageBeforeClose(why closeReason) []byte {
	if !s.legacy || s.ready.Load() && why.code < closeBadRequest || why.code == closeNormal {
		return nil
	}
	return encodeMessage("connection_error", "", transport.Encode(map[string]string{"message": why.reason}))
}
