package format

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
)

// ReadHashes returns the hashes of the events at some positions; a position
// without an event has none.
func ReadHashes(ctx context.Context, events *mongo.Collection, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	cursor, err := events.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: positions}}}},
		options.Find().SetProjection(bson.D{{Key: "stream", Value: 1}, {Key: "recordedAt", Value: 1}}))
	if err != nil {
		return nil, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	hashes := make(map[domain.Position]domain.EventHash, len(positions))
	for cursor.Next(ctx) {
		at, isNumber := cursor.Current.Lookup("_id").AsInt64OK()
		stream, isText := cursor.Current.Lookup("stream").StringValueOK()
		ms, isTime := cursor.Current.Lookup("recordedAt").DateTimeOK()
		if !isNumber || !isText || !isTime {
			return nil, fmt.Errorf("the event at position %d lacks its stream or its time", at)
		}
		hashes[domain.Position(at)] = domain.HashEvent(domain.StreamID(stream), time.UnixMilli(ms))
	}
	return hashes, cursor.Err()
}
