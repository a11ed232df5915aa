package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// abortTimeout bounds an abort, which the server does by itself in the end.
const abortTimeout = time.Second

// transaction is one attempt to append. It inserts at the positions that follow the
// last event of the log. Concurrent transactions collide at the unique _id, so that
// only one of them commits. That is what puts the commits in the order of their
// positions and leaves no gap.
type transaction struct {
	session *mongo.Session
	outside context.Context // does not carry the session
	inside  context.Context // carries the session
	after   domain.Position // the last event's
}

// errPositionTaken says that another server has appended meanwhile.
var errPositionTaken = errors.New("another server has appended")

// begin begins a transaction. With look, the transaction reads the end of the log, so
// that whatever else it reads is exact if it commits. Without look, it relies on the
// last event being the one that this process committed last, which a majority has: to
// rely on an event that a rollback may undo could leave a gap.
//
// All transactions use one session. If one is left open because its abort was lost,
// the next one ends it.
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
	t := &transaction{session: l.session, outside: ctx, inside: mongo.NewSessionContext(ctx, l.session), after: l.end}
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

// write inserts a group's events and commits them. It returns errPositionTaken if
// another server has taken a position.
func (l *Log) write(t *transaction, ticket int64, group []*job) error {
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
	confirmed := l.monitor.ConfirmIndexes(t.outside)
	l.changes.appending(t.after + domain.Position(len(docs)))
	err := commitGroup(t, group)
	if err == nil {
		l.conn.Committed(t.session)
		l.conn.Observe(t.session)
		err = awaitIndexes(group, confirmed)
	}
	if err != nil {
		l.end = -1
		l.changes.appended(nil)
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// commitTransaction commits, and repeats the commit as long as its outcome is unknown.
// An error is certain if every answer arrived and rejected the commit.
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

// deliver answers the appends of a group that was committed, and publishes its events
// to the followers.
func (l *Log) deliver(after domain.Position, group []*job) {
	var all []eventstore.Event
	for _, j := range group {
		p := j.Work
		for i := range p.events {
			after++
			p.events[i].Position = after
		}
		all = append(all, p.events...)
		p.commit = eventstore.Commit{Events: p.events, Fingerprint: p.append.Command.Fingerprint}
		j.Finish(nil)
	}
	l.end = after
	l.monitor.Reached(after)
	l.changes.appended(all)
}

// documents returns the documents of a group, in order.
func documents(group []*job) []format.Document {
	var docs []format.Document
	for _, j := range group {
		docs = append(docs, j.Work.docs...)
	}
	return docs
}
