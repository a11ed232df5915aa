package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/xoptions"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// abortTimeout bounds how long an abort may take.
const abortTimeout = time.Second

// transaction is one attempt to append. It writes the positions that follow
// the last event of the log. Whoever else does the same at the same time runs
// into the unique _id, so only one of them commits: that is what puts the
// commits in the order of the positions and leaves no gap.
type transaction struct {
	session *mongo.Session
	beside  context.Context // does not carry the session
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
func (l *Log) begin(ctx context.Context, look bool) (*transaction, format.LastEvent, error) {
	if l.session == nil {
		var err error
		if l.session, err = l.events.Database().Client().StartSession(); err != nil {
			return nil, format.LastEvent{}, err
		}
	}
	if err := l.session.StartTransaction(options.Transaction().SetReadConcern(readconcern.Local())); err != nil {
		return nil, format.LastEvent{}, err
	}
	l.conn.Began(l.session)
	t := &transaction{session: l.session, beside: ctx, inside: mongo.NewSessionContext(ctx, l.session), after: l.end}
	if !look && l.end >= 0 {
		return t, format.LastEvent{}, nil
	}
	last, err := format.ReadLast(t.inside, l.events)
	if err == nil {
		err = last.Check(l.monitor.Furthest())
	}
	if err != nil {
		t.abort()
		return nil, last, fmt.Errorf("read the end of the log: %w", err)
	}
	t.after = last.Position
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

// write inserts a group's events and commits them. An error of a unique index
// is errPositionTaken if it is about a position.
func (l *Log) write(t *transaction, ticket int64, group []*pending) error {
	docs := documents(group)
	for i, d := range docs {
		d.SetPosition(t.after + 1 + domain.Position(i))
	}
	docs[len(docs)-1] = docs[len(docs)-1].WithTicket(ticket)
	if err := l.insert(t.inside, docs); err != nil {
		if onPosition(err) || conn.HasCode(err, conn.CodeWriteConflict) {
			return fmt.Errorf("%w: %w", errPositionTaken, err)
		}
		return fmt.Errorf("insert events: %w", err)
	}
	stand := l.monitor.ConfirmIndexes(t.beside)
	l.changes.appending(t.after + domain.Position(len(docs)))
	err := committing(t, group)
	if err == nil {
		l.conn.Committed(t.session)
		l.conn.Observe(t.session)
		err = standing(group, stand)
	}
	if err != nil {
		l.end = -1
		l.changes.appended(nil)
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// insert inserts events into the collection that this process has opened, and
// makes none.
func (l *Log) insert(inside context.Context, docs []format.Document) error {
	o := options.InsertMany()
	if pin := l.monitor.Pin(); pin != nil {
		if err := xoptions.SetInternalInsertManyOptions(o, "addCommandFields", pin); err != nil {
			return err
		}
	}
	_, err := l.events.InsertMany(inside, docs, o)
	return err
}

// onPosition says whether the unique index on _id was in the way.
func onPosition(err error) bool {
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) {
		return false
	}
	for _, w := range bulk.WriteErrors {
		if w.Code == conn.CodeDuplicateKey {
			_, err := w.Raw.LookupErr("keyPattern", "_id")
			return err == nil
		}
	}
	return false
}

// commitTransaction commits, and asks again as long as the answer is lost. An
// error is certain if no answer was lost and the server rejected the commit.
func commitTransaction(t *transaction) (certain bool, err error) {
	for certain = true; ; {
		err := t.session.CommitTransaction(t.inside)
		var labeled mongo.LabeledError
		unknown := errors.As(err, &labeled) && labeled.HasErrorLabel("UnknownTransactionCommitResult")
		certain = certain && rejected(err)
		if err == nil || !unknown || t.inside.Err() != nil {
			return certain, err
		}
		outage.Pause(t.inside, retryPause)
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
	l.monitor.Reached(after)
	l.changes.appended(all)
}

// documents gives the documents of a group, in order.
func documents(group []*pending) []format.Document {
	var docs []format.Document
	for _, p := range group {
		docs = append(docs, p.docs...)
	}
	return docs
}
