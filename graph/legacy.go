package graph

import "encoding/json"

// legacySubprotocol is that of the npm package subscriptions-transport-ws,
// which many clients still speak. Its messages are those of
// graphql-transport-ws by other names, so they are translated. Where it says
// nothing, the rules of graphql-transport-ws hold.
const legacySubprotocol = "graphql-ws"

// fromLegacy gives the type that a message of a client has in
// graphql-transport-ws, or why to close the socket.
func fromLegacy(kind string) (string, *closing) {
	switch kind {
	case "connection_init":
		return kind, nil
	case "start":
		return "subscribe", nil
	case "stop":
		return "complete", nil
	case "connection_terminate":
		return "", &closing{closeNormal, ""}
	default:
		return "", badRequest("the message type %.40q is not one that a client of %s sends", kind, legacySubprotocol)
	}
}

// toLegacy gives the form in which a message goes to the client. An error is
// one object there, not a list.
func toLegacy(f frame) frame {
	switch f.Type {
	case "next":
		f.Type = "data"
	case "error":
		var errs []json.RawMessage
		if err := json.Unmarshal(f.Payload, &errs); err == nil && len(errs) > 0 {
			f.Payload = errs[0]
		}
	}
	return f
}

// lastWords gives a message to write before the close frame, nil for none. In
// graphql-ws that is where a client looks for the reason.
func (p *protocol) lastWords(why closing) []byte {
	if !p.legacy || p.ready() && why.code < closeBadRequest || why.code == closeNormal {
		return nil
	}
	return encode(frame{Type: "connection_error", Payload: encode(map[string]string{"message": why.reason})})
}
