package format

import (
	"fmt"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/domain"
)

// An event is a document whose _id is a whole number from 1 on and that has a
// stream, a version and a type. Any other document in the collection is a stray:
// readers skip it, and package integrity reports it. MongoDB sorts ids that are
// not numbers before and after all numbers, and a number may have a fraction, so
// the document with the greatest _id need not be the last event.

// numberIDs matches the documents whose _id is a number from 1 on, because a
// comparison with a number never matches a value of another type.
var numberIDs = bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: int64(1)}}}}

// EventFields projects what EventPosition needs of a document.
var EventFields = bson.D{{Key: "stream", Value: 1}, {Key: "version", Value: 1}, {Key: "type", Value: 1}}

// OnlyEvents returns a filter that matches events, as EventPosition tells them
// from strays. It also matches ids with a fraction.
func OnlyEvents() bson.D {
	text := bson.D{{Key: "$type", Value: "string"}}
	return append(slices.Clone(numberIDs), bson.E{Key: "stream", Value: text}, bson.E{Key: "type", Value: text},
		bson.E{Key: "version", Value: bson.D{{Key: "$type", Value: "number"}}})
}

// EventPosition returns the position of an event's document. The bool is false
// for a stray.
func EventPosition(doc bsoncore.Document) (domain.Position, bool) {
	position, ok := WholeNumber(doc.Lookup("_id"))
	if !ok || position < 1 {
		return 0, false
	}
	_, hasStream := doc.Lookup("stream").StringValueOK()
	_, hasType := doc.Lookup("type").StringValueOK()
	return domain.Position(position), hasStream && hasType && doc.Lookup("version").IsNumber()
}

// WholeNumber returns the value of a number without a fraction. Tools that write
// JSON turn an int64 into an int32 or a double, which MongoDB takes for the same
// _id. A decimal is never one.
func WholeNumber(v bsoncore.Value) (int64, bool) {
	if f, ok := v.DoubleOK(); ok {
		return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	return v.AsInt64OK()
}

// DescribeStray names a document by its _id.
func DescribeStray(doc bsoncore.Document) string {
	id := doc.Lookup("_id")
	return DescribeID(bson.RawValue{Type: bson.Type(id.Type), Value: id.Data})
}

// DescribeID returns an _id as JSON, shortened.
func DescribeID(id bson.RawValue) string { return fmt.Sprintf("%.80s", id.String()) }
