// Package eventlog is the eventstore.Log of a database: appends, which it
// commits in groups, reads, and followers that a change stream wakes up.
package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/eventstore/groupcommit"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
	"chirp/internal/storage/mongodb/integrity"
)

// Config is what a Log is made of.
type Config struct {
	Conn    *conn.Conn
	Monitor *integrity.Monitor
	Reaper  *conn.Reaper
	Logger  *slog.Logger
	// Epoch is the log's epoch in the database.
	Epoch string
	// ReadOnly refuses appends, and follows no changes.
	ReadOnly bool
	// DropViews removes all views from the database, for an import.
	DropViews func(ctx context.Context) error
}

// Log is the eventstore.Log of a database.
type Log struct {
	conn      *conn.Conn
	monitor   *integrity.Monitor
	reaper    *conn.Reaper
	logger    *slog.Logger
	readOnly  bool
	dropViews func(ctx context.Context) error

	epoch   atomic.Pointer[string] // an import changes it
	events  *mongo.Collection
	changes *changes
	queue   *groupcommit.Queue[*pending]
	lock    ticketLock
	// end is where the log ends if this process wrote it last and a majority
	// has it, otherwise -1. Only the worker uses it.
	end     domain.Position
	session *mongo.Session // of the worker's transactions
	command []byte         // the worker's last insert command, whose memory the next one uses
	done    chan struct{}  // closed when the last group was committed
	waits   outage.Outage  // of the worker, while no transaction can begin
	// background holds what continues after a group's outcome is known.
	background sync.WaitGroup
}

// New opens the log of a database that was prepared, and begins to commit what
// is appended and to follow what other servers append.
func New(c Config) *Log {
	l := &Log{
		conn: c.Conn, monitor: c.Monitor, reaper: c.Reaper, logger: c.Logger, readOnly: c.ReadOnly, dropViews: c.DropViews,
		events:  c.Conn.DB().Collection(format.EventsCollection),
		changes: newChanges(c.Conn.DB(), c.Monitor, c.Logger),
		lock:    newTicketLock(c.Conn, c.Reaper),
		end:     -1,
		queue:   groupcommit.New[*pending](queuedAppends, errClosed),
		done:    make(chan struct{}),
	}
	l.epoch.Store(&c.Epoch)
	go l.work()
	if !c.ReadOnly {
		l.changes.start(l)
	}
	return l
}

// Close refuses further appends, waits for those that were accepted, and stops
// following changes.
func (l *Log) Close() {
	l.queue.Close()
	<-l.done
	if l.session != nil {
		ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
		defer cancel()
		l.session.EndSession(ctx)
	}
	l.background.Wait()
	l.changes.close()
}

// CheckpointMoves returns a channel that signals when a checkpoint of the views
// may have moved: at a change, when the change stream was lost, and at every
// safety poll. What happens while nobody receives is signalled once. stop ends
// the subscription.
func (l *Log) CheckpointMoves() (moved <-chan struct{}, stop func()) {
	return l.changes.subscribe()
}

// Follow implements eventstore.Log.
func (l *Log) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return l.changes.tail.Follow(ctx, l, after)
}

// Head implements eventstore.Log. It returns an error of kind Unavailable for a
// log that ends before where it ended once, because that has lost events, and
// for one whose end cannot be determined.
func (l *Log) Head(ctx context.Context) (eventstore.Head, error) {
	const op = "read the head of the log"
	epoch, furthest := *l.epoch.Load(), l.monitor.Furthest()
	var last format.LastEvent
	err := l.conn.InSession(ctx, func(ctx context.Context) (err error) {
		last, err = format.ReadLast(ctx, l.events)
		return err
	})
	if err == nil {
		err = format.LastEvent{Position: last.Position}.Check(furthest)
	}
	var d *format.Damage
	switch {
	case errors.As(err, &d):
		l.monitor.RequestCheck()
		return eventstore.Head{}, fmt.Errorf("%s: %w", op, integrity.Distrust(err))
	case err != nil:
		return eventstore.Head{}, conn.Translate(ctx, op, err)
	}
	l.monitor.Reached(last.Position)
	return eventstore.Head{Epoch: epoch, Position: last.Position}, nil
}

// Load implements eventstore.Log.
func (l *Log) Load(ctx context.Context, stream domain.StreamID) ([]eventstore.Event, error) {
	byVersion := options.Find().SetSort(bson.D{{Key: "stream", Value: 1}, {Key: "version", Value: 1}})
	events, err := l.find(ctx, bson.D{{Key: "stream", Value: string(stream)}}, byVersion)
	if err != nil {
		return nil, conn.Translate(ctx, "load stream "+string(stream), err)
	}
	for i, e := range events {
		if e.Version != int64(i)+1 {
			return nil, fmt.Errorf("load stream %s: version %d is missing", stream, i+1)
		}
	}
	return events, nil
}

