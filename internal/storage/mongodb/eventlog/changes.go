package eventlog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/gate"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/format"
	"chirp/internal/storage/mongodb/integrity"
)

const (
	// safetyPoll is how long a change can stay unnoticed if the stream does not
	// report it.
	safetyPoll = time.Second
	// streamWait is how long the server holds a request while there are no changes.
	// streamTimeout is how long a request may take before it counts as lost.
	streamWait    = time.Second
	streamTimeout = 10 * time.Second
	// reopenAfter is the first pause after a stream that failed.
	reopenAfter = 250 * time.Millisecond
	// streamRest is the pause after each report, so that many changes become one
	// report.
	streamRest = 20 * time.Millisecond
	// catchUpEvents is how many events are read at a time.
	catchUpEvents = 1000
)

// changes is the one change stream of a process. It signals that a server, this one
// or another, has appended to the log or moved a checkpoint of the views.
//
// The stream only wakes up readers. It reports the last event of each transaction;
// the events themselves are read by position. When the stream fails, a new one begins
// at the present, the tail is reset, and its followers catch up by position. A poll
// finds what the stream did not report.
type changes struct {
	db      *mongo.Database
	logger  *slog.Logger
	tail    eventstore.Tail
	log     *Log
	monitor *integrity.Monitor

	mu      sync.Mutex
	waiting map[chan struct{}]bool // who waits for checkpoints
	open    bool                   // the stream is open
	// published is the position of the newest event in the tail, or the end of the
	// log when the stream was opened; 0 if neither is known.
	published domain.Position
	// own is the last position of the group that this process is committing. Its
	// events need not be read, because they are published after the commit.
	own domain.Position

	stop context.CancelFunc
	done sync.WaitGroup
}

func newChanges(db *mongo.Database, m *integrity.Monitor, logger *slog.Logger) *changes {
	return &changes{db: db, monitor: m, logger: logger, tail: eventstore.Tail{Logger: logger}, waiting: map[chan struct{}]bool{}}
}

// start opens the stream, and publishes from then on what other servers append.
func (c *changes) start(log *Log) {
	var ctx context.Context
	ctx, c.stop = context.WithCancel(gate.Own(context.Background()))
	c.log = log
	c.done.Go(func() { c.watch(ctx) })
	c.done.Go(func() { c.poll(ctx) })
}

// close closes the stream.
func (c *changes) close() {
	if c.stop != nil { // it was started
		c.stop()
		c.done.Wait()
	}
	c.tail.Close(errClosed)
}

// subscribe implements Log.CheckpointMoves.
func (c *changes) subscribe() (moved <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[ch] = true
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, ch)
	}
}

// checkpointMoved signals all subscriptions.
func (c *changes) checkpointMoved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ch := range c.waiting {
		select {
		case ch <- struct{}{}:
		default: // it has not received the last signal yet
		}
	}
}

// appending notes that this process is about to commit a group that ends at a
// position.
func (c *changes) appending(end domain.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = end
}

// appended publishes the events that this process has committed. If events of another
// server are missing before them, it leaves them to the stream, which reports both in
// order. It is called without events if the group was not committed.
func (c *changes) appended(events []eventstore.Event) {
	c.mu.Lock()
	c.own = 0
	next := len(events) > 0 && (c.published == 0 || c.published+1 == events[0].Position)
	wake := !next && !c.open
	c.mu.Unlock()
	if next {
		c.publish(events)
	} else if wake {
		c.tail.Publish(nil)
	}
}

// publish adds events to the tail.
func (c *changes) publish(events []eventstore.Event) {
	c.mu.Lock()
	c.published = max(c.published, events[len(events)-1].Position)
	c.mu.Unlock()
	c.tail.Publish(events)
}

// catchUp publishes the events up to a position, unless this process is committing
// them and publishes them itself.
func (c *changes) catchUp(ctx context.Context, to domain.Position) error {
	for {
		c.mu.Lock()
		after, own := c.published, c.own
		c.mu.Unlock()
		if to <= after || to == own {
			return nil
		}
		events, err := c.log.ReadAll(ctx, after, catchUpEvents)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			c.tail.Publish(nil)
			return nil
		}
		c.publish(events)
	}
}

// poll wakes all readers every now and then.
func (c *changes) poll(ctx context.Context) {
	for outage.Pause(ctx, safetyPoll) {
		c.tail.Publish(nil)
		c.checkpointMoved()
	}
}

// reset wakes all readers, because the stream was opened or lost. end is the end of
// the log, 0 if it is not known.
func (c *changes) reset(end domain.Position, open bool) {
	c.mu.Lock()
	c.published, c.open = end, open
	c.mu.Unlock()
	c.tail.Reset()
	c.checkpointMoved()
}

