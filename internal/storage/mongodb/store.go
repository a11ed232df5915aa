// Package mongodb keeps the log, the views and the credentials in one database
// of a MongoDB replica set, which several servers may share.
//
// # The log on disk
//
// Each document of the collection "events" is one event:
//
//	_id            its position: 1, 2, 3, … without a gap (int64)
//	stream         the stream's id
//	version        its place in the stream, from 1 (int64)
//	type           the wire name
//	data           the event as a subdocument
//	recordedAt     when the handler decided
//	actor          who caused it
//	commandId      the actor's name for the command
//	correlationId  left out if empty, as is traceId
//	traceId
//	command        on the first event of an append only: {fingerprint, events},
//	               where events says how many events the append has
//	turn           on the last event of a transaction only: the ticket under
//	               which it was appended, or 0; of no meaning to readers
//
// (stream, version) is unique, and (actor, commandId) among the first events
// of appends. The collection "log" has one document, with the log's epoch and,
// as first, what identifies its first event. For a moment at the end of an import, a document with _id 1 and the field importing
// stands in the place of the events (log_import.go).
package mongodb

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/readmodel"
)

// The collections of the log and the credentials.
const (
	eventsCollection      = "events"
	logCollection         = "log"
	credentialsCollection = "credentials"
	secretsCollection     = "secrets"
)

// logID is the id of the one document in the log's own collection.
const logID = "log"

const (
	// answerTimeout bounds every call to the database, so that a caller
	// learns of an outage and does not hang.
	answerTimeout = 5 * time.Second
	// selectTimeout is how long a call waits for a primary. It is shorter, so
	// that the answer tells of the election or the outage.
	selectTimeout = 4 * time.Second
)

// Options are settings of a Store. The zero value is ready to use.
type Options struct {
	// Log receives what an operator should know; slog.Default() if nil.
	Log *slog.Logger
	// Import opens the database for an import: it refuses one that servers
	// use, and takes one whose import was broken off.
	Import bool
	// Existing refuses a database that holds no log, and creates nothing in it.
	Existing bool
	// ReadOnly is Existing for those who only read, and need no right but to
	// read the database: nothing is ever written, created or ended.
	ReadOnly bool
}

// Store is one database, opened by one process.
type Store struct {
	client   *mongo.Client
	gate     *gate.Gate // what clients wait at for a connection
	db       *mongo.Database
	epoch    string
	options  Options
	changes  *changes
	sessions *sessions
	guard    *guard
	log      *Log
	views    *Views

	stop context.CancelFunc
	done sync.WaitGroup
}

// Open connects to a database and creates what is missing in it. Four things
// might happen:
//
//  1. The database is ready: the Store is returned, to be closed by the caller.
//  2. No server answers, there is no primary, or the replica set was not
//     initiated: kind Unavailable; trying again may help.
//  3. The URI is malformed, the password is refused, the user has no right to
//     the database, or the server is no replica set or is set up in a way that
//     does not do: kind Invalid, with what is wrong.
//  4. Anything else is an error of another kind.
func Open(ctx context.Context, uri, database string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	name := appName(database)
	if o.Import {
		name += " import"
	}
	client, connections, err := dial(uri, database, name)
	if err != nil {
		return nil, err
	}
	s := &Store{client: client, gate: connections, db: client.Database(database), options: o}
	s.sessions = &sessions{client: client, gate: connections}
	s.guard = newGuard(s.db, s.sessions, s.guardLogger())
	s.guard.readOnly = o.ReadOnly
	if err := s.prepare(ctx, uri); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, unfit(err)
	}
	s.changes = newChanges(s.db, s.guard, o.Log)
	a := &abandoned{client: client, app: appName(database), logger: o.Log}
	s.log = newLog(s.db, s.epoch, s.sessions, s.changes, a, s.guard, o.Log)
	s.views = newViews(s.db, s.sessions, o.Log, s.changes.subscribe)
	s.watch(a)
	return s, nil
}

