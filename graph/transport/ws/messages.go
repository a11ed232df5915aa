package ws

import (
	"bytes"
	"encoding/json"
	"fmt"

	"chirp/graph/clip"
)

const subprotocol = "graphql-transport-ws"

// Close codes of RFC 6455 and of graphql-transport-ws. Clients reconnect after 1001,
// 1013, 4403 and 4408, and give up after the others.
const (
	closeNormal        = 1000
	closeGoingAway     = 1001
	closeTryLater      = 1013
	closeBadRequest    = 4400
	closeUnauthorized  = 4401
	closeForbidden     = 4403
	closeNotAcceptable = 4406
	closeInitTimeout   = 4408
	closeDuplicateID   = 4409
	closeTooMany       = 4429
	closeInternal      = 4500
)

// closeReason is why a socket is closed.
type closeReason struct {
	code   int
	reason string
}

func closeReasonf(code int, format string, args ...any) *closeReason {
	return &closeReason{code, clip.Text(fmt.Sprintf(format, args...), maxReason)}
}

// maxReason is how many bytes a close frame can hold.
const maxReason = 123

// clientMessage is a message from a client.
type clientMessage struct {
	ID      any             `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// encodeMessage returns a message from the server. The id is a JSON string or empty;
// the payload is JSON or nil.
func encodeMessage(kind, id string, payload []byte) []byte {
	b := make([]byte, 0, len(`{"id":,"type":"","payload":}`)+len(kind)+len(id)+len(payload))
	b = append(b, '{')
	if id != "" {
		b = append(append(append(b, `"id":`...), id...), ',')
	}
	b = append(append(append(b, `"type":"`...), kind...), '"')
	if payload != nil {
		b = append(append(b, `,"payload":`...), payload...)
	}
	return append(b, '}')
}
