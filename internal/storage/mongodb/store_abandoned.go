package mongodb

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
)

const (
	// abandonedAfter is how long a transaction may be idle before it counts as
	// abandoned. A server that is alive goes on within milliseconds.
	abandonedAfter = 500 * time.Millisecond
	// abandonedPoll is how often they are looked for when nothing is in
	// anybody's way.
	abandonedPoll = 2 * time.Second
)

// abandoned finds transactions whose server has died in the middle of them.
// MongoDB keeps those for a minute, and whatever they have written is in the
// way of all other servers until then.
type abandoned struct {
	client *mongo.Client
	app    string // under which the servers of this database are known
	logger *slog.Logger
	// complain says once that end does not work: it is worth knowing but no
	// more than that.
	complain sync.Once
}

// watch ends abandoned transactions until ctx ends.
func (a *abandoned) watch(ctx context.Context) {
	tick := time.NewTicker(abandonedPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.end(ctx)
		}
	}
}

// idle is a transaction in which the server has nothing to do at the moment.
type idle struct {
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

// end ends what is abandoned now. What the server tells is for how long a
// transaction was idle in all, and a long one that is alive has many short
// pauses. So it looks twice: a transaction that is alive did something in
// between. A server that was only slow finds its transaction gone and begins
// another one.
func (a *abandoned) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	before, err := a.look(ctx)
	var now []idle
	if err == nil && len(before) > 0 {
		pause(ctx, abandonedAfter)
		now, err = a.look(ctx)
	}
	for _, i := range now {
		asBefore := func(b idle) bool {
			return bytes.Equal(b.Session.ID.Data, i.Session.ID.Data) && b.Transaction == i.Transaction
		}
		if err == nil && slices.ContainsFunc(before, asBefore) {
			a.logger.Warn("ending a transaction that its server has abandoned", "server", i.Client)
			err = a.admin().RunCommand(ctx, bson.D{{Key: "killSessions", Value: bson.A{bson.D{{Key: "id", Value: i.Session.ID}}}}}).Err()
		}
	}
	if err != nil && ctx.Err() == nil && !passing(err) {
		a.complain.Do(func() { a.logger.Warn("transactions that a server has abandoned cannot be ended early", "error", err) })
	}
}

// look finds the transactions that may be abandoned.
func (a *abandoned) look(ctx context.Context) ([]idle, error) {
	cursor, err := a.admin().Aggregate(ctx, mongo.Pipeline{
		{{Key: "$currentOp", Value: bson.D{{Key: "allUsers", Value: false}, {Key: "idleSessions", Value: true}}}},
		{{Key: "$match", Value: bson.D{
			{Key: "type", Value: "idleSession"}, {Key: "appName", Value: a.app},
			{Key: "transaction.timeInactiveMicros", Value: bson.D{{Key: "$gt", Value: abandonedAfter.Microseconds()}}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	var found []idle
	err = cursor.All(ctx, &found)
	return found, err
}

func (a *abandoned) admin() *mongo.Database {
	return a.client.Database("admin", options.Database().SetReadConcern(readconcern.Local()))
}