// guardLogger is where the guard says what it finds. Commands that only read
// have their own way to say it.
func (s *Store) guardLogger() *slog.Logger {
	if s.options.ReadOnly {
		return slog.New(slog.DiscardHandler)
	}
	return s.options.Log
}

// watch starts what goes on in the background. A command that only reads
// follows nothing, and leaves alone what is none of its business.
func (s *Store) watch(a *abandoned) {
	var life context.Context
	life, s.stop = context.WithCancel(context.Background())
	s.log.readOnly = s.options.ReadOnly
	if s.options.ReadOnly {
		return
	}
	s.changes.start(s.log)
	s.done.Go(func() { a.watch(life) })
	s.done.Go(func() { s.guard.watch(gate.Own(life)) })
	s.done.Go(func() { s.guard.watchGaps(gate.Own(life)) })
}

// Log gives the database's log.
func (s *Store) Log() eventstore.Log { return s.log }

// Views gives the database's read model.
func (s *Store) Views() readmodel.Store { return s.views }

// Credentials gives the database's password hashes and token secret.
func (s *Store) Credentials() auth.Credentials {
	return &credentials{sessions: s.sessions, guard: s.guard, users: s.db.Collection(credentialsCollection), secrets: s.db.Collection(secretsCollection)}
}

// Gates returns the numbers of what callers wait at for a connection.
func (s *Store) Gates() []gate.Stats { return []gate.Stats{s.gate.Stats()} }

// Problems returns the reasons why the store must not be trusted or cannot be
// written now, none if all is well.
func (s *Store) Problems() []string { return s.guard.problems() }

// Notices names the documents in the collection of the events that are no
// events, and are passed over.
func (s *Store) Notices() []string { return s.guard.notices() }

// Close waits for the appends in flight, ends the transactions that may be open
// still, and gives the connections up. No other call may be under way.
func (s *Store) Close() error {
	s.log.close()
	s.views.Close()
	s.changes.close()
	s.stop()
	s.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	s.sessions.transactions.end(ctx, s.client, s.options.Log)
	return s.client.Disconnect(ctx)
}

// dial makes a client that reads and writes as the contracts want it, whatever
// the URI says, and the gate at which its callers wait for a connection. It
// connects to nothing yet.
func dial(uri, database, name string) (*mongo.Client, *gate.Gate, error) {
	journaled := true
	o := options.Client().ApplyURI(uri).
		SetAppName(name).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled}).
		SetServerSelectionTimeout(selectTimeout).
		SetConnectTimeout(selectTimeout).
		SetHeartbeatInterval(500 * time.Millisecond)
	client, err := mongo.Connect(o)
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return nil, nil, unavailable("connect to MongoDB", err)
	}
	if err != nil {
		return nil, nil, domain.Errorf(domain.Invalid, "the MongoDB URI is malformed (%v); write it as mongodb://host:27017/?replicaSet=rs0", err)
	}
	if database == "" {
		return nil, nil, domain.Errorf(domain.Invalid, "the name of the MongoDB database is empty")
	}
	return client, newGate(o.MaxPoolSize), nil
}

const (
	// poolSize is how many connections the driver makes if the URI names no
	// maxPoolSize.
	poolSize = 100
	// ownConnections is how many of them clients must leave to the server's own
	// work: the change stream, the commits, the projector, the live hub.
	ownConnections = 16
)

// newGate returns a gate for a pool of connections, whose size may be nil or 0
// for the driver's default or no limit. Of a small pool clients have one half.
func newGate(size *uint64) *gate.Gate {
	connections := poolSize
	if size != nil && *size > 0 && *size < poolSize {
		connections = int(*size)
	}
	own := min(ownConnections, connections/2)
	return gate.New("mongodb", connections-own, own)
}

// appName is how the servers that use a database are known to MongoDB.
func appName(database string) string { return "chirp/" + database }

