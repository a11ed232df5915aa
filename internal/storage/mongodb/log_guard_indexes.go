package mongodb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
)

// uniqueIndex is a unique index as the server describes it.
type uniqueIndex struct {
	Name    string   `bson:"name"`
	Keys    bson.Raw `bson:"key"`
	Unique  bool     `bson:"unique"`
	Partial bson.Raw `bson:"partialFilterExpression"`
}

// uniqueIndexes are those of the events, with their fields and what they are
// limited to.
var uniqueIndexes = []struct {
	name    string
	fields  []string
	partial string // as JSON, empty for all documents
}{
	{streamIndex, []string{"stream", "version"}, ""},
	{commandIndex, []string{"actor", "commandId"}, `{"command": {"$exists": true}}`},
}

// errIndexesGone says that the unique indexes were not there when events were
// inserted.
var errIndexesGone = errors.New("the unique indexes of the events are not as they must be")

// checkIndexes says what is wrong with the unique indexes of the events.
func (g *guard) checkIndexes(ctx context.Context) (wrong []string, err error) {
	cursor, err := g.db.Collection(eventsCollection).Indexes().List(ctx)
	if err != nil {
		return nil, err
	}
	var found []uniqueIndex
	if err := cursor.All(ctx, &found); err != nil {
		return nil, err
	}
	byName := map[string]uniqueIndex{}
	for _, i := range found {
		byName[i.Name] = i
	}
	for _, want := range uniqueIndexes {
		got, ok := byName[want.name]
		switch {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("the collection %s lacks its unique index %s", eventsCollection, want.name))
		case !got.is(want.fields, want.partial):
			wrong = append(wrong, fmt.Sprintf("the index %s of the collection %s is not the unique one that it must be: drop it", want.name, eventsCollection))
		}
	}
	return wrong, nil
}

// is reports whether an index is unique and has the fields, and the filter,
// that it must have.
func (i uniqueIndex) is(fields []string, partial string) bool {
	elements, err := i.Keys.Elements()
	if err != nil || len(elements) != len(fields) || !i.Unique {
		return false
	}
	for n, e := range elements {
		if order, ok := e.Value().AsInt64OK(); !ok || order != 1 || e.Key() != fields[n] {
			return false
		}
	}
	if partial == "" {
		return len(i.Partial) == 0
	}
	return len(i.Partial) > 0 && strings.Join(strings.Fields(i.Partial.String()), "") == strings.Join(strings.Fields(partial), "")
}

// stand looks, beside a transaction that has inserted events, whether the
// unique indexes are there: then they hold these events, for none can be
// dropped or made until the transaction is over. The channel receives nil,
// errIndexesGone, or why it could not be told.
func (g *guard) stand(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() {
		for {
			wrong, err := g.checkIndexes(ctx)
			switch {
			case err != nil && passing(err) && ctx.Err() == nil:
				pause(ctx, retryPause)
				continue
			case err == nil && len(wrong) > 0:
				err = fmt.Errorf("%w: %s", errIndexesGone, strings.Join(wrong, ", "))
			}
			done <- err
			return
		}
	}()
	return done
}

// double is a key that two events have and one may.
type double struct {
	Key       bson.Raw `bson:"_id"`
	Positions []int64  `bson:"positions"`
}

// doublesNamed is how many doubled keys are named.
const doublesNamed = 5

// explainDoubles makes of an index that could not be made, because rows are
// double, an error that names them and says what to do.
func (s *Store) explainDoubles(ctx context.Context) error {
	var named []string
	first := int64(0)
	for _, index := range uniqueIndexes {
		found, err := s.doubles(ctx, index.fields, index.partial != "")
		if err != nil {
			return translate(ctx, "look for events that are there twice", err)
		}
		for _, d := range found {
			named = append(named, fmt.Sprintf("%s at the positions %s", d.Key, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(d.Positions)), ", "), "[]")))
			if first == 0 || d.Positions[1] < first {
				first = d.Positions[1]
			}
		}
	}
	if first == 0 {
		return s.explainObstacles(ctx)
	}
	cut, err := s.beginOfAppend(ctx, first)
	if err != nil {
		return translate(ctx, "look for events that are there twice", err)
	}
	return domain.Errorf(domain.Invalid, "the collection %s of the database %s has lost its unique indexes and has events twice since then (%s). "+
		"Restore a backup of the database from before that; or take a backup and cut the log off before them, with all that was written later: db.%s.deleteMany({_id: {$gte: NumberLong(%d)}})",
		eventsCollection, s.db.Name(), strings.Join(named[:min(len(named), doublesNamed)], "; "), eventsCollection, cut)
}

// explainObstacles says which documents that are no events keep the unique
// indexes from being made; nil if there are none.
func (s *Store) explainObstacles(ctx context.Context) error {
	other := func(field, kind string) bson.D {
		return bson.D{{Key: field, Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$type", Value: kind}}}}}}
	}
	names, err := s.guard.namesOf(ctx, s.db.Collection(eventsCollection),
		bson.D{{Key: "$or", Value: bson.A{other("_id", "number"), other("stream", "string"), other("type", "string"), other("version", "number")}}})
	if err != nil {
		return translate(ctx, "look for documents that are no events", err)
	}
	if len(names) == 0 {
		return nil
	}
	more := ""
	if len(names) > strayNames {
		names, more = names[:strayNames], ", …"
	}
	return domain.Errorf(domain.Invalid, "the collection %s of the database %s lacks its unique indexes, and documents that are no events keep them from being made; "+
		"remove what does not belong there, or name another database with --mongodb-database if this one is another program's: _id %s%s",
		eventsCollection, s.db.Name(), strings.Join(names, ", "), more)
}

// doubles finds keys that several events have, those of the earliest repeats
// first.
func (s *Store) doubles(ctx context.Context, fields []string, marked bool) ([]double, error) {
	key, match := bson.D{}, onlyEvents()
	for _, f := range fields {
		key = append(key, bson.E{Key: f, Value: "$" + f})
	}
	if marked {
		match = append(match, bson.E{Key: "command", Value: exists})
	}
	cursor, err := s.db.Collection(eventsCollection).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: match}},
		{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: key}, {Key: "positions", Value: bson.D{{Key: "$push", Value: "$_id"}}}}}},
		{{Key: "$set", Value: bson.D{{Key: "second", Value: bson.D{{Key: "$arrayElemAt", Value: bson.A{"$positions", 1}}}}}}},
		{{Key: "$match", Value: bson.D{{Key: "second", Value: exists}}}},
		{{Key: "$sort", Value: bson.D{{Key: "second", Value: 1}}}},
		{{Key: "$limit", Value: doublesNamed}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, err
	}
	var found []double
	return found, cursor.All(ctx, &found)
}

// beginOfAppend returns the position of the first event of the append that an
// event belongs to.
func (s *Store) beginOfAppend(ctx context.Context, position int64) (int64, error) {
	var first struct {
		Position int64 `bson:"_id"`
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$lte", Value: position}, {Key: "$gte", Value: int64(1)}}}, {Key: "command", Value: exists}}
	err := s.db.Collection(eventsCollection).FindOne(ctx, filter, options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}})).Decode(&first)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return position, nil
	}
	return first.Position, err
}
