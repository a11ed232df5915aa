package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

const subprotocol = "graphql-transport-ws"

// Close codes of graphql-transport-ws, and those of RFC 6455 that are used
// here. Clients reconnect after 1001, 1013, 4403 and 4408, and give up after
// the others.
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
	closeTooManyInits  = 4429
	closeInternal      = 4500
)

// closing is why a socket is closed.
type closing struct {
	code   int
	reason string
}

func closef(code int, format string, args ...any) *closing {
	return &closing{code, clip(fmt.Sprintf(format, args...))}
}

// clip shortens a close reason to what a close frame can hold.
func clip(reason string) string {
	const most = 123
	if len(reason) <= most {
		return reason
	}
	return strings.ToValidUTF8(reason[:most-len("…")], "") + "…"
}

// received is a message of a client.
type received struct {
	ID      any             `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// encodeMessage returns a message of the server's. The id is a JSON string, or
// empty; the payload is JSON, or nil.
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

// encodeResponse returns a response as JSON. One that says why there is no data
// has none, not a data that is null.
func encodeResponse(response *graphql.Response) []byte {
	switch {
	case response.Data == nil && len(response.Errors) > 0:
		return encode(map[string]any{"errors": response.Errors})
	case response.Data != nil && len(response.Errors) == 0 && len(response.Extensions) == 0:
		b := make([]byte, 0, len(`{"data":}`)+len(response.Data))
		return append(append(append(b, `{"data":`...), response.Data...), '}')
	default:
		return encode(response)
	}
}

// encode returns v, which is known to be encodable, as JSON.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
