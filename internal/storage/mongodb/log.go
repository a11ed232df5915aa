package mongodb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/outage"
)

// The names of the unique indexes of the events.
const (
	streamIndex  = "stream_version"
	commandIndex = "actor_command"
)

// Log is the eventstore.Log of a database.
type Log struct {
	epoch     atomic.Pointer[string] // an import changes it
	events    *mongo.Collection
	changes   *changes
	logger    *slog.Logger
	sessions  *sessions
	abandoned *abandoned
	guard     *guard
	readOnly  bool
	queue     queue
	turns     turns
	// end is where the log ends if this process wrote it last and a majority
	// has it, otherwise -1. Only the worker uses it.
	end     domain.Position
	session *mongo.Session // of the worker's transactions
	done    chan struct{}  // closed when the last group was committed
	waits   outage.Outage  // of the worker, in which no transaction begins
	// background holds what goes on after a group's outcome is known.
	background sync.WaitGroup
}

// newLog opens the log of a database that was prepared, and begins to commit
// what is appended.
func newLog(db *mongo.Database, epoch string, s *sessions, c *changes, a *abandoned, g *guard, logger *slog.Logger) *Log {
	l := &Log{
		events:    db.Collection(eventsCollection),
		changes:   c,
		logger:    logger,
		sessions:  s,
		abandoned: a,
		guard:     g,
		turns:     newTurns(db, a),
		end:       -1,
		done:      make(chan struct{}),
	}
	l.epoch.Store(&epoch)
	l.queue.changed = make(chan struct{}, 1)
	go l.work()
	return l
}

// close refuses further appends and waits for those that were accepted.
func (l *Log) close() {
	l.queue.close()
	<-l.done
	if l.session != nil {
		ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
		defer cancel()
		l.session.EndSession(ctx)
	}
	l.background.Wait()
}

// Head implements eventstore.Log. A log that ends before where it ended once has
// lost events, and an end that cannot be told is none.
func (l *Log) Head(ctx context.Context) (eventstore.Head, error) {
	const op = "read the head of the log"
	epoch, seen := *l.epoch.Load(), l.guard.furthest()
	var last lastEvent
	err := l.sessions.run(ctx, func(ctx context.Context) (err error) {
		last, err = readLast(ctx, l.events)
		return err
	})
	if err == nil {
		err = lastEvent{position: last.position}.fit(seen)
	}
	var d *damage
	switch {
	case errors.As(err, &d):
		l.guard.ask()
		return eventstore.Head{}, fmt.Errorf("%s: %w", op, distrust(err))
	case err != nil:
		return eventstore.Head{}, translate(ctx, op, err)
	}
	l.guard.reached(last.position)
	return eventstore.Head{Epoch: epoch, Position: last.position}, nil
}

// Load implements eventstore.Log.
func (l *Log) Load(ctx context.Context, stream domain.StreamID) ([]eventstore.Event, error) {
	byVersion := options.Find().SetSort(bson.D{{Key: "stream", Value: 1}, {Key: "version", Value: 1}})
	events, err := l.find(ctx, bson.D{{Key: "stream", Value: string(stream)}}, byVersion)
	if err != nil {
		return nil, translate(ctx, "load stream "+string(stream), err)
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
		return nil, translate(ctx, fmt.Sprintf("read the log after %d", after), err)
	}
	for i, e := range events {
		if want := after + 1 + domain.Position(i); e.Position != want {
			return nil, fmt.Errorf("read the log after %d: the event at position %d is missing", after, want)
		}
	}
	return events, nil
}

// readAfter returns the events after a position, at most limit of them. It
// passes over strays, and reads on if there was nothing else.
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

// addEvent adds the event of a document, unless that is a stray.
func (l *Log) addEvent(events *[]eventstore.Event, raw bson.Raw) error {
	doc := bsoncore.Document(raw)
	if doc.Lookup(importingField).Type != 0 {
		return errImporting
	}
	if _, ok := eventPosition(doc); !ok {
		l.guard.passedOver(raw.Lookup("_id"))
		return nil
	}
	e, err := decodeEvent(raw)
	if err == nil {
		*events = append(*events, e)
	}
	return err
}