// prepare checks that the server is a replica set and creates the collections
// and indexes, for a transaction should never have to.
func (s *Store) prepare(ctx context.Context, uri string) error {
	if err := s.checkReplicaSet(ctx, uri); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 4*answerTimeout)
	defer cancel()
	if s.options.Existing || s.options.ReadOnly {
		if err := s.checkLog(ctx); err != nil {
			return err
		}
	}
	if s.options.ReadOnly {
		return s.lookOn(ctx)
	}
	if err := s.checkKept(ctx); err != nil {
		return err
	}
	for _, c := range []string{eventsCollection, logCollection, turnsCollection, credentialsCollection, secretsCollection} {
		if err := s.db.CreateCollection(ctx, c); err != nil && !hasCode(err, codeNamespaceExists) {
			return translate(ctx, "create collection "+c, err)
		}
	}
	if err := s.createIndexes(ctx); hasCode(err, codeDuplicateKey) {
		if doubles := s.explainDoubles(ctx); doubles != nil {
			return doubles
		}
		return translate(ctx, "create indexes", err)
	} else if err != nil {
		return translate(ctx, "create indexes", err)
	}
	if err := s.checkImport(ctx); err != nil {
		return err
	}
	var err error
	if s.epoch, err = s.found(ctx); err != nil {
		return translate(ctx, "found the log", err)
	}
	return s.guardLog(ctx)
}

// lookOn is prepare for those who only read.
func (s *Store) lookOn(ctx context.Context) error {
	if err := s.checkImport(ctx); err != nil {
		return err
	}
	var row logRow
	if err := s.db.Collection(logCollection).FindOne(ctx, bson.D{{Key: "_id", Value: logID}}).Decode(&row); err != nil {
		return translate(ctx, "read the log's epoch", err)
	}
	s.epoch = row.Epoch
	return s.guardLog(ctx)
}

// guardLog takes what the log rests on into the guard. To a server a log that
// has lost some of it is none; a command that only reads says what it finds.
func (s *Store) guardLog(ctx context.Context) error {
	found, err := s.guard.begin(ctx, s.epoch)
	switch {
	case err != nil:
		return translate(ctx, "look at what the log rests on", err)
	case s.options.Import:
		return nil
	case s.options.ReadOnly && s.guard.base.collection == nil:
		return domain.Errorf(domain.Invalid, "the database %s has lost its log: the collection %s is gone; %s", s.db.Name(), eventsCollection, adviceRestore)
	case len(found.lost) > 0 && !s.options.ReadOnly:
		return domain.Errorf(domain.Invalid, "%v", found.broken(s.db.Name()))
	}
	s.guard.saw(found)
	return nil
}

// checkKept refuses a database whose log has lost its events, before anything
// is made in it. An import may fill it again.
func (s *Store) checkKept(ctx context.Context) error {
	var row logRow
	err := s.db.Collection(logCollection).FindOne(ctx, bson.D{{Key: "_id", Value: logID}}).Decode(&row)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return s.checkNoEvents(ctx)
	case s.options.Import:
		return nil
	}
	var first firstEvent
	if err == nil {
		first, err = s.guard.readFirst(ctx)
	}
	if err != nil {
		return translate(ctx, "look for the first event", err)
	}
	if row.First != (firstEvent{}) && first == (firstEvent{}) {
		return domain.Errorf(domain.Invalid, "the database %s has lost its log: the collection %s lacks the events from the first one on; %s, or, to begin with an empty log, drop the whole database",
			s.db.Name(), eventsCollection, adviceRestore)
	}
	return s.checkCredentials(ctx, row)
}

