package format

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// maxDocument is how large an event's document may be. The server's own limit is
// slightly higher.
const maxDocument = 15 << 20

// idOffset is the offset of the position's eight bytes in a document: after its
// length, the type byte and "_id\x00".
const idOffset = 4 + 1 + 4

// Document is an event's BSON document. Its position comes first, so that it
// can be filled in once it is known, when the append is about to be written.
type Document []byte

// SetPosition sets the position of the event.
func (d Document) SetPosition(p domain.Position) {
	binary.LittleEndian.PutUint64(d[idOffset:], uint64(p))
}

// WithTicket returns the document of a transaction's last event, with the ticket
// under which it is appended, or 0 if there is none.
func (d Document) WithTicket(ticket int64) Document {
	open := append(make([]byte, 0, len(d)+16), d[:len(d)-1]...)
	open = append(bsoncore.AppendInt64Element(open, TicketField, ticket), 0)
	return Document(bsoncore.UpdateLength(open, 0, int32(len(open))))
}

// MarshalBSON implements bson.Marshaler.
func (d Document) MarshalBSON() ([]byte, error) { return d, nil }

// EncodeEvent returns an event's document.
func EncodeEvent(e eventstore.Event) (Document, error) {
	at, d := bsoncore.AppendDocumentStart(make([]byte, 0, 256+2*len(e.Data)))
	d = bsoncore.AppendInt64Element(d, "_id", int64(e.Position))
	d = bsoncore.AppendStringElement(d, "stream", string(e.Stream))
	d = bsoncore.AppendInt64Element(d, "version", e.Version)
	d = bsoncore.AppendStringElement(d, "type", e.Type)
	d, err := appendJSON(d, "data", e.Data)
	if err != nil {
		return nil, err
	}
	d = bsoncore.AppendDateTimeElement(d, "recordedAt", e.RecordedAt.UnixMilli())
	d = bsoncore.AppendStringElement(d, "actor", e.Actor)
	d = bsoncore.AppendStringElement(d, "commandId", e.CommandID)
	if e.CorrelationID != "" {
		d = bsoncore.AppendStringElement(d, "correlationId", e.CorrelationID)
	}
	if e.TraceID != "" {
		d = bsoncore.AppendStringElement(d, "traceId", e.TraceID)
	}
	if e.Command != nil {
		var inner int32
		inner, d = bsoncore.AppendDocumentElementStart(d, "command")
		d = bsoncore.AppendStringElement(d, "fingerprint", e.Command.Fingerprint)
		d = bsoncore.AppendInt64Element(d, "events", int64(e.Command.Events))
		if d, err = bsoncore.AppendDocumentEnd(d, inner); err != nil {
			return nil, err
		}
	}
	if d, err = bsoncore.AppendDocumentEnd(d, at); err != nil {
		return nil, err
	}
	if len(d) > maxDocument {
		return nil, fmt.Errorf("an event of %d bytes, at most %d can be kept", len(d), maxDocument)
	}
	return Document(d), nil
}

// DecodeEvent decodes an event's document. It ignores fields that it does not
// know, which a newer version of the program may have written.
func DecodeEvent(raw bson.Raw) (eventstore.Event, error) {
	var e eventstore.Event
	elements, err := bsoncore.Document(raw).Elements()
	if err != nil {
		return e, fmt.Errorf("decode an event: %w", err)
	}
	for _, el := range elements {
		if err := decodeField(&e, el.Key(), el.Value()); err != nil {
			return e, fmt.Errorf("decode the event at position %d: its field %s: %w", e.Position, el.Key(), err)
		}
	}
	if e.Position <= 0 || e.Version <= 0 || e.Data == nil {
		return e, fmt.Errorf("decode the event at position %d: its position, version or data is missing", e.Position)
	}
	return e, nil
}

// decodeField sets the field of e that an element of its document holds.
func decodeField(e *eventstore.Event, key string, v bsoncore.Value) error {
	ok, text := true, ""
	switch key {
	case "_id":
		var n int64
		n, ok = v.AsInt64OK()
		e.Position = domain.Position(n)
	case "version":
		e.Version, ok = v.AsInt64OK()
	case "recordedAt":
		var ms int64
		ms, ok = v.DateTimeOK()
		e.RecordedAt = time.UnixMilli(ms).UTC()
	case "data":
		if v.Type != bsoncore.TypeEmbeddedDocument {
			return fmt.Errorf("a BSON %s, not a Document", v.Type)
		}
		out := bytes.NewBuffer(make([]byte, 0, len(v.Data)))
		if err := writeJSON(out, v); err != nil {
			return err
		}
		e.Data = json.RawMessage(out.Bytes())
	case "command":
		mark, _ := v.DocumentOK()
		fingerprint, isText := mark.Lookup("fingerprint").StringValueOK()
		events, isNumber := mark.Lookup("events").AsInt64OK()
		e.Command, ok = &eventstore.CommandMark{Fingerprint: fingerprint, Events: int(events)}, isText && isNumber
	case "stream", "type", "actor", "commandId", "correlationId", "traceId":
		text, ok = v.StringValueOK()
		*textField(e, key) = text
	}
	if !ok {
		return fmt.Errorf("a BSON %s is not what belongs there", v.Type)
	}
	return nil
}

// textField returns where decodeField puts a string.
func textField(e *eventstore.Event, key string) *string {
	switch key {
	case "stream":
		return (*string)(&e.Stream)
	case "type":
		return &e.Type
	case "actor":
		return &e.Actor
	case "commandId":
		return &e.CommandID
	case "correlationId":
		return &e.CorrelationID
	default:
		return &e.TraceID
	}
}