// find gives the events that match, in the order that o asks for. It passes over
// strays that match.
func (l *Log) find(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder) ([]eventstore.Event, error) {
	var events []eventstore.Event
	err := l.each(ctx, filter, o, func(raw bson.Raw) error { return l.addEvent(&events, raw) })
	return events, err
}

// each calls f for every document that matches.
func (l *Log) each(ctx context.Context, filter bson.D, o *options.FindOptionsBuilder, f func(bson.Raw) error) error {
	return l.sessions.run(ctx, func(ctx context.Context) error {
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

// Committed implements eventstore.Log.
func (l *Log) Committed(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	c, found, err := l.committed(ctx, key)
	if err != nil {
		return eventstore.Commit{}, false, translate(ctx, fmt.Sprintf("look up command %s of %s", key.ID, key.Actor), err)
	}
	return c, found, nil
}

func (l *Log) committed(ctx context.Context, key eventstore.CommandKey) (eventstore.Commit, bool, error) {
	var first struct {
		Position int64 `bson:"_id"`
		Command  struct {
			Fingerprint string `bson:"fingerprint"`
			Events      int64  `bson:"events"`
		} `bson:"command"`
	}
	err := l.sessions.run(ctx, func(ctx context.Context) error {
		fields := options.FindOne().SetProjection(bson.D{{Key: "command", Value: 1}})
		return l.events.FindOne(ctx, append(keyFilter(key), bson.E{Key: "command", Value: exists}), fields).Decode(&first)
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

var exists = bson.D{{Key: "$exists", Value: true}}

func keyFilter(key eventstore.CommandKey) bson.D {
	return bson.D{{Key: "actor", Value: key.Actor}, {Key: "commandId", Value: key.ID}}
}

// version gives the version of a stream's last event, 0 if there is none.
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

// Follow implements eventstore.Log.
func (l *Log) Follow(ctx context.Context, after domain.Position) iter.Seq2[[]eventstore.Event, error] {
	return func(yield func([]eventstore.Event, error) bool) {
		if err := l.checkHead(ctx, after); err != nil {
			yield(nil, err)
			return
		}
		l.changes.tail.Follow(ctx, after, l.readPatiently)(yield)
	}
}

// checkHead refuses a position beyond the head. It rides out an outage.
func (l *Log) checkHead(ctx context.Context, after domain.Position) error {
	if after < 0 {
		return domain.Errorf(domain.CursorInvalid, "position %d is no place in the log", after)
	}
	if after == 0 {
		return nil
	}
	var head eventstore.Head
	err := ridingOut(ctx, l.logger, func() (err error) {
		head, err = l.Head(ctx)
		return err
	})
	if err == nil && after > head.Position {
		err = domain.Errorf(domain.CursorInvalid, "position %d is beyond the end of the log, which is at %d", after, head.Position)
	}
	return err
}

// readPatiently is ReadAll for followers: an outage delays it.
func (l *Log) readPatiently(ctx context.Context, after domain.Position, limit int) ([]eventstore.Event, error) {
	var events []eventstore.Event
	err := ridingOut(ctx, l.logger, func() (err error) {
		events, err = l.ReadAll(ctx, after, limit)
		return err
	})
	return events, err
}

// ridingOut calls until an answer comes that is not of kind Unavailable, or
// ctx ends.
func ridingOut(ctx context.Context, logger *slog.Logger, call func() error) error {
	const firstPause = 50 * time.Millisecond
	var unread outage.Outage
	for {
		err := call()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil || domain.KindOf(err) != domain.Unavailable {
			unread.Ended(logger, "a follower of the log reads again")
			return err
		}
		tries := unread.Failed(logger, "a follower of the log waits for the database", err)
		pause(ctx, outage.Delay(firstPause, tries))
	}
}