// checkCredentials refuses a database that has lost credentials, before their
// collections are made again.
func (s *Store) checkCredentials(ctx context.Context, row logRow) error {
	if row.Passwords == nil && !row.Secret {
		return nil
	}
	var found finding
	uuids, err := s.guard.collectionUUIDs(ctx)
	if err == nil {
		err = s.guard.lookAtKept(ctx, uuids, &found)
	}
	if err != nil {
		return translate(ctx, "look for the credentials", err)
	}
	if row.Passwords == nil && uuids[credentialsCollection] == nil {
		found.unkeptParts = found.unkeptParts[1:] // it is about to be made
	}
	if err := found.unkept(s.db.Name()); err != nil {
		return domain.Errorf(domain.Invalid, "%v", err)
	}
	return nil
}

// checkNoEvents refuses a database that has events, though the document with
// the epoch of their log is gone.
func (s *Store) checkNoEvents(ctx context.Context) error {
	err := s.db.Collection(eventsCollection).FindOne(ctx, append(onlyEvents(), bson.E{Key: importingField, Value: nil})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return translate(ctx, "look for events", err)
	}
	return domain.Errorf(domain.Invalid, "the database %s has lost its log: the document of the collection %s is gone, though there are events; %s",
		s.db.Name(), logCollection, adviceRestore)
}

// checkLog refuses a database without a log.
func (s *Store) checkLog(ctx context.Context) error {
	err := s.db.Collection(logCollection).FindOne(ctx, bson.D{{Key: "_id", Value: logID}}).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		if err := s.checkNoEvents(ctx); err != nil {
			return err
		}
		return domain.Errorf(domain.Invalid, "the database %s holds no log; name one that a server has used with --mongodb-database", s.db.Name())
	}
	return translate(ctx, "look for the log", err)
}

// checkImport refuses a log whose import was broken off, but to an import,
// which in turn refuses a database that is in use.
func (s *Store) checkImport(ctx context.Context) error {
	if s.options.Import {
		return s.checkNoServers(ctx)
	}
	var d *damage // which the guard reports
	if _, err := readLast(ctx, s.db.Collection(eventsCollection)); errors.Is(err, errImporting) {
		return domain.Errorf(domain.Invalid, "an import into the database %s was broken off at its last step: import the file again", s.db.Name())
	} else if err != nil && !errors.As(err, &d) {
		return translate(ctx, "look at the log", err)
	}
	return nil
}

func (s *Store) createIndexes(ctx context.Context) error {
	_, err := s.db.Collection(eventsCollection).Indexes().CreateMany(ctx, eventIndexes())
	if err != nil {
		return err
	}
	_, err = s.db.Collection(credentialsCollection).Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys:    bson.D{{Key: "unconfirmedSince", Value: 1}},
		Options: options.Index().SetName("unconfirmedSince").SetSparse(true),
	})
	return err
}

func eventIndexes() []mongo.IndexModel {
	return []mongo.IndexModel{{
		Keys:    bson.D{{Key: "stream", Value: 1}, {Key: "version", Value: 1}},
		Options: options.Index().SetName(streamIndex).SetUnique(true),
	}, {
		Keys: bson.D{{Key: "actor", Value: 1}, {Key: "commandId", Value: 1}},
		Options: options.Index().SetName(commandIndex).SetUnique(true).
			SetPartialFilterExpression(bson.D{{Key: "command", Value: bson.D{{Key: "$exists", Value: true}}}}),
	}}
}

// found gives the log's epoch, which it mints if there is none. Of several
// processes that do it at once one wins, and all see its epoch.
func (s *Store) found(ctx context.Context) (string, error) {
	log := s.db.Collection(logCollection)
	id := bson.D{{Key: "_id", Value: logID}}
	mint := bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "epoch", Value: rand.Text()}}}}
	_, err := log.UpdateOne(ctx, id, mint, options.UpdateOne().SetUpsert(true))
	if err != nil && !hasCode(err, codeDuplicateKey) {
		return "", err
	}
	var row logRow
	err = log.FindOne(ctx, id).Decode(&row)
	return row.Epoch, err
}
