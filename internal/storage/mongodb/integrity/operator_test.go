package integrity_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/storage/mongodb/storetest"
)

// operator changes a database beside the servers that use it.
type operator struct {
	t   *testing.T
	db  *mongo.Database
	was bson.D // the document that was changed or removed last
}

func (o *operator) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) events() *mongo.Collection { return o.db.Collection("events") }

func (o *operator) dropEvents() { o.must(o.events().Drop(o.t.Context())) }

func (o *operator) dropDatabase() { o.must(o.db.Drop(o.t.Context())) }

func (o *operator) emptyEvents() {
	_, err := o.events().DeleteMany(o.t.Context(), bson.D{})
	o.must(err)
}

// backUp returns all events.
func (o *operator) backUp() (docs []bson.D) {
	cursor, err := o.events().Find(o.t.Context(), bson.D{})
	if err == nil {
		err = cursor.All(o.t.Context(), &docs)
	}
	o.must(err)
	return docs
}

// restoreEvents replaces the collection by one with the documents of a backup, and
// without indexes.
func (o *operator) restoreEvents(docs []bson.D) {
	o.dropEvents()
	_, err := o.events().InsertMany(o.t.Context(), docs)
	o.must(err)
}

func (o *operator) replaceEvents() { o.restoreEvents(o.backUp()) }

// capEvents limits the size of the collection, which makes it another one.
func (o *operator) capEvents() {
	o.must(o.db.RunCommand(o.t.Context(), bson.D{{Key: "convertToCapped", Value: "events"}, {Key: "size", Value: 1 << 20}}).Err())
}

// restart starts and stops a server, which creates missing indexes.
func (o *operator) restart() {
	_, closeStore := storetest.Open(o.t, o.db.Name())
	closeStore()
}

// replaceIndex replaces the index on streams by one that is not unique.
func (o *operator) replaceIndex() {
	dropsIndex("stream_version")(o)
	_, err := o.events().Indexes().CreateOne(o.t.Context(), mongo.IndexModel{
		Keys:    bson.D{{Key: "stream", Value: 1}, {Key: "version", Value: 1}},
		Options: options.Index().SetName("stream_version"),
	})
	o.must(err)
}

// removeIndex undoes replaceIndex.
func (o *operator) removeIndex() {
	dropsIndex("stream_version")(o)
	o.restart()
}

func dropsIndex(name string) func(*operator) {
	return func(o *operator) { o.must(o.events().Indexes().DropOne(o.t.Context(), name)) }
}

func renames(from, to string) func(*operator) {
	return func(o *operator) {
		o.must(o.db.Client().Database("admin").RunCommand(o.t.Context(), bson.D{
			{Key: "renameCollection", Value: o.db.Name() + "." + from}, {Key: "to", Value: o.db.Name() + "." + to},
		}).Err())
	}
}

func removes(collection string, id any) func(*operator) {
	return func(o *operator) {
		o.must(o.db.Collection(collection).FindOneAndDelete(o.t.Context(), bson.D{{Key: "_id", Value: id}}).Decode(&o.was))
	}
}

func sets(collection string, id any, field, value string) func(*operator) {
	return func(o *operator) {
		set := bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}}
		o.must(o.db.Collection(collection).FindOneAndUpdate(o.t.Context(), bson.D{{Key: "_id", Value: id}}, set).Decode(&o.was))
	}
}

// restores undoes removes and sets.
func restores(collection string) func(*operator) {
	return func(o *operator) {
		id := bson.D{{Key: "_id", Value: o.was[0].Value}}
		_, err := o.db.Collection(collection).ReplaceOne(o.t.Context(), id, o.was, options.Replace().SetUpsert(true))
		o.must(err)
	}
}
