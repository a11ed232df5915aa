package mongodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

const (
	// importPrefix begins the names of the collections that imports fill. What
	// an import that died has left is dropped by the next one.
	importPrefix = eventsCollection + "_import_"
	importDocs   = 1000 // in one insert
	importers    = 3    // inserts at a time
	// importWait is how long servers may take to be gone.
	importWait = 3 * time.Second
)

// errImporting is what servers get that read a log which is being replaced.
var errImporting = domain.Errorf(domain.Unavailable, "an import into this database was broken off at its last step; run it again")

// Import implements eventstore.Log. The events go to a collection of
// their own, which then takes the place of the empty one. Between the look
// whether that is empty and the replacement stands a document at position 1
// with the field "importing": it conflicts with any append under way, and
// whoever finds it there appends and serves nothing.
func (l *Log) Import(ctx context.Context, epoch string, events iter.Seq2[[]eventstore.Event, error]) error {
	if epoch == "" {
		return domain.Errorf(domain.Invalid, "import: the epoch is empty")
	}
	l.guard.pause()
	last, err := l.importAll(ctx, epoch, events)
	if err != nil {
		return translate(ctx, "import", err)
	}
	l.epoch.Store(&epoch)
	if _, err := l.guard.begin(ctx, epoch); err != nil {
		return translate(ctx, "look at what was imported", err)
	}
	l.guard.check(ctx) // writes down what there must be from now on
	l.changes.replaced(last)
	return nil
}

func (l *Log) importAll(ctx context.Context, epoch string, events iter.Seq2[[]eventstore.Event, error]) (last domain.Position, err error) {
	db := l.events.Database()
	if err := checkEmpty(ctx, l.events); err != nil {
		return 0, err
	}
	if err := dropCollections(ctx, db, func(name string) bool { return strings.HasPrefix(name, importPrefix) }); err != nil {
		return 0, err
	}
	name := importPrefix + strings.ToLower(rand.Text()[:8])
	if err := db.CreateCollection(ctx, name); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
			defer cancel()
			_ = db.Collection(name).Drop(cleaning) // the next import would do it
		}
	}()
	if last, err = fill(ctx, db.Collection(name), events); err != nil {
		return 0, err
	}
	return last, l.replace(ctx, name, epoch)
}

// fill writes all events to a collection, indexes them, and checks them.
func fill(ctx context.Context, c *mongo.Collection, events iter.Seq2[[]eventstore.Event, error]) (domain.Position, error) {
	// What follows them waits for a majority, and so for them.
	quick := c.Database().Collection(c.Name(), options.Collection().SetWriteConcern(writeconcern.W1()))
	var sequence eventstore.Sequence
	if err := insertAll(ctx, quick, &sequence, events); err != nil {
		return 0, err
	}
	if err := sequence.End(); err != nil {
		return 0, err
	}
	if _, err := c.Indexes().CreateMany(ctx, eventIndexes()); hasCode(err, codeDuplicateKey) {
		return 0, domain.Errorf(domain.Invalid, "two events have one version of a stream, or two appends one command: %v", err)
	} else if err != nil {
		return 0, err
	}
	return sequence.Last(), checkStreams(ctx, c, int64(sequence.Last()))
}

func insertAll(ctx context.Context, c *mongo.Collection, sequence *eventstore.Sequence, events iter.Seq2[[]eventstore.Event, error]) error {
	inserts, inserting := errgroup.WithContext(ctx)
	inserts.SetLimit(importers)
	read := func() error {
		var docs []document
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
				doc, err := encodeEvent(e)
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

// checkStreams reads the index on streams from end to end. It counts, too: a
// collection that somebody has dropped meanwhile is made again by the next
// insert, without what was in it.
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
// one, and gives the log its epoch.
func (l *Log) replace(ctx context.Context, name, epoch string) error {
	db := l.events.Database()
	if err := l.fence(ctx, epoch); err != nil {
		return err
	}
	// Views of an empty log show nothing, and have the epoch that it had.
	if err := dropCollections(ctx, db, isOfViews); err != nil {
		return err
	}
	return db.Client().Database("admin").RunCommand(ctx, bson.D{
		{Key: "renameCollection", Value: db.Name() + "." + name},
		{Key: "to", Value: db.Name() + "." + eventsCollection},
		{Key: "dropTarget", Value: true},
		{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}}},
	}).Err()
}

