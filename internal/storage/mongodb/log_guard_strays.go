package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// straysAt names the documents at one end of the collection whose _id is not
// among the positions: before them all if end is 1, after them all if it is -1.
func straysAt(ctx context.Context, events *mongo.Collection, end int) ([]string, error) {
	cursor, err := events.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: end}}).SetLimit(strayNames+1).SetProjection(endFields))
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
		names = append(names, describeStray(doc))
	}
	return names, cursor.Err()
}

// beforeAll reports whether a number is less than the first position.
func beforeAll(id bsoncore.Value) bool {
	if n, ok := wholeNumber(id); ok {
		return n < 1
	}
	f, ok := id.DoubleOK()
	return !ok || !(f >= 1) // NaN stands before all other numbers
}

// stillThere names the strays that readers passed over and that are still
// there.
func (g *guard) stillThere(ctx context.Context, events *mongo.Collection, f *finding) ([]string, error) {
	g.mu.Lock()
	ids := bson.A{}
	for name, id := range g.passed {
		ids, f.passed = append(ids, id), append(f.passed, name)
	}
	g.mu.Unlock()
	if len(ids) == 0 {
		return nil, nil
	}
	return g.namesOf(ctx, events, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
}

// namesOf names the strays that match.
func (g *guard) namesOf(ctx context.Context, events *mongo.Collection, filter bson.D) ([]string, error) {
	cursor, err := events.Find(ctx, filter, options.Find().SetProjection(endFields).SetLimit(strayNames+1))
	if err != nil {
		return nil, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	var names []string
	for cursor.Next(ctx) {
		if _, ok := eventPosition(bsoncore.Document(cursor.Current)); !ok {
			g.passedOver(cursor.Current.Lookup("_id"))
			names = append(names, describeStray(bsoncore.Document(cursor.Current)))
		}
	}
	return names, cursor.Err()
}

// searchTimeout bounds the search for strays between the events, which reads
// the index on _id from end to end.
const searchTimeout = 2 * time.Minute

// search looks for strays whose numbers are between those of the events, unless
// the collection has just as many documents as the log has events.
func (g *guard) search(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	n, err := g.db.Collection(eventsCollection).EstimatedDocumentCount(call)
	if err == nil && n == int64(g.furthest()) {
		return
	}
	between := bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: bson.A{"double", "decimal"}}}}, {Key: "type", Value: nil}}
	if _, err := g.namesOf(call, g.db.Collection(eventsCollection), between); err != nil && ctx.Err() == nil {
		g.logger.Warn("look for documents among the events that are none", "error", err)
	}
}
