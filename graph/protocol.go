package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"chirp/internal/domain"
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

// frame is a message of graphql-transport-ws.
type frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// protocol holds one socket to the rules of graphql-transport-ws, of which
// gqlgen enforces few; the older graphql-ws is translated on both sides of it. It also gives each operation an id of its own towards
// gqlgen, so that a client can use an id again as soon as it is free, while
// gqlgen still works on the end of the operation before.
type protocol struct {
	maxOperations int
	legacy        bool // the client speaks graphql-ws

	mu        sync.Mutex
	initiated bool
	acked     bool
	count     uint64
	inner     map[string]string // of each operation under way, by the client's id
	running   map[string]bool   // by the inner id: what gqlgen has not ended yet
	idle      chan struct{}     // made by who waits for running to be empty
	held      []byte            // to be passed on to gqlgen after what was passed on last
}

func newProtocol(maxOperations int, legacy bool) *protocol {
	return &protocol{maxOperations: maxOperations, legacy: legacy, inner: map[string]string{}, running: map[string]bool{}}
}

// receive judges a message from the client. It gives what to pass on to
// gqlgen, what to answer at once, or why to close the socket.
func (p *protocol) receive(message []byte) (forward, reply []byte, bad *closing) {
	var f struct {
		ID      any             `json:"id"`
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload"`
	}
	if why := decodeStrictly("the message", message, &f); why != nil {
		return nil, nil, badRequest("%s", why.message)
	}
	id, _ := f.ID.(string)
	if p.legacy {
		if f.Type, bad = fromLegacy(f.Type); bad != nil {
			return nil, nil, bad
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f.Type {
	case "ping":
		return nil, encode(frame{Type: "pong", Payload: f.Payload}), nil
	case "pong":
		return nil, nil, nil
	case "connection_init":
		return p.initiate(f.Payload)
	case "subscribe":
		return p.subscribe(id, f.Payload)
	case "complete":
		inner, ok := p.inner[id]
		if !ok {
			return nil, nil, nil
		}
		delete(p.inner, id)
		return encode(frame{ID: inner, Type: "complete"}), nil, nil
	default:
		return nil, nil, badRequest("the message type %.40q is not one that a client sends", f.Type)
	}
}

func (p *protocol) initiate(payload json.RawMessage) (forward, reply []byte, bad *closing) {
	if p.initiated {
		return nil, nil, &closing{closeTooManyInits, "Too many initialisation requests"}
	}
	if !isObject(payload) && !isNull(payload) {
		return nil, nil, badRequest("the payload of connection_init is not an object")
	}
	p.initiated = true
	if isNull(payload) {
		return encode(frame{Type: "connection_init"}), nil, nil
	}
	var members map[string]any
	if why := decodeStrictly("the payload of connection_init", payload, &members); why != nil {
		return nil, nil, badRequest("%s", why.message)
	}
	return encode(frame{Type: "connection_init", Payload: encode(members)}), nil, nil
}

func (p *protocol) subscribe(id string, payload json.RawMessage) (forward, reply []byte, bad *closing) {
	if !p.acked {
		return nil, nil, &closing{closeUnauthorized, "Unauthorized"}
	}
	if id == "" {
		return nil, nil, badRequest("subscribe needs an id")
	}
	if !isObject(payload) {
		return nil, nil, badRequest("the payload of subscribe is not an object")
	}
	former := p.inner[id]
	if former != "" && !p.legacy {
		return nil, nil, &closing{closeDuplicateID, clip(fmt.Sprintf("Subscriber for %s already exists", id))}
	}
	if former == "" && len(p.inner) >= p.maxOperations {
		errs := encode([]any{refusal(domain.RateLimited,
			fmt.Sprintf("this socket has %d operations under way, which is the most; complete one first", p.maxOperations))})
		return nil, p.encode(frame{ID: id, Type: "error", Payload: errs}), nil
	}
	payload, reply, bad = p.request(id, payload)
	if payload == nil {
		if former != "" && bad == nil { // it gives way to what replaces it, whatever comes of that
			delete(p.inner, id)
			forward = encode(frame{ID: former, Type: "complete"})
		}
		return forward, reply, bad
	}
	p.count++
	inner := strconv.FormatUint(p.count, 10) + ":" + id
	p.inner[id], p.running[inner] = inner, true
	forward = encode(frame{ID: inner, Type: "subscribe", Payload: payload})
	if former != "" { // in graphql-ws an operation replaces one of the same id
		forward, p.held = encode(frame{ID: former, Type: "complete"}), forward
	}
	return forward, nil, nil
}

// request is the payload of a subscribe message as gqlgen is to read it. One
// without a query breaks the protocol; where anything else in it is wrong, the
// operation fails and the socket stays.
func (p *protocol) request(id string, payload json.RawMessage) (request json.RawMessage, reply []byte, bad *closing) {
	wire, why := decodeWire("the payload of subscribe", payload)
	if why == nil && !wire.namesDocument() {
		return nil, nil, badRequest("the payload of subscribe has no query")
	}
	if why == nil {
		request, why = wire.payload()
	}
	if why != nil {
		return nil, p.encode(frame{ID: id, Type: "error", Payload: encode([]any{refusal(domain.Invalid, why.message)})}), nil
	}
	return request, nil, nil
}

// takeHeld gives what is to be passed on to gqlgen before anything else, if
// anything is.
func (p *protocol) takeHeld() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held
	p.held = nil
	return held
}

// encode gives the form in which the client wants a message.
func (p *protocol) encode(f frame) []byte {
	if p.legacy {
		f = toLegacy(f)
	}
	return encode(f)
}

// send gives the form in which a message of gqlgen's goes to the client, nil
// for one about an operation that has ended for the client.
func (p *protocol) send(message []byte) ([]byte, error) {
	var f frame
	if err := json.Unmarshal(message, &f); err != nil {
		return nil, fmt.Errorf("read an outgoing message: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f.Type {
	case "connection_ack":
		p.acked = true
		return message, nil
	case "next", "error", "complete":
		if f.Type != "next" {
			p.ended(f.ID)
		}
		_, id, _ := strings.Cut(f.ID, ":")
		if p.inner[id] != f.ID {
			return nil, nil
		}
		if f.Type != "next" {
			delete(p.inner, id)
		}
		f.ID = id
		return p.encode(f), nil
	default:
		return message, nil
	}
}

func (p *protocol) ended(inner string) {
	delete(p.running, inner)
	if len(p.running) == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// settled gives a channel that is closed once gqlgen works on nothing any more.
// No operation may begin after the call.
func (p *protocol) settled() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := make(chan struct{})
	if len(p.running) == 0 {
		close(idle)
	} else {
		p.idle = idle
	}
	return idle
}

// ready says whether the connection was acknowledged.
func (p *protocol) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acked
}

func badRequest(format string, args ...any) *closing {
	return &closing{closeBadRequest, clip(fmt.Sprintf(format, args...))}
}

// clip shortens a close reason to what a close frame can hold.
func clip(reason string) string {
	const most = 123
	if len(reason) <= most {
		return reason
	}
	return strings.ToValidUTF8(reason[:most-len("…")], "") + "…"
}

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// encodeResponse writes a response. One that says why there is no data has none,
// not a data that is null.
func encodeResponse(response *graphql.Response) []byte {
	if response.Data == nil && len(response.Errors) > 0 {
		return encode(map[string]any{"errors": response.Errors})
	}
	return encode(response)
}

// encode writes what is known to be valid JSON.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
