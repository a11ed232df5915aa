package conn

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/outage"
)

const (
	// abandonedAfter is how long a transaction may be idle before it counts as
	// abandoned. A server that is alive continues within milliseconds.
	abandonedAfter = 500 * time.Millisecond
	// reapEvery is how often the reaper looks when nothing asks it to.
	reapEvery = 2 * time.Second
)

// Reaper ends transactions whose server died in the middle of them. MongoDB
// keeps those for a minute, and whatever they wrote blocks all other servers
// until then.
type Reaper struct {
	conn   *Conn
	app    string // the application name of this database's servers
	logger *slog.Logger
	// complain logs only the first time that reaping fails, because servers
	// work without it, only more slowly after a crash.
	complain sync.Once
}

// NewReaper returns a reaper of transactions begun by clients with the
// application name app.
func NewReaper(c *Conn, app string, logger *slog.Logger) *Reaper {
	return &Reaper{conn: c, app: app, logger: logger}
}

// Watch reaps every now and then until ctx ends.
func (r *Reaper) Watch(ctx context.Context) {
	for outage.Pause(ctx, reapEvery) {
		r.Reap(ctx)
	}
}

// idleTransaction is a transaction in which the server has nothing to do at the
// moment.
type idleTransaction struct {
	Client  string `bson:"client"`
	Session struct {
		ID bson.Binary `bson:"id"`
	} `bson:"lsid"`
	Transaction struct {
		Parameters struct {
			Number int64 `bson:"txnNumber"`
		} `bson:"parameters"`
		Active int64 `bson:"timeActiveMicros"`
	} `bson:"transaction"`
}

// Reap ends the transactions that are abandoned now. What the server reports is
// how long a transaction was idle in total, and a long one that is alive has
// many short pauses. So Reap looks twice: a transaction that is alive has done
// something in between. A server that was merely slow finds its transaction
// gone and begins another one.
func (r *Reaper) Reap(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	before, err := r.idle(ctx)
	var now []idleTransaction
	if err == nil && len(before) > 0 {
		outage.Pause(ctx, abandonedAfter)
		now, err = r.idle(ctx)
	}
	for _, t := range now {
		unchanged := func(b idleTransaction) bool {
			return bytes.Equal(b.Session.ID.Data, t.Session.ID.Data) && b.Transaction == t.Transaction
		}
		if err == nil && slices.ContainsFunc(before, unchanged) {
			r.logger.Warn("ending a transaction that its server has abandoned", "server", t.Client)
			err = r.conn.Admin().RunCommand(ctx, bson.D{{Key: "killSessions", Value: bson.A{bson.D{{Key: "id", Value: t.Session.ID}}}}}).Err()
		}
	}
	if err != nil && ctx.Err() == nil && !Transient(err) {
		r.complain.Do(func() { r.logger.Warn("transactions that a server has abandoned cannot be ended early", "error", err) })
	}
}

// idle returns the transactions that may be abandoned.
func (r *Reaper) idle(ctx context.Context) ([]idleTransaction, error) {
	cursor, err := r.conn.Admin().Aggregate(ctx, mongo.Pipeline{
		{{Key: "$currentOp", Value: bson.D{{Key: "allUsers", Value: false}, {Key: "idleSessions", Value: true}}}},
		{{Key: "$match", Value: bson.D{
			{Key: "type", Value: "idleSession"}, {Key: "appName", Value: r.app},
			{Key: "transaction.timeInactiveMicros", Value: bson.D{{Key: "$gt", Value: abandonedAfter.Microseconds()}}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	var found []idleTransaction
	err = cursor.All(ctx, &found)
	return found, err
}
