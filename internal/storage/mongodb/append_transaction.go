package mongodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
)

// abortTimeout bounds how long an abort may take.
const abortTimeout = time.Second

// transaction is one attempt to append. It writes the positions that follow
// the last event of the log. Whoever else does the same at the same time runs
// into the unique _id, so only one of them commits: that is what puts the
// commits in the order of the positions and leaves no gap.
type transaction struct {
	session *mongo.Session
	inside  context.Context // carries the session
	after   domain.Position // the last event's
}

// errPositionTaken says that another server has appended meanwhile.
var errPositionTaken = errors.New("another server has appended")

// begin starts a transaction. With look it reads there where the log ends, and
// so whatever it reads besides is exact if it commits. Without, it relies on
// the end that this process has written itself, which a majority has: an end
// that a rollback may take back would leave a gap.
//
// All transactions are of one session. If one is left open, because the server
// could not be told to abort it, the next one ends it.
func (l *Log) begin(ctx context.Context, look bool) (*transaction, lastEvent, error) {
	if l.session == nil {
		var err error
		if l.session, err = l.events.Database().Client().StartSession(); err != nil {
			return nil, lastEvent{}, err
		}
	}
	if err := l.session.StartTransaction(options.Transaction().SetReadConcern(readconcern.Local())); err != nil {
		return nil, lastEvent{}, err
	}
	t := &transaction{session: l.session, inside: mongo.NewSessionContext(ctx, l.session), after: l.end}
	if !look && l.end >= 0 {
		return t, lastEvent{}, nil
	}
	last, err := readLast(t.inside, l.events)
	if err != nil {
		t.abort()
		return nil, last, fmt.Errorf("read the end of the log: %w", err)
	}
	t.after = last.position
	return t, last, nil
}

// abort ends a transaction unless it was committed.
func (t *transaction) abort() {
	if t.session.TransactionRunning() {
		ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
		defer cancel()
		_ = t.session.AbortTransaction(ctx)
	}
}

// lastEvent is what is needed to know of the last event of the log.
type lastEvent struct {
	position domain.Position // 0 in an empty log
	turn     int64           // the ticket with which it was appended, if any
}

func readLast(ctx context.Context, events *mongo.Collection) (lastEvent, error) {
	newest := options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}}).SetProjection(bson.D{{Key: "turn", Value: 1}, {Key: importingField, Value: 1}})
	raw, err := events.FindOne(ctx, bson.D{}, newest).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return lastEvent{}, nil
	}
	if err != nil {
		return lastEvent{}, err
	}
	if bsoncore.Document(raw).Lookup(importingField).Type != 0 {
		return lastEvent{}, errImporting
	}
	position, _ := bsoncore.Document(raw).Lookup("_id").AsInt64OK()
	turn, _ := bsoncore.Document(raw).Lookup("turn").AsInt64OK()
	return lastEvent{position: domain.Position(position), turn: turn}, nil
}

// write inserts a group's events and commits them. An error of a unique index
// is errPositionTaken if it is about a position.
func (l *Log) write(t *transaction, ticket int64, group []*pending) error {
	docs := documents(group)
	for i, d := range docs {
		d.setPosition(t.after + 1 + domain.Position(i))
	}
	docs[len(docs)-1] = docs[len(docs)-1].withTurn(ticket)
	if _, err := l.events.InsertMany(t.inside, docs); err != nil {
		if onPosition(err) || hasCode(err, codeWriteConflict) {
			return fmt.Errorf("%w: %w", errPositionTaken, err)
		}
		return fmt.Errorf("insert events: %w", err)
	}
	l.changes.appending(t.after + domain.Position(len(docs)))
	if err := commitTransaction(t); err != nil {
		l.changes.appended(nil)
		return fmt.Errorf("commit: %w", err)
	}
	l.sessions.saw(t.session)
	return nil
}

// onPosition says whether the unique index on _id was in the way.
func onPosition(err error) bool {
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) {
		return false
	}
	for _, w := range bulk.WriteErrors {
		if w.Code == codeDuplicateKey {
			_, err := w.Raw.LookupErr("keyPattern", "_id")
			return err == nil
		}
	}
	return false
}

// commitTransaction commits, and asks again as long as the answer is lost.
func commitTransaction(t *transaction) error {
	for {
		err := t.session.CommitTransaction(t.inside)
		var labeled mongo.LabeledError
		unknown := errors.As(err, &labeled) && labeled.HasErrorLabel("UnknownTransactionCommitResult")
		if err == nil || !unknown || t.inside.Err() != nil {
			return err
		}
		pause(t.inside, retryPause)
	}
}

// deliver tells the callers and the followers of a group that was committed.
func (l *Log) deliver(after domain.Position, group []*pending) {
	var all []eventstore.Event
	for _, p := range group {
		events := p.append.At(after)
		after += domain.Position(len(events))
		all = append(all, events...)
		p.done <- outcome{commit: eventstore.Commit{Events: events, Fingerprint: p.append.Command.Fingerprint}}
	}
	l.end = after
	l.changes.appended(all)
}

// documents gives the documents of a group, in order.
func documents(group []*pending) []document {
	var docs []document
	for _, p := range group {
		docs = append(docs, p.docs...)
	}
	return docs
}