// watch keeps a stream open until ctx ends.
func (c *changes) watch(ctx context.Context) {
	var lost outage.Outage
	for ctx.Err() == nil {
		err := c.watchOnce(ctx, func() { lost.Ended(c.logger, "the change stream is back") })
		c.reset(0, false)
		c.monitor.RequestCheck()
		if ctx.Err() == nil {
			tries := lost.Failed(c.logger, "the change stream was lost; followers read the log until it is back", err)
			outage.Pause(ctx, outage.Delay(reopenAfter, tries))
		}
	}
}

var errStreamEnded = errors.New("the server ended the change stream")

// change is a report of the stream: the last event of a transaction, a checkpoint that
// was written, or a reason for the monitor to check.
type change struct {
	Kind string `bson:"operationType"`
	NS   struct {
		Collection string `bson:"coll"`
	} `bson:"ns"`
	Key struct {
		ID bson.RawValue `bson:"_id"`
	} `bson:"documentKey"`
	Document struct {
		Ticket *int64 `bson:"turn"`
	} `bson:"fullDocument"`
}

// watchOnce follows one stream until it fails. It calls opened once the stream
// has answered.
func (c *changes) watchOnce(ctx context.Context, opened func()) error {
	stream, err := c.openStream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close(context.WithoutCancel(ctx))
	head, err := c.log.Head(ctx) // readers read what was appended before the stream began
	if err != nil {
		return err
	}
	c.reset(head.Position, true)
	for {
		if err := c.deliver(ctx, stream); err != nil {
			return err
		}
		opened()
		outage.Pause(ctx, streamRest)
	}
}

// openStream opens a stream at the present.
func (c *changes) openStream(ctx context.Context) (*mongo.ChangeStream, error) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	pipeline := mongo.Pipeline{
		{{Key: "$match", Value: reported()}},
		{{Key: "$project", Value: bson.D{{Key: "operationType", Value: 1}, {Key: "ns.coll", Value: 1}, {Key: "documentKey._id", Value: 1}, {Key: "fullDocument." + format.TicketField, Value: 1}}}},
	}
	o := options.ChangeStream().SetMaxAwaitTime(streamWait)
	if c.monitor.Pin() != nil { // a server from 6.0 on, which reports dropped indexes
		o.SetShowExpandedEvents(true)
	}
	return c.db.Watch(ctx, pipeline, o)
}

// reported returns which changes the stream reports. The server compares every change
// in the database, and most are rows of the views, so the first two conditions exclude
// these.
func reported() bson.D {
	either := func(conditions ...any) bson.E { return bson.E{Key: "$or", Value: bson.A(conditions)} }
	among := func(key string, values ...any) bson.E {
		return bson.E{Key: key, Value: bson.D{{Key: "$in", Value: bson.A(values)}}}
	}
	checkpoint := bson.D{{Key: "ns.coll", Value: format.ViewsCollection}}
	// What is done to the log other than appending to it.
	notAppended := bson.D{{Key: "operationType", Value: bson.D{{Key: "$ne", Value: "insert"}}}}
	lastOfGroup := bson.D{{Key: "fullDocument." + format.TicketField, Value: format.Exists}}
	stray := bson.D{{Key: "fullDocument.type", Value: nil}}
	inserted := bson.D{{Key: "ns.coll", Value: format.EventsCollection}, either(lastOfGroup, stray)}

	dropped := bson.D{{Key: "operationType", Value: "dropDatabase"}}
	taken := bson.D{among("ns.coll", format.CredentialsCollection, format.SecretsCollection)}
	replaced := bson.D{among("to.coll", format.CredentialsCollection, format.SecretsCollection, format.EventsCollection)}
	return bson.D{either(
		bson.D{among("ns.coll", format.EventsCollection, format.LogCollection, format.ViewsCollection), either(checkpoint, notAppended, inserted)},
		bson.D{among("operationType", "drop", "rename", "delete", "dropDatabase"), either(dropped, taken, replaced)},
	)}
}

// deliver waits for the next changes, and acts once on all that arrive together.
func (c *changes) deliver(ctx context.Context, stream *mongo.ChangeStream) error {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	var end domain.Position
	var checkpoint, check bool
	for stream.TryNext(ctx) {
		var ch change
		if err := bson.Unmarshal(stream.Current, &ch); err != nil {
			return err
		}
		switch position, ok := ch.Key.ID.Int64OK(); {
		case ch.NS.Collection == format.ViewsCollection:
			checkpoint = true
		case ch.Kind == "insert" && ch.Document.Ticket != nil && ok:
			end = domain.Position(position)
		default:
			check = true
			switch {
			case ch.Kind == "insert":
				c.monitor.NoteStray(ch.Key.ID)
			case ch.Kind == "delete" && ch.NS.Collection == format.EventsCollection:
				c.monitor.NoteRemoved(ch.Key.ID)
			}
		}
		if stream.RemainingBatchLength() == 0 {
			break
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if stream.ID() == 0 {
		return errStreamEnded
	}
	if checkpoint {
		c.checkpointMoved()
	}
	if check {
		c.monitor.RequestCheck()
	}
	return c.catchUp(ctx, end)
}
