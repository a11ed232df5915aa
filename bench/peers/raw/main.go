// Command raw inserts documents like Chirp's events with the Go driver's InsertOne, as
// durably as Chirp appends them: acknowledged by a majority, and journaled. It prints
// how long each insert took.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"chirp/bench/peers"
)

func main() {
	uri := flag.String("mongodb-uri", "", "MongoDB to write to")
	database := flag.String("mongodb-database", "peers", "its database")
	clients := flag.Int("clients", 64, "inserts in flight")
	seconds := flag.Float64("seconds", 3, "how long to insert")
	flag.Parse()
	if err := run(context.Background(), *uri, *database, *clients, time.Duration(*seconds*float64(time.Second))); err != nil {
		fmt.Fprintln(os.Stderr, "raw:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, uri, database string, clients int, span time.Duration) error {
	journaled := true
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled}))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx)
	events := client.Database(database).Collection("raw")
	if err := insert(ctx, events, clients, 200*time.Millisecond, nil); err != nil { // connections are warm from here on
		return err
	}
	var w peers.Work
	w.Begin()
	if err := insert(ctx, events, clients, span, &w); err != nil {
		return err
	}
	w.End()
	return w.Print(os.Stdout)
}

// insert inserts in several goroutines for a span.
func insert(ctx context.Context, events *mongo.Collection, clients int, span time.Duration, w *peers.Work) error {
	errs := make(chan error, clients)
	var inserting sync.WaitGroup
	until := time.Now().Add(span)
	for range clients {
		inserting.Go(func() {
			for began := time.Now(); began.Before(until); {
				if _, err := events.InsertOne(ctx, event()); err != nil {
					errs <- err
					return
				}
				ended := time.Now()
				w.Add(ended.Sub(began))
				began = ended
			}
		})
	}
	inserting.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// event returns a document like that of a chirp, with an id like a command's.
func event() bson.D {
	id := rand.Text()
	return bson.D{
		{Key: "_id", Value: id}, {Key: "stream", Value: "chirp:chirp_" + id}, {Key: "version", Value: int64(1)}, {Key: "type", Value: "chirp.posted.v1"},
		{Key: "data", Value: bson.D{
			{Key: "chirpId", Value: "chirp_" + id}, {Key: "authorId", Value: "user_" + id},
			{Key: "content", Value: "What a chirp says in the middle of a measurement is about this long."},
		}},
		{Key: "recordedAt", Value: time.Now()}, {Key: "actor", Value: "user_" + id},
		{Key: "command", Value: bson.D{{Key: "fingerprint", Value: id}, {Key: "events", Value: int64(1)}}},
	}
}
