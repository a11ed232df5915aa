package eventlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

const (
	// importPrefix begins the names of the collections that imports fill. The
	// next import drops what one that died has left.
	importPrefix = format.EventsCollection + "_import_"
	importDocs   = 1000 // in one insert
	importers    = 3    // inserts at a time
)

// Import implements eventstore.Log. It inserts the events into a collection of their
// own, and then renames that to take the place of the empty one. Before
// the rename, in the transaction that checks that the log is empty, it inserts a
// document with the field "importing" at position 1. That document conflicts with
// any append in progress, and a server that finds it appends and serves nothing.
func (l *Log) Import(ctx context.Context, epoch string, events iter.Seq2[[]eventstore.Event, error]) error {
	if epoch == "" {
		return domain.Errorf(domain.Invalid, "import: the epoch is empty")
	}
	l.monitor.Suspend()
	last, err := l.importAll(ctx, epoch, events)
	if err != nil {
		return conn.Translate(ctx, "import", err)
	}
	l.epoch.Store(&epoch)
	if err := l.monitor.Begin(ctx, epoch); err != nil {
		return conn.Translate(ctx, "look at what was imported", err)
	}
	l.monitor.Check(ctx) // records what must be there from now on
	l.changes.replaced(last)
	return nil
}

// importAll replaces the log, and returns the position of the last event.
func (l *Log) importAll(ctx context.Context, epoch string, events iter.Seq2[[]eventstore.Event, error]) (last domain.Position, err error) {
	db := l.events.Database()
	if err := checkEmpty(ctx, l.events); err != nil {
		return 0, err
	}
	if err := dropImports(ctx, db); err != nil {
		return 0, err
	}
	name := importPrefix + strings.ToLower(rand.Text()[:8])
	if err := db.CreateCollection(ctx, name); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), conn.AnswerTimeout)
			defer cancel()
			_ = db.Collection(name).Drop(cleaning) // otherwise the next import does it
		}
	}()
	if last, err = fill(ctx, db.Collection(name), events); err != nil {
		return 0, err
	}
	return last, l.replace(ctx, name, epoch)
}

// fill inserts all events into a collection, indexes them, and checks them.
func fill(ctx context.Context, c *mongo.Collection, events iter.Seq2[[]eventstore.Event, error]) (domain.Position, error) {
	// The inserts do not wait for a majority, because the writes that follow them
	// do.
	quick := c.Database().Collection(c.Name(), options.Collection().SetWriteConcern(writeconcern.W1()))
	var sequence eventstore.Sequence
	if err := insertAll(ctx, quick, &sequence, events); err != nil {
		return 0, err
	}
	if err := sequence.End(); err != nil {
		return 0, err
	}
	if _, err := c.Indexes().CreateMany(ctx, format.EventIndexes()); conn.HasCode(err, conn.CodeDuplicateKey) {
		return 0, domain.Errorf(domain.Invalid, "two events have one version of a stream, or two appends one command: %v", err)
	} else if err != nil {
		return 0, err
	}
	return sequence.Last(), checkStreams(ctx, c, int64(sequence.Last()))
}

// insertAll inserts the events in batches, some of them at the same time.
func insertAll(ctx context.Context, c *mongo.Collection, sequence *eventstore.Sequence, events iter.Seq2[[]eventstore.Event, error]) error {
	inserts, inserting := errgroup.WithContext(ctx)
	inserts.SetLimit(importers)
	read := func() error {
		var docs []format.Document
		insert := func() {
			batch := docs
			docs = nil
			inserts.Go(func() error {
				_, err := c.InsertMany(inserting, batch, options.InsertMany().SetOrdered(false))
				return err
			})
		}
		for batch, err := range events {
			if err != nil {
				return err
			}
			for _, e := range batch {
				if err := sequence.Next(e); err != nil {
					return err
				}
				doc, err := format.EncodeEvent(e)
				if err != nil {
					return domain.Errorf(domain.Invalid, "the event at position %d: %v", e.Position, err)
				}
				if docs = append(docs, doc); len(docs) == importDocs {
					insert()
				}
			}
			if inserting.Err() != nil {
				return nil // the insert that failed says why
			}
		}
		if len(docs) > 0 {
			insert()
		}
		return nil
	}
	return errors.Join(read(), inserts.Wait())
}

