package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/eventstore"
	"chirp/internal/storage/mongodb/mongotest"
	"chirp/internal/storage/mongodb/storetest"
)

// contend appends to a stream of the writer's own, to one that all writers race for,
// and with a command that all of them send.
func contend(ctx context.Context, log eventstore.Log, writer string, round int64, wins, repeats *atomic.Int64) error {
	if _, err := log.Append(ctx, storetest.To("own:"+writer, round, fmt.Sprintf("own:%s:%d", writer, round))); err != nil {
		return err
	}
	_, err := log.Append(ctx, storetest.To(fmt.Sprintf("race:%d", round), 0, fmt.Sprintf("race:%s:%d", writer, round)))
	if err == nil {
		wins.Add(1)
	} else if !errors.Is(err, eventstore.ErrConflict) {
		return err
	}
	c, err := log.Append(ctx, storetest.To(fmt.Sprintf("same:%d", round), 0, fmt.Sprintf("same:%d", round)))
	if c.Repeated {
		repeats.Add(1)
	}
	return err
}

func TestServersRacingOnOneDatabaseKeepOneLog(t *testing.T) {
	database := mongotest.Database(t)
	ctx := storetest.Bounded(t)
	const servers, writers, rounds = 3, 4, 25
	var logs []eventstore.Log
	for range servers {
		store, closeStore := storetest.Open(t, database)
		defer closeStore()
		logs = append(logs, store.Log())
	}
	var wins, repeats atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for i, log := range logs {
		for w := range writers {
			g.Go(func() error {
				for r := range int64(rounds) {
					if err := contend(ctx, log, fmt.Sprintf("%d:%d", i, w), r, &wins, &repeats); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	const total = servers*writers*rounds + rounds + rounds
	for _, log := range logs {
		g.Go(func() error {
			_, err := storetest.Follow(ctx, log, func() domain.Position { return total })
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := wins.Load(); got != rounds {
		t.Errorf("winners of the races: got %d, want %d", got, rounds)
	}
	if got, want := repeats.Load(), int64(servers*writers*rounds-rounds); got != want {
		t.Errorf("repeated commands: got %d, want %d", got, want)
	}
	for _, log := range logs {
		if head, err := log.Head(t.Context()); err != nil || head.Position != total {
			t.Errorf("Head: got %d, error %v; want %d", head.Position, err, total)
		}
	}
}

func TestServersContinueWhenTheHolderOfATicketIsDead(t *testing.T) {
	database := mongotest.Database(t)
	turns := storetest.Client(t, mongotest.URI(t)).Database(database).Collection("turns")
	g, ctx := errgroup.WithContext(storetest.Bounded(t))
	const servers, writers, rounds = 2, 4, 150
	var appended atomic.Int64
	for i := range servers {
		store, closeStore := storetest.Open(t, database)
		defer closeStore()
		for w := range writers {
			g.Go(func() error {
				for r := range rounds {
					name := fmt.Sprintf("%d:%d:%d", i, w, r)
					if _, err := store.Log().Append(ctx, storetest.To(name, 0, name)); err != nil {
						return err
					}
					appended.Add(1)
				}
				return nil
			})
		}
	}
	var abandoned int
	g.Go(func() error {
		// These tickets are never used, as after a crash of the server that drew them.
		for abandoned < 3 && appended.Load() < servers*writers*rounds/2 && ctx.Err() == nil {
			r, err := turns.UpdateOne(ctx, bson.D{{Key: "ticket", Value: bson.D{{Key: "$gt", Value: 5 * abandoned}}}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "ticket", Value: 1}}}})
			if err != nil {
				return err
			}
			abandoned += int(r.ModifiedCount)
			time.Sleep(time.Millisecond)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if abandoned == 0 {
		t.Error("no server drew a ticket, so this test has tested nothing")
	}
	if got := appended.Load(); got != servers*writers*rounds {
		t.Errorf("appended: got %d, want %d", got, servers*writers*rounds)
	}
}

func TestAppendsContinueWhenAServerDiesInTheMiddleOfOne(t *testing.T) {
	database := mongotest.Database(t)
	store, closeStore := storetest.Open(t, database)
	defer closeStore()
	storetest.MustAppend(t, store.Log(), storetest.To("before", 0, "before"))
	dead, err := mongo.Connect(options.Client().ApplyURI(mongotest.URI(t)).SetAppName("chirp/" + database))
	if err != nil {
		t.Fatal(err)
	}
	session, err := dead.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.StartTransaction(); err != nil {
		t.Fatal(err)
	}
	inside := mongo.NewSessionContext(t.Context(), session)
	if _, err := dead.Database(database).Collection("events").InsertOne(inside, bson.D{{Key: "_id", Value: int64(2)}}); err != nil {
		t.Fatal(err)
	}
	// MongoDB itself would end the transaction after a minute.
	ctx, cancel := context.WithTimeout(t.Context(), storetest.Hang/2)
	defer cancel()
	if err := storetest.AppendThrough(ctx, store.Log(), storetest.To("after", 0, "after")); err != nil {
		t.Errorf("Append beside an abandoned transaction: %v", err)
	}
	if head, err := store.Log().Head(ctx); err != nil || head.Position != 2 {
		t.Errorf("Head: got %d, error %v; want 2", head.Position, err)
	}
}
