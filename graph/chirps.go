package graph

import (
	"context"
	"fmt"

	"chirp/graph/model"
	"chirp/internal/command"
	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
	"chirp/internal/subscription"
)

func chirpFromRow(c readmodel.Chirp) model.Chirp {
	return model.Chirp{ID: string(c.ID), Content: string(c.Content), PostedAt: c.PostedAt, AuthorKey: c.Author}
}

func chirpFromCommand(p command.Posted) model.Chirp {
	return model.Chirp{ID: string(p.ID), Content: string(p.Content), PostedAt: p.PostedAt, AuthorID: p.Author, Since: p.Position}
}

func chirpFromItem(i subscription.Item) model.Chirp {
	return model.Chirp{ID: string(i.ID), Content: string(i.Content), PostedAt: i.PostedAt, AuthorID: i.Author, Since: i.Position}
}

// author returns a chirp's author: for a chirp from an event from the log, where
// users are cached, otherwise from the read model.
func (r *Resolver) author(ctx context.Context, c *model.Chirp) (*model.User, error) {
	if c.AuthorID != "" {
		u, err := r.commands.User(ctx, c.AuthorID)
		user := userFromLog(u, c.Since)
		return &user, err
	}
	return withSnapshot(ctx, c.Since, func(l *viewerSnapshot) (*model.User, error) {
		u, ok, err := l.authors.load(ctx, c.AuthorKey)
		if err == nil && !ok {
			err = fmt.Errorf("chirp %s is by user %d, who has no profile", c.ID, c.AuthorKey)
		}
		user := userFromRow(u)
		return &user, err
	})
}

// chirpByID returns the chirp with an id, or nil if there is none.
func chirpByID(ctx context.Context, id string) (*model.Chirp, error) {
	chirp, err := domain.ParseChirpID(id)
	if err != nil {
		return nil, err
	}
	return withSnapshot(ctx, 0, func(l *viewerSnapshot) (*model.Chirp, error) {
		c, err := l.Chirp(ctx, chirp)
		return nilIfNotFound(chirpFromRow(c), err)
	})
}

func feed(ctx context.Context, viewer domain.UserID, p query.Page) (*model.ChirpConnection, error) {
	return withSnapshot(ctx, 0, func(l *viewerSnapshot) (*model.ChirpConnection, error) {
		rows, err := l.Feed(ctx, viewer, p)
		if err != nil {
			return nil, err
		}
		return chirpConnection(l, rows), nil
	})
}

// watchFeed sends the chirps that are added to a viewer's feed, after a cursor or
// from now on. The reader that parses the cursor also makes the new ones.
func (r *Resolver) watchFeed(ctx context.Context, viewer domain.UserID, after *string) (<-chan *model.ChirpEdge, error) {
	reader, err := r.snapshots.queries.Open(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	start := subscription.Now()
	if after != nil {
		position, err := reader.ParseCursor(ctx, *after)
		if err != nil {
			return nil, err
		}
		start = subscription.After(position)
	}
	pushOf := func(i subscription.Item) push { return push{at: i.Position} }
	follow := func() *subscription.Follower[subscription.Item] { return r.hub.FollowFeed(viewer, start) }
	return deliver(ctx, follow, pushOf, func(_ context.Context, i subscription.Item) (*model.ChirpEdge, error) {
		event := domain.HashEvent(domain.ChirpStream(i.ID), i.PostedAt)
		return &model.ChirpEdge{Node: chirpFromItem(i), Cursor: reader.Cursor(i.Position, event)}, nil
	}), nil
}
