package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/bench/peers/gqlgen/generated"
)

// resolver is the root of the schema.
type resolver struct {
	read func(ctx context.Context, owner string, n int) ([]generated.ChirpEdge, error)
}

// Query returns the resolver of queries.
func (r *resolver) Query() generated.QueryResolver { return r }

// Feed returns the viewer's newest chirps.
func (r *resolver) Feed(ctx context.Context, first *int) (*generated.ChirpConnection, error) {
	n := 20
	if first != nil {
		n = *first
	}
	viewer, _ := ctx.Value(viewerKey{}).(string)
	edges, err := r.read(ctx, viewer, n)
	if err != nil {
		return nil, err
	}
	page := &generated.ChirpConnection{Edges: edges, PageInfo: &generated.PageInfo{HasNextPage: len(edges) == n}}
	if len(edges) > 0 {
		page.PageInfo.EndCursor = &edges[len(edges)-1].Cursor
	}
	return page, nil
}

// readCanned returns made-up chirps.
func readCanned(_ context.Context, _ string, n int) ([]generated.ChirpEdge, error) {
	edges := make([]generated.ChirpEdge, n)
	for i := range edges {
		edges[i] = generated.ChirpEdge{Cursor: "cursor_" + strconv.Itoa(i), Node: &generated.Chirp{
			ID: fmt.Sprintf("chirp_%026d", i), Content: "What a chirp says in the middle of a measurement is about this long.", PostedAt: time.Unix(1_750_000_000, 0).UTC(),
			Author: &generated.User{ID: fmt.Sprintf("user_%026d", i), Username: "user_" + strconv.Itoa(i)},
		}}
	}
	return edges, nil
}

// timeline has a document for each chirp of each feed, with all that a page shows, and
// an index on the owner and the position.
type timeline struct{ entries *mongo.Collection }

type entry struct {
	Cursor   string    `bson:"cursor"`
	ID       string    `bson:"chirpId"`
	Content  string    `bson:"content"`
	PostedAt time.Time `bson:"postedAt"`
	AuthorID string    `bson:"authorId"`
	Author   string    `bson:"author"`
}

func (t timeline) read(ctx context.Context, owner string, n int) ([]generated.ChirpEdge, error) {
	newest := options.Find().SetSort(bson.D{{Key: "position", Value: -1}}).SetLimit(int64(n)).SetBatchSize(int32(n + 1))
	found, err := t.entries.Find(ctx, bson.D{{Key: "owner", Value: owner}}, newest)
	if err != nil {
		return nil, err
	}
	var entries []entry
	if err := found.All(ctx, &entries); err != nil {
		return nil, err
	}
	edges := make([]generated.ChirpEdge, len(entries))
	for i, e := range entries {
		edges[i] = generated.ChirpEdge{Cursor: e.Cursor, Node: &generated.Chirp{
			ID: e.ID, Content: e.Content, PostedAt: e.PostedAt, Author: &generated.User{ID: e.AuthorID, Username: e.Author},
		}}
	}
	return edges, nil
}