// fence writes the document that ends all appends, if the log is still empty,
// and the epoch with it.
func (l *Log) fence(ctx context.Context, epoch string) error {
	session, err := l.events.Database().Client().StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	l.sessions.transactions.began(session)
	_, err = session.WithTransaction(ctx, func(inside context.Context) (any, error) {
		if err := checkEmpty(inside, l.events); err != nil {
			return nil, err
		}
		if _, err := l.events.DeleteMany(inside, bson.D{}); err != nil { // an older fence
			return nil, err
		}
		if _, err := l.events.InsertOne(inside, bson.D{{Key: "_id", Value: int64(1)}, {Key: importingField, Value: true}}); err != nil {
			return nil, err
		}
		set := bson.D{{Key: "$set", Value: bson.D{{Key: "epoch", Value: epoch}}}, {Key: "$unset", Value: bson.D{{Key: "first", Value: ""}, {Key: passwordsField, Value: ""}, {Key: secretField, Value: ""}}}}
		_, err := l.events.Database().Collection(logCollection).UpdateByID(inside, logID, set)
		return nil, err
	})
	if err == nil {
		l.sessions.transactions.committed(session)
	}
	return err
}

// importingField marks the document of fence.
const importingField = "importing"

// checkEmpty gives an error if there is an event. The document of an import
// that died is none.
func checkEmpty(ctx context.Context, events *mongo.Collection) error {
	last, err := readLast(ctx, events)
	switch {
	case errors.Is(err, errImporting):
		return nil
	case err == nil && last.position > 0:
		return eventstore.NotEmpty(last.position)
	}
	return err
}

// isOfViews says whether a collection belongs to the views.
func isOfViews(name string) bool {
	kind, number, _ := strings.Cut(name, "_")
	return name == viewsCollection ||
		slices.Contains([]string{"profiles", "chirps", "follows", "timelines"}, kind) && number != "" && strings.Trim(number, "0123456789") == ""
}

func dropCollections(ctx context.Context, db *mongo.Database, which func(name string) bool) error {
	names, err := db.ListCollectionNames(ctx, bson.D{})
	for _, name := range names {
		if err == nil && which(name) {
			err = db.Collection(name).Drop(ctx)
		}
	}
	return err
}

// replaced makes everybody read a log that has taken the place of another.
func (c *changes) replaced(end domain.Position) {
	c.mu.Lock()
	c.published = end
	c.mu.Unlock()
	c.tail.Reset()
	c.checkpointMoved()
}

// checkNoServers gives an error if servers use the database, which would not
// notice that its log is another one. Those that are just stopping are waited
// for.
func (s *Store) checkNoServers(ctx context.Context) error {
	for end := time.Now().Add(importWait); ; pause(ctx, importWait/20) {
		servers, err := s.servers(ctx)
		if err != nil {
			return translate(ctx, "look for servers that use the database", err)
		}
		if len(servers) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return domain.Errorf(domain.Invalid, "servers use the database %s (from %s): stop them before the import, and start them after it",
				s.db.Name(), strings.Join(servers, ", "))
		}
	}
}

// servers gives the addresses from which servers are connected.
func (s *Store) servers(ctx context.Context) ([]string, error) {
	cursor, err := s.client.Database("admin", options.Database().SetReadConcern(readconcern.Local())).Aggregate(ctx, mongo.Pipeline{
		{{Key: "$currentOp", Value: bson.D{{Key: "allUsers", Value: false}, {Key: "idleConnections", Value: true}}}},
		{{Key: "$match", Value: bson.D{{Key: "appName", Value: appName(s.db.Name())}, {Key: "client", Value: exists}}}},
		{{Key: "$project", Value: bson.D{{Key: "client", Value: 1}}}},
	})
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Client string `bson:"client"`
	}
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, err
	}
	var hosts []string
	for _, r := range rows {
		host, _, _ := strings.Cut(r.Client, ":")
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}
