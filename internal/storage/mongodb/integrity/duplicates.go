package integrity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// duplicatesNamed is how many duplicate keys are named.
const duplicatesNamed = 5

// duplicate is a key of a unique index that several events have.
type duplicate struct {
	Key       bson.Raw `bson:"_id"`
	Positions []int64  `bson:"positions"`
}

// ExplainDuplicates returns an error of kind Invalid that names the documents
// which keep the unique indexes of the events from being created, and says what
// to do. It returns nil if there are none.
func (m *Monitor) ExplainDuplicates(ctx context.Context) error {
	const op = "look for duplicate events"
	var named []string
	first := int64(0)
	for _, index := range format.UniqueIndexes {
		found, err := m.duplicates(ctx, index)
		if err != nil {
			return conn.Translate(ctx, op, err)
		}
		for _, d := range found {
			named = append(named, fmt.Sprintf("%s at the positions %s", d.Key, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(d.Positions)), ", "), "[]")))
			if first == 0 || d.Positions[1] < first {
				first = d.Positions[1]
			}
		}
	}
	if first == 0 {
		return m.explainStrays(ctx)
	}
	cut, err := m.startOfAppend(ctx, first)
	if err != nil {
		return conn.Translate(ctx, op, err)
	}
	return domain.Errorf(domain.Invalid, "the collection %s of the database %s has lost its unique indexes and has had duplicate events since then (%s). "+
		"Restore a backup of the database from before that; or take a backup and cut the log off before them, which removes all that was written later: db.%s.deleteMany({_id: {$gte: NumberLong(%d)}})",
		format.EventsCollection, m.conn.DB().Name(), strings.Join(named[:min(len(named), duplicatesNamed)], "; "), format.EventsCollection, cut)
}

// explainStrays is ExplainDuplicates for documents that are no events.
func (m *Monitor) explainStrays(ctx context.Context) error {
	other := func(field, kind string) bson.D {
		return bson.D{{Key: field, Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$type", Value: kind}}}}}}
	}
	names, err := m.straysThat(ctx,
		bson.D{{Key: "$or", Value: bson.A{other("_id", "number"), other("stream", "string"), other("type", "string"), other("version", "number")}}})
	if err != nil {
		return conn.Translate(ctx, "look for documents that are not events", err)
	}
	if len(names) == 0 {
		return nil
	}
	return domain.Errorf(domain.Invalid, "the collection %s of the database %s lacks its unique indexes, and documents that are not events keep them from being created; "+
		"remove what does not belong there, or name another database with --mongodb-database if this one is another program's: _id %s",
		format.EventsCollection, m.conn.DB().Name(), someOf(names))
}

// duplicates finds keys that several events have, sorted by the position of the
// second of them.
func (m *Monitor) duplicates(ctx context.Context, index format.UniqueIndex) ([]duplicate, error) {
	key, match := bson.D{}, append(format.OnlyEvents(), index.Filter()...)
	for _, f := range index.Fields {
		key = append(key, bson.E{Key: f, Value: "$" + f})
	}
	cursor, err := m.conn.DB().Collection(format.EventsCollection).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: match}},
		{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: key}, {Key: "positions", Value: bson.D{{Key: "$push", Value: "$_id"}}}}}},
		{{Key: "$set", Value: bson.D{{Key: "second", Value: bson.D{{Key: "$arrayElemAt", Value: bson.A{"$positions", 1}}}}}}},
		{{Key: "$match", Value: bson.D{{Key: "second", Value: format.Exists}}}},
		{{Key: "$sort", Value: bson.D{{Key: "second", Value: 1}}}},
		{{Key: "$limit", Value: duplicatesNamed}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, err
	}
	var found []duplicate
	return found, cursor.All(ctx, &found)
}

// startOfAppend returns the position of the first event of the append that an
// event belongs to.
func (m *Monitor) startOfAppend(ctx context.Context, position int64) (int64, error) {
	var first struct {
		Position int64 `bson:"_id"`
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$lte", Value: position}, {Key: "$gte", Value: int64(1)}}}, {Key: "command", Value: format.Exists}}
	err := m.conn.DB().Collection(format.EventsCollection).FindOne(ctx, filter, options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}})).Decode(&first)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return position, nil
	}
	return first.Position, err
}
