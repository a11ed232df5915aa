package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/bench/history"
	"chirp/bench/process"
)

// peersDatabase is where the peers have their data, in the MongoDB that Chirp uses too.
const peersDatabase = "peers"

// readPeers are the servers to which Chirp's pages are compared.
type readPeers struct{ canned, find, apollo *process.Server }

// startPeers starts the peers on the feeds of some readers.
func (s *stage) startPeers(ctx context.Context, w *world, readers []int) (*readPeers, error) {
	m, err := s.mongo(ctx)
	if err != nil {
		return nil, err
	}
	if err := fillPeers(ctx, m.URI, w, readers); err != nil {
		return nil, fmt.Errorf("fill the peers: %w", err)
	}
	gqlgen, err := s.build(ctx, "chirp/bench/peers/gqlgen")
	if err != nil {
		return nil, err
	}
	p := &readPeers{}
	var errs [3]error
	p.canned, errs[0] = process.Start(exec.Command(gqlgen, "-canned"))
	p.find, errs[1] = process.Start(exec.Command(gqlgen, "-mongodb-uri", m.URI, "-mongodb-database", peersDatabase))
	if s.node {
		p.apollo, errs[2] = s.startApollo(ctx, m.URI)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (s *stage) startApollo(ctx context.Context, uri string) (*process.Server, error) {
	dir, err := s.npm(ctx, "apollo")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("node", filepath.Join(dir, "server.mjs"), uri, peersDatabase)
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	return process.Start(cmd)
}

func (p *readPeers) stop() error {
	var errs []error
	for _, s := range []*process.Server{p.canned, p.find, p.apollo} {
		if s != nil {
			errs = append(errs, s.Stop())
		}
	}
	return errors.Join(errs...)
}

// fillPeers writes the readers' whole feeds: a document for each chirp of each feed
// with all that a page shows, and one for each user, with the indexes that the peers'
// reads need.
func fillPeers(ctx context.Context, uri string, w *world, readers []int) error {
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer c.Disconnect(context.WithoutCancel(ctx))
	db := c.Database(peersDatabase)
	progress("fill the peers with the feeds of %d readers", len(readers))
	if err := errors.Join(db.Collection("timeline").Drop(ctx), db.Collection("users").Drop(ctx)); err != nil {
		return err
	}
	newestFirst := mongo.IndexModel{Keys: bson.D{{Key: "owner", Value: 1}, {Key: "position", Value: -1}}}
	if _, err := db.Collection("timeline").Indexes().CreateOne(ctx, newestFirst); err != nil {
		return err
	}
	users := make([]any, w.network.Users)
	for u := range users {
		users[u] = bson.D{{Key: "_id", Value: history.UserID(u)}, {Key: "username", Value: history.UserName(u)}}
	}
	if _, err := db.Collection("users").InsertMany(ctx, users); err != nil {
		return err
	}
	for _, reader := range readers {
		if _, err := db.Collection("timeline").InsertMany(ctx, w.entries(reader)); err != nil {
			return err
		}
	}
	return nil
}

// entries returns the documents of a user's feed.
func (w *world) entries(user int) []any {
	var entries []any
	for _, n := range w.feed(user, len(w.network.Authors)) {
		author := w.network.Authors[n]
		entries = append(entries, bson.D{
			{Key: "owner", Value: history.UserID(user)}, {Key: "position", Value: int64(n)}, {Key: "cursor", Value: fmt.Sprintf("cursor_%026d", n)},
			{Key: "chirpId", Value: history.ChirpID(n)}, {Key: "content", Value: w.network.Texts[n%len(w.network.Texts)]},
			{Key: "postedAt", Value: time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)},
			{Key: "authorId", Value: history.UserID(author)}, {Key: "author", Value: history.UserName(author)},
		})
	}
	return entries
}
