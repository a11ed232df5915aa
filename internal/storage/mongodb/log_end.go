package mongodb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/domain"
)

// An event is a document whose _id is a whole number from 1 on and that has a
// stream, a version and a type. Whatever else is in the collection is a stray:
// readers pass over it, and the guard names it. In the order of MongoDB, ids
// that are no numbers stand before and after all numbers, and a number may have
// a fraction, so the document with the greatest _id need not be the last event.

// numberIDs matches the documents whose _id is a number from 1 on: conditions
// on a number never match a value of another type.
var numberIDs = bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: int64(1)}}}}

// onlyEvents matches events, as eventPosition tells them from strays, but for
// ids with a fraction.
func onlyEvents() bson.D {
	text := bson.D{{Key: "$type", Value: "string"}}
	return append(slices.Clone(numberIDs), bson.E{Key: "stream", Value: text}, bson.E{Key: "type", Value: text},
		bson.E{Key: "version", Value: bson.D{{Key: "$type", Value: "number"}}})
}

// endFields are what tells an event from a stray, and what is needed of the
// last event.
var endFields = bson.D{{Key: "turn", Value: 1}, {Key: importingField, Value: 1}, {Key: "stream", Value: 1}, {Key: "version", Value: 1}, {Key: "type", Value: 1}}

const (
	// endDocs is how many documents a look at the end of the log reads: the
	// last event and the one before it.
	endDocs = 2
	// manyEndDocs is how many it reads when strays are among them.
	manyEndDocs = 200
)

// lastEvent is what is needed to know of the last event of the log.
type lastEvent struct {
	position domain.Position // 0 in an empty log
	turn     int64           // the ticket with which it was appended, if any
	// beyond describes the strays with greater numbers, which the log would
	// run into.
	beyond []string
}

// fit returns a *damage unless events can be appended after the last one of a
// log that has been at a position.
func (e lastEvent) fit(seen domain.Position) error {
	switch {
	case e.position < seen:
		return &damage{fmt.Sprintf("the log ends at position %d, and has been at %d", e.position, seen)}
	case len(e.beyond) > 0:
		return &damage{"documents that are no events stand beyond the end of the log"}
	}
	return nil
}

// damage is an error that says what is wrong with the log itself, so that
// nothing may be appended to it.
type damage struct{ what string }

// Error implements error.
func (d *damage) Error() string { return d.what }

// readLast finds the last event. An end that cannot be told is a *damage.
func readLast(ctx context.Context, events *mongo.Collection) (lastEvent, error) {
	for _, limit := range []int{endDocs, manyEndDocs} {
		docs, err := readEnd(ctx, events, limit)
		if err != nil {
			return lastEvent{}, err
		}
		last, enough, err := endOf(docs, len(docs) < limit)
		if enough || err != nil {
			return last, err
		}
	}
	return lastEvent{}, &damage{fmt.Sprintf("the end of the log cannot be told, for more than %d documents with greater numbers are no events", manyEndDocs-endDocs)}
}

// readEnd reads the documents with the greatest numbers, the greatest first.
func readEnd(ctx context.Context, events *mongo.Collection, limit int) ([]bsoncore.Document, error) {
	cursor, err := events.Find(ctx, numberIDs, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).
		SetLimit(int64(limit)).SetBatchSize(int32(limit+1)).SetProjection(endFields))
	if err != nil {
		return nil, err
	}
	var docs []bsoncore.Document
	for cursor.Next(ctx) {
		docs = append(docs, slices.Clone(bsoncore.Document(cursor.Current)))
	}
	return docs, errors.Join(cursor.Err(), cursor.Close(ctx))
}

// endOf finds the last event among the documents with the greatest numbers. It
// is the greatest that is an event, and the event before it must be there; if
// not all documents are given, they may not be enough to tell.
func endOf(docs []bsoncore.Document, all bool) (last lastEvent, enough bool, err error) {
	for _, doc := range docs {
		position, ok := eventPosition(doc)
		switch {
		case doc.Lookup(importingField).Type != 0:
			return lastEvent{}, true, errImporting
		case !ok && last.position == 0:
			last.beyond = append(last.beyond, describeStray(doc))
		case !ok: // a stray between the last two events
		case last.position == 0:
			last.position = position
			last.turn, _ = doc.Lookup("turn").AsInt64OK()
			if position == 1 {
				return last, true, nil
			}
		case position == last.position-1:
			return last, true, nil
		default:
			return lastEvent{}, true, gap(position, last.position)
		}
	}
	if all && last.position > 1 {
		return lastEvent{}, true, gap(0, last.position)
	}
	return last, all, nil
}

func gap(before, after domain.Position) error {
	missing := fmt.Sprintf("the events %d to %d are", before+1, after-1)
	if before+2 == after {
		missing = fmt.Sprintf("the event %d is", before+1)
	}
	return &damage{fmt.Sprintf("the log has a gap: %s missing before the one at position %d", missing, after)}
}

// eventPosition returns the position of an event's document. The bool is false
// for a stray.
func eventPosition(doc bsoncore.Document) (domain.Position, bool) {
	position, ok := wholeNumber(doc.Lookup("_id"))
	if !ok || position < 1 {
		return 0, false
	}
	_, isText := doc.Lookup("stream").StringValueOK()
	_, isType := doc.Lookup("type").StringValueOK()
	return domain.Position(position), isText && isType && doc.Lookup("version").IsNumber()
}

// wholeNumber returns a number without a fraction. Tools that write JSON turn
// an int64 into an int32 or a double, which MongoDB takes for the same _id.
func wholeNumber(v bsoncore.Value) (int64, bool) {
	if f, ok := v.DoubleOK(); ok {
		return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	return v.AsInt64OK() // of a decimal there is none
}

// describeStray names a document that is no event.
func describeStray(doc bsoncore.Document) string {
	id := doc.Lookup("_id")
	return describeID(bson.RawValue{Type: bson.Type(id.Type), Value: id.Data})
}

// describeID names a document by its _id, as JSON.
func describeID(id bson.RawValue) string { return fmt.Sprintf("%.80s", id.String()) }
