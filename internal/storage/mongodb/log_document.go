package mongodb

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

// maxDocument is how large an event may become. The server's own limit is a
// little higher.
const maxDocument = 15 << 20

// idOffset is where a document has the eight bytes of its position: after the
// document's length, the type byte and "_id\x00".
const idOffset = 4 + 1 + 4

// document is an event as it is kept. The position comes first, so that it can
// be filled in when the append's turn has come.
type document []byte

func (d document) setPosition(p domain.Position) {
	binary.LittleEndian.PutUint64(d[idOffset:], uint64(p))
}

// withTurn gives the document of a group's last event, with the ticket under
// which the group is appended.
func (d document) withTurn(ticket int64) document {
	open := append(make([]byte, 0, len(d)+16), d[:len(d)-1]...)
	open = append(bsoncore.AppendInt64Element(open, "turn", ticket), 0)
	return document(bsoncore.UpdateLength(open, 0, int32(len(open))))
}

// MarshalBSON implements bson.Marshaler.
func (d document) MarshalBSON() ([]byte, error) { return d, nil }

// encodeAppend makes the documents of an append, which lack their positions.
func encodeAppend(a eventstore.Append) ([]document, error) {
	events := a.At(0)
	docs := make([]document, len(events))
	for i, e := range events {
		doc, err := encodeEvent(e)
		if err != nil {
			return nil, fmt.Errorf("append to stream %q: %w", e.Stream, err)
		}
		docs[i] = doc
	}
	return docs, nil
}

// encodeEvent makes an event's document.
func encodeEvent(e eventstore.Event) (document, error) {
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
	return document(d), nil
}

// decodeEvent reads what encodeEvent made. Fields that it does not know are
// passed over.
func decodeEvent(raw bson.Raw) (eventstore.Event, error) {
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
			return fmt.Errorf("a BSON %s, not a document", v.Type)
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

// textField gives where decodeField puts a text.
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
