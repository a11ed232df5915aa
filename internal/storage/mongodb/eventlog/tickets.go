package eventlog

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// ticketsID is the _id of the only document of the tickets' collection.
const ticketsID = "log"

const (
	// contendedFor is how long a server draws tickets after it last noticed
	// another one that appends.
	contendedFor = time.Second
	// holderTimeout is how long a ticket is served before the other servers take
	// its holder for dead.
	holderTimeout = 500 * time.Millisecond
	// releasePoll is how often a waiting server reads whether the ticket that is
	// served was released, once that takes much longer than usual.
	releasePoll = 3 * time.Millisecond
	// shortestPoll and longestPoll bound how often a waiting server reads the
	// end of the log.
	shortestPoll = 300 * time.Microsecond
	longestPoll  = 10 * time.Millisecond
)

// ticketLock makes several servers that append to one log take turns. Without it
// they collide at the next position, and the one that retries at a less lucky
// rhythm starves.
//
// A server that appends alone does not use the lock. When it notices another one
// it draws a ticket for each group of appends and waits until that is served.
// The last event of a group carries the ticket, which says that the next ticket
// is served now, so the next server begins right after the commit. A server that
// does not need its ticket after all releases it in the tickets' document. When
// nothing happens for holderTimeout the others take the holder for dead and
// serve the next ticket; a holder that was merely slow then collides with the
// next server and draws another ticket. Only fairness depends on the lock: the
// unique positions keep the log correct.
//
// A ticketLock is for one goroutine, the worker of the log.
type ticketLock struct {
	events  *mongo.Collection
	tickets *mongo.Collection
	reaper  *conn.Reaper

	contendedUntil time.Time
	ticket         int64 // held now, 0 for none
	drawn          int64 // the last one drawn
	serving        int64 // the ticket that is served, as far as is known

	changed time.Time     // when serving changed
	polled  time.Time     // when it was last read whether a ticket was released
	pace    time.Duration // how long a ticket is served, on average
}

func newTicketLock(c *conn.Conn, r *conn.Reaper) ticketLock {
	// Neither the tickets nor what is read while waiting need to survive a
	// rollback.
	quick := options.Collection().SetWriteConcern(writeconcern.W1()).SetReadConcern(readconcern.Local())
	return ticketLock{
		events:  c.DB().Collection(format.EventsCollection, quick),
		tickets: c.DB().Collection(format.TicketsCollection, quick),
		reaper:  r,
		pace:    time.Millisecond,
	}
}

// noteContention notes that another server appends as well.
func (t *ticketLock) noteContention() { t.contendedUntil = time.Now().Add(contendedFor) }

// needed reports whether a ticket is to be drawn.
func (t *ticketLock) needed() bool { return t.ticket != 0 || time.Now().Before(t.contendedUntil) }

// used notes that a group was appended under the ticket, if there is one.
func (t *ticketLock) used() {
	if t.ticket != 0 {
		t.serve(t.ticket + 1)
		t.ticket = 0
	}
}

// release gives the ticket back, if there is one, without having used it.
func (t *ticketLock) release(ctx context.Context) {
	if t.ticket == 0 {
		return
	}
	released := bson.D{{Key: "$max", Value: bson.D{{Key: "passed", Value: t.ticket}}}}
	// If this fails the others wait for holderTimeout.
	_, _ = t.tickets.UpdateByID(ctx, ticketsID, released, options.UpdateOne().SetUpsert(true))
	t.used()
}

// draw takes the next ticket, one that is not served yet.
func (t *ticketLock) draw(ctx context.Context) error {
	atLeast := bson.D{{Key: "$max", Value: bson.A{"$ticket", t.serving - 1}}}
	next := mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "ticket", Value: bson.D{{Key: "$add", Value: bson.A{atLeast, int64(1)}}}}}}}}
	after := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	raw, err := t.tickets.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: ticketsID}}, next, after).Raw()
	if err != nil {
		return err
	}
	t.ticket, _ = bsoncore.Document(raw).Lookup("ticket").AsInt64OK()
	if t.ticket != t.drawn+1 {
		t.noteContention()
	}
	t.drawn, t.changed = t.ticket, time.Now()
	return nil
}

// serve notes which ticket is served.
func (t *ticketLock) serve(ticket int64) {
	if ticket <= t.serving {
		return
	}
	now := time.Now()
	if n := ticket - t.serving; n < 8 && now.Sub(t.changed) < holderTimeout {
		t.pace += (now.Sub(t.changed)/time.Duration(n) - t.pace) / 8
	}
	t.serving, t.changed = ticket, now
}

// observe takes note of the last event. One without a ticket was appended by a
// server that has not noticed the others yet, so no ticket is ahead of this server's.
func (t *ticketLock) observe(last format.LastEvent) {
	if last.Ticket == 0 {
		t.serve(t.ticket)
	} else {
		t.serve(last.Ticket + 1)
	}
}

// awaitNear waits until this server's ticket is served or the next one. It draws
// a ticket if there is none, or if the one there is was skipped.
func (t *ticketLock) awaitNear(ctx context.Context) error {
	for {
		if t.ticket == 0 || t.ticket < t.serving {
			if err := t.draw(ctx); err != nil {
				return err
			}
		}
		ahead := t.ticket - t.serving
		if ahead <= 1 {
			return nil
		}
		t.rest(ctx, ahead-1)
		last, err := format.ReadLast(ctx, t.events)
		if err != nil {
			return err
		}
		t.observe(last)
		if err := t.skipDead(ctx); err != nil {
			return err
		}
	}
}

// rest waits until a number of tickets may have been served: a little less than
// that should take, from the moment that the present one began to be served.
func (t *ticketLock) rest(ctx context.Context, tickets int64) {
	expected := t.pace * time.Duration(tickets) * 3 / 4
	outage.Pause(ctx, min(max(expected-time.Since(t.changed), t.pace/4, shortestPoll), longestPoll))
}

// skipDead serves the next ticket if the one that is served was released, or if
// its holder has been silent for too long.
func (t *ticketLock) skipDead(ctx context.Context) error {
	now := time.Now()
	if now.Sub(t.changed) > holderTimeout {
		t.reaper.Reap(ctx)
		t.serve(t.serving + 1)
	}
	if now.Sub(t.changed) < max(2*t.pace, releasePoll) || now.Sub(t.polled) < releasePoll {
		return nil
	}
	t.polled = now
	raw, err := t.tickets.FindOne(ctx, bson.D{{Key: "_id", Value: ticketsID}}).Raw()
	if err != nil {
		return err
	}
	if released, ok := bsoncore.Document(raw).Lookup("passed").AsInt64OK(); ok {
		t.serve(released + 1)
	}
	return nil
}

// lockAndBegin begins a transaction once this server's ticket is served, or at
// once if it appends alone. With look the transaction reads the end of the log.
func (l *Log) lockAndBegin(ctx context.Context, look bool) (*transaction, error) {
	for ctx.Err() == nil {
		if !l.lock.needed() {
			t, _, err := l.begin(ctx, look)
			return t, err
		}
		if err := l.lock.awaitNear(ctx); err != nil {
			return nil, err
		}
		t, last, err := l.begin(ctx, true)
		if err != nil {
			return nil, err
		}
		l.lock.observe(last)
		if l.lock.serving == l.lock.ticket {
			return t, nil
		}
		t.abort()
		if err := l.lock.skipDead(ctx); err != nil {
			return nil, err
		}
		if l.lock.serving < l.lock.ticket {
			l.lock.rest(ctx, 1)
		}
	}
	return nil, context.Cause(ctx)
}