// checkStreams checks the versions of all streams by reading their index from end
// to end. It counts the events as well, because the next insert creates a
// collection that was dropped meanwhile again, without what was in it.
func checkStreams(ctx context.Context, c *mongo.Collection, want int64) error {
	sorted := options.Find().SetSort(bson.D{{Key: "stream", Value: 1}, {Key: "version", Value: 1}}).
		SetProjection(bson.D{{Key: "stream", Value: 1}, {Key: "version", Value: 1}}).SetBatchSize(10_000)
	cursor, err := c.Database().Collection(c.Name(), options.Collection().SetReadConcern(readconcern.Local())).Find(ctx, bson.D{}, sorted)
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	var streams eventstore.Streams
	for cursor.Next(ctx) {
		doc := bsoncore.Document(cursor.Current)
		stream, _ := doc.Lookup("stream").StringValueOK()
		version, _ := doc.Lookup("version").AsInt64OK()
		position, _ := doc.Lookup("_id").AsInt64OK()
		if err := streams.Next(domain.StreamID(stream), version, domain.Position(position)); err != nil {
			return err
		}
	}
	if err := cursor.Err(); err != nil {
		return err
	}
	if streams.Events() != want {
		return fmt.Errorf("%d of %d events are there: something else writes to the collection %s", streams.Events(), want, c.Name())
	}
	return nil
}

// replace puts a collection that holds a whole log in the place of the empty
// one, and sets the log's epoch.
func (l *Log) replace(ctx context.Context, name, epoch string) error {
	db := l.events.Database()
	if err := l.fence(ctx, epoch); err != nil {
		return err
	}
	// The views of an empty log show nothing, and have the epoch that it had.
	if err := l.dropViews(ctx); err != nil {
		return err
	}
	return db.Client().Database("admin").RunCommand(ctx, bson.D{
		{Key: "renameCollection", Value: db.Name() + "." + name},
		{Key: "to", Value: db.Name() + "." + format.EventsCollection},
		{Key: "dropTarget", Value: true},
		{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}}},
	}).Err()
}

// fence inserts the document that ends all appends, if the log is still empty,
// and sets the epoch.
func (l *Log) fence(ctx context.Context, epoch string) error {
	session, err := l.events.Database().Client().StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	l.conn.Began(session)
	_, err = session.WithTransaction(ctx, func(inside context.Context) (any, error) {
		if err := checkEmpty(inside, l.events); err != nil {
			return nil, err
		}
		if _, err := l.events.DeleteMany(inside, bson.D{}); err != nil { // an older fence
			return nil, err
		}
		if _, err := l.events.InsertOne(inside, bson.D{{Key: "_id", Value: int64(1)}, {Key: format.ImportingField, Value: true}}); err != nil {
			return nil, err
		}
		set := bson.D{{Key: "$set", Value: bson.D{{Key: "epoch", Value: epoch}}}, {Key: "$unset", Value: bson.D{{Key: format.FirstField, Value: ""}, {Key: format.PasswordsField, Value: ""}, {Key: format.SecretField, Value: ""}}}}
		_, err := l.events.Database().Collection(format.LogCollection).UpdateByID(inside, format.LogID, set)
		return nil, err
	})
	if err == nil {
		l.conn.Committed(session)
	}
	return err
}

// checkEmpty returns an error if there is an event. The document of an import
// that died is none.
func checkEmpty(ctx context.Context, events *mongo.Collection) error {
	last, err := format.ReadLast(ctx, events)
	switch {
	case errors.Is(err, format.ErrImporting):
		return nil
	case err == nil && last.Position > 0:
		return eventstore.NotEmpty(last.Position)
	}
	return err
}

// dropImports drops what imports that died have left.
func dropImports(ctx context.Context, db *mongo.Database) error {
	names, err := db.ListCollectionNames(ctx, bson.D{})
	for _, name := range names {
		if err == nil && strings.HasPrefix(name, importPrefix) {
			err = db.Collection(name).Drop(ctx)
		}
	}
	return err
}

// replaced makes all followers read a log that has taken the place of another.
func (c *changes) replaced(end domain.Position) {
	c.mu.Lock()
	c.published = end
	c.mu.Unlock()
	c.tail.Reset()
	c.checkpointMoved()
}
