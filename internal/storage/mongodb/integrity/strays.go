package integrity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/storage/mongodb/format"
)

// searchTimeout bounds a search that reads the index on _id from end to end.
const searchTimeout = 2 * time.Minute

// straysAt names the strays at one end of the collection whose _id sorts outside
// the positions: before them all if end is 1, after them all if it is -1.
func straysAt(ctx context.Context, events *mongo.Collection, end int) ([]string, error) {
	cursor, err := events.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: end}}).SetLimit(strayNames+1).SetProjection(format.EventFields))
	if err != nil {
		return nil, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	var names []string
	for cursor.Next(ctx) {
		doc := bsoncore.Document(cursor.Current)
		if id := doc.Lookup("_id"); id.IsNumber() && (end < 0 || !beforeAll(id)) {
			break
		}
		names = append(names, format.DescribeStray(doc))
	}
	return names, cursor.Err()
}

// beforeAll reports whether a number sorts before the first position.
func beforeAll(id bsoncore.Value) bool {
	if n, ok := format.WholeNumber(id); ok {
		return n < 1
	}
	f, ok := id.DoubleOK()
	return !ok || !(f >= 1) // NaN sorts before all other numbers
}

// NoteStray notes the _id of a stray that a reader has skipped.
func (m *Monitor) NoteStray(id bson.RawValue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.skipped) < strayNames {
		m.skipped[format.DescribeID(id)] = bson.RawValue{Type: id.Type, Value: slices.Clone(id.Value)}
	}
}

// stillThere names the strays that readers skipped and that are still there.
func (m *Monitor) stillThere(ctx context.Context, f *findings) ([]string, error) {
	m.mu.Lock()
	ids := bson.A{}
	for name, id := range m.skipped {
		ids, f.skipped = append(ids, id), append(f.skipped, name)
	}
	m.mu.Unlock()
	if len(ids) == 0 {
		return nil, nil
	}
	return m.straysThat(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
}

// straysThat notes and names the strays that match a filter.
func (m *Monitor) straysThat(ctx context.Context, filter bson.D) ([]string, error) {
	cursor, err := m.conn.DB().Collection(format.EventsCollection).Find(ctx, filter, options.Find().SetProjection(format.EventFields).SetLimit(strayNames+1))
	if err != nil {
		return nil, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	var names []string
	for cursor.Next(ctx) {
		if _, ok := format.EventPosition(bsoncore.Document(cursor.Current)); !ok {
			m.NoteStray(cursor.Current.Lookup("_id"))
			names = append(names, format.DescribeStray(bsoncore.Document(cursor.Current)))
		}
	}
	return names, cursor.Err()
}

// findFractions looks for strays whose numbers lie between those of the events,
// unless the collection has exactly as many documents as the log has events.
func (m *Monitor) findFractions(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	n, err := m.conn.DB().Collection(format.EventsCollection).EstimatedDocumentCount(call)
	if err == nil && n == int64(m.Furthest()) {
		return
	}
	between := bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: bson.A{"double", "decimal"}}}}, {Key: "type", Value: nil}}
	if _, err := m.straysThat(call, between); err != nil && ctx.Err() == nil {
		m.logger.Warn("look for documents that are not events", "error", err)
	}
}

// describeStrays returns a line for the operator about strays.
func describeStrays(names []string) string {
	return fmt.Sprintf("the collection %s has documents that are not events, and are ignored; remove what does not belong there: _id %s",
		format.EventsCollection, someOf(names))
}

// someOf joins names, but no more than strayNames.
func someOf(names []string) string {
	if len(names) > strayNames {
		return strings.Join(names[:strayNames], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
