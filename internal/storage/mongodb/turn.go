package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// turnsCollection holds the tickets.
const turnsCollection = "turns"

const (
	// sharedFor is how long a server takes tickets after it last noticed
	// another one that appends.
	sharedFor = time.Second
	// silence is how long a turn may last before the others pass over it.
	silence = 500 * time.Millisecond
	// passPoll is how often it is looked up whether a turn was given up, once
	// it lasts much longer than they do.
	passPoll = 3 * time.Millisecond
	// shortestPoll and longestPoll bound how often the end of the log is
	// looked up while waiting.
	shortestPoll = 300 * time.Microsecond
	longestPoll  = 10 * time.Millisecond
)

// turns makes several servers that append to one log take turns. Without it
// they run into each other at the next position, and whoever retries in the
// less lucky rhythm starves.
//
// A server that is alone takes no part. When it notices another one it draws a
// ticket for each group of appends and waits until that is served. The last
// event of a group carries the ticket, and thereby says that the next one is
// served; so the next server begins at the very moment of the commit. A turn
// that is not needed is given up in the collection of the tickets. When nothing
// happens for too long the holder is taken for dead and passed over; if it was
// merely slow it runs into the next one and draws another ticket. Fairness is
// all that hangs on this: what keeps the log right is the unique position.
//
// A turns is for one goroutine, the worker of the log.
type turns struct {
	events    *mongo.Collection
	tickets   *mongo.Collection
	abandoned *abandoned

	sharedUntil time.Time
	ticket      int64 // held now, 0 for none
	drawn       int64 // the last one drawn
	serving     int64 // which ticket is served, as far as is known

	changed time.Time     // when serving changed
	asked   time.Time     // when it was looked up whether a turn was given up
	pace    time.Duration // how long a turn takes
}

func newTurns(db *mongo.Database, a *abandoned) turns {
	// Neither tickets nor looks at the line need to survive anything.
	quick := options.Collection().SetWriteConcern(writeconcern.W1()).SetReadConcern(readconcern.Local())
	return turns{
		events:    db.Collection(eventsCollection, quick),
		tickets:   db.Collection(turnsCollection, quick),
		abandoned: a,
		pace:      time.Millisecond,
	}
}

// contended notes that another server appends as well.
func (t *turns) contended() { t.sharedUntil = time.Now().Add(sharedFor) }

// shared says whether turns are to be taken.
func (t *turns) shared() bool { return t.ticket != 0 || time.Now().Before(t.sharedUntil) }

// used notes that a group was appended in this server's turn.
func (t *turns) used() {
	if t.ticket != 0 {
		t.serve(t.ticket + 1)
		t.ticket = 0
	}
}

// pass gives the turn up, if there is one, without having used it.
func (t *turns) pass(ctx context.Context) {
	if t.ticket == 0 {
		return
	}
	given := bson.D{{Key: "$max", Value: bson.D{{Key: "passed", Value: t.ticket}}}}
	// If this fails the others wait out the silence.
	_, _ = t.tickets.UpdateByID(ctx, turnsID, given, options.UpdateOne().SetUpsert(true))
	t.used()
}

const turnsID = "log"

// draw takes the next ticket, one that is not served yet.
func (t *turns) draw(ctx context.Context) error {
	beyond := bson.D{{Key: "$max", Value: bson.A{"$ticket", t.serving - 1}}}
	next := mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "ticket", Value: bson.D{{Key: "$add", Value: bson.A{beyond, int64(1)}}}}}}}}
	after := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	raw, err := t.tickets.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: turnsID}}, next, after).Raw()
	if err != nil {
		return err
	}
	t.ticket, _ = bsoncore.Document(raw).Lookup("ticket").AsInt64OK()
	if t.ticket != t.drawn+1 {
		t.contended()
	}
	t.drawn, t.changed = t.ticket, time.Now()
	return nil
}

// serve notes which ticket is served.
func (t *turns) serve(ticket int64) {
	if ticket <= t.serving {
		return
	}
	now := time.Now()
	if n := ticket - t.serving; n < 8 && now.Sub(t.changed) < silence {
		t.pace += (now.Sub(t.changed)/time.Duration(n) - t.pace) / 8
	}
	t.serving, t.changed = ticket, now
}

// saw takes note of the last event. One that carries no ticket is that of a
// server that does not know of the others yet: there is no line to stand in.
func (t *turns) saw(last lastEvent) {
	if last.turn == 0 {
		t.serve(t.ticket)
	} else {
		t.serve(last.turn + 1)
	}
}

// nearly waits until this server is served or the next in line. It draws a
// ticket when there is none, or the one there is was passed over.
func (t *turns) nearly(ctx context.Context) error {
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
		last, err := readLast(ctx, t.events)
		if err != nil {
			return err
		}
		t.saw(last)
		if err := t.passOver(ctx); err != nil {
			return err
		}
	}
}

// rest waits until a number of turns may be over: a little less than they
// should take, from the moment that the present one began.
func (t *turns) rest(ctx context.Context, turns int64) {
	expected := t.pace * time.Duration(turns) * 3 / 4
	pause(ctx, min(max(expected-time.Since(t.changed), t.pace/4, shortestPoll), longestPoll))
}

// passOver moves on to the next ticket when the one that is served was given
// up, or its holder has been silent for too long.
func (t *turns) passOver(ctx context.Context) error {
	now := time.Now()
	if now.Sub(t.changed) > silence {
		t.abandoned.end(ctx)
		t.serve(t.serving + 1)
	}
	if now.Sub(t.changed) < max(2*t.pace, passPoll) || now.Sub(t.asked) < passPoll {
		return nil
	}
	t.asked = now
	raw, err := t.tickets.FindOne(ctx, bson.D{{Key: "_id", Value: turnsID}}).Raw()
	if err != nil {
		return err
	}
	if passed, ok := bsoncore.Document(raw).Lookup("passed").AsInt64OK(); ok {
		t.serve(passed + 1)
	}
	return nil
}

// beginInTurn begins a transaction when it is this server's turn.
func (l *Log) beginInTurn(ctx context.Context, look bool) (*transaction, error) {
	for ctx.Err() == nil {
		if !l.turns.shared() {
			t, _, err := l.begin(ctx, look)
			return t, err
		}
		if err := l.turns.nearly(ctx); err != nil {
			return nil, err
		}
		t, last, err := l.begin(ctx, true)
		if err != nil {
			return nil, err
		}
		l.turns.saw(last)
		if l.turns.serving == l.turns.ticket {
			return t, nil
		}
		t.abort()
		if err := l.turns.passOver(ctx); err != nil {
			return nil, err
		}
		if l.turns.serving < l.turns.ticket {
			l.turns.rest(ctx, 1)
		}
	}
	return nil, context.Cause(ctx)
}