// ReadAll implements eventstore.Log.
func (l *Log) ReadAll(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	if limit <= 0 {
		return nil, nil
	}
	events, err := l.readAfter(ctx, after, limit)
	if err != nil {
		return nil, conn.Translate(ctx, fmt.Sprintf("read the log after %d", after), err)
	}
	for i, e := range events {
		if want := after + 1 + domain.Position(i); e.Position != want {
			return nil, fmt.Errorf("read the log after %d: the event at position %d is missing", after, want)
		}
	}
	return events, nil
}

// readAfter returns the events after a position, at most limit of them. It skips
// strays, and continues if it read nothing else.
func (l *Log) readAfter(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	byPosition := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetBatchSize(int32(min(limit, 10_000)))
	for from := any(int64(after)); ; {
		var events []eventstore.Event
		var last bson.RawValue
		read := 0
		err := l.each(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: from}}}}, byPosition, func(raw bson.Raw) error {
			read++
			last = raw.Lookup("_id")
			return l.addEvent(&events, raw)
		})
		if err != nil || len(events) > 0 || read < limit {
			return events, err
		}
		last.Value = bytes.Clone(last.Value)
		from = last
	}
}

// addEvent adds the event of a document, unless the document is a stray.
func (l *Log) addEvent(events *[]eventstore.Event, raw bson.Raw) error {
	doc := bsoncore.Document(raw)
	if doc.Lookup(format.ImportingField).Type != 0 {
		return format.ErrImporting
	}
	if _, ok := format.EventPosition(doc); !ok {
		l.monitor.NoteStray(raw.Lookup("_id"))
		return nil
	}
	e, err := format.DecodeEvent(raw)
	if err == nil {
		*events = append(*events, e)
	}
	return err
}

// find returns the events that match, in the order that o asks for. It skips
// strays that match.
func (l *Log) find(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder) ([]eventstore.Event, error) {
	var events []eventstore.Event
	err := l.each(ctx, filter, o, func(raw bson.Raw) error { return l.addEvent(&events, raw) })
	return events, err
}

// each calls f for each document that matches, in one session.
func (l *Log) each(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder, f func(bson.Raw) error) error {
	return l.conn.InSession(ctx, func(ctx context.Context) error {
		cursor, err := l.events.Find(ctx, filter, o)
		if err != nil {
			return err
		}
		defer cursor.Close(context.WithoutCancel(ctx))
		for cursor.Next(ctx) {
			if err := f(cursor.Current); err != nil {
				return err
			}
		}
		return cursor.Err()
	})
}

// Hashes implements eventstore.Log.
func (l *Log) Hashes(ctx context.Context, positions []domain.Position) (map[domain.Position]domain.EventHash, error) {
	if len(positions) == 0 {
		return nil, nil
	}
	var hashes map[domain.Position]domain.EventHash
	err := l.conn.InSession(ctx, func(ctx context.Context) (err error) {
		hashes, err = format.ReadHashes(ctx, l.events, positions)
		return err
	})
	return hashes, conn.Translate(ctx, "read the hashes of events", err)
}

// Committed implements eventstore.Log.
func (l *Log) Committed(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	c, found, err := l.committed(ctx, key)
	if err != nil {
		return eventstore.Commit{}, false, conn.Translate(ctx, fmt.Sprintf("look up command %s of %s", key.ID, key.Actor), err)
	}
	return c, found, nil
}

// committed is Committed with the driver's errors.
func (l *Log) committed(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	var first struct {
		Position int64 `bson:"_id"`
		Command  struct {
			Fingerprint string `bson:"fingerprint"`
			Events      int64  `bson:"events"`
		} `bson:"command"`
	}
	err := l.conn.InSession(ctx, func(ctx context.Context) error {
		fields := options.FindOne().SetProjection(bson.D{{Key: "command", Value: 1}})
		return l.events.FindOne(ctx, append(keyFilter(key), bson.E{Key: "command", Value: format.Exists}), fields).Decode(&first)
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return eventstore.Commit{}, false, nil
	}
	if err != nil {
		return eventstore.Commit{}, false, err
	}
	events, err := l.ReadAll(ctx, domain.Position(first.Position)-1, int(first.Command.Events))
	if err == nil && int64(len(events)) != first.Command.Events {
		err = fmt.Errorf("%d of %d events are missing", first.Command.Events-int64(len(events)), first.Command.Events)
	}
	return eventstore.Commit{Events: events, Fingerprint: first.Command.Fingerprint}, err == nil, err
}

// keyFilter returns a filter for a command's key.
func keyFilter(key eventstore.CommandKey) bson.D {
	return bson.D{{Key: "actor", Value: key.Actor}, {Key: "commandId", Value: key.ID}}
}

// version returns the version of a stream's last event, 0 if there is none.
func (l *Log) version(ctx context.Context, stream domain.StreamID) (int64, error) {
	newest := options.FindOne().SetSort(bson.D{{Key: "stream", Value: -1}, {Key: "version", Value: -1}}).
		SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "version", Value: 1}})
	raw, err := l.events.FindOne(ctx, bson.D{{Key: "stream", Value: string(stream)}}, newest).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, _ := bsoncore.Document(raw).Lookup("version").AsInt64OK()
	return n, nil
}
