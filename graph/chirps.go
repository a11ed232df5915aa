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

func rowChirp(c readmodel.Chirp) model.Chirp {
	return model.Chirp{ID: string(c.ID), Content: string(c.Content), PostedAt: c.PostedAt, AuthorKey: c.Author}
}

func postedChirp(p command.Posted) model.Chirp {
	return model.Chirp{ID: string(p.ID), Content: string(p.Content), PostedAt: p.PostedAt, AuthorID: p.Author, Since: p.Position}
}

func itemChirp(i subscription.Item) model.Chirp {
	return model.Chirp{ID: string(i.ID), Content: string(i.Content), PostedAt: i.PostedAt, AuthorID: i.Author, Since: i.Position}
}

// author gives who posted a chirp: from the log, which remembers users, for a
// chirp that came from an event, and else from the read model.
func (r *Resolver) author(ctx context.Context, c *model.Chirp) (*model.User, error) {
	if c.AuthorID != "" {
		u, err := r.commands.User(ctx, c.AuthorID)
		user := userOf(u, c.Since)
		return &user, err
	}
	return look(ctx, c.Since, func(l *lens) (*model.User, error) {
		p, ok, err := l.profiles.load(ctx, c.AuthorKey)
		if err == nil && !ok {
			err = fmt.Errorf("chirp %s is by user %d, who has no profile", c.ID, c.AuthorKey)
		}
		user := profileUser(p)
		return &user, err
	})
}

// chirpByID gives the chirp with an id, nil if there is none.
func chirpByID(ctx context.Context, id string) (*model.Chirp, error) {
	chirp, err := domain.ParseChirpID(id)
	if err != nil {
		return nil, err
	}
	return look(ctx, 0, func(l *lens) (*model.Chirp, error) {
		c, err := l.Chirp(ctx, chirp)
		return orNull(rowChirp(c), err)
	})
}

func feed(ctx context.Context, viewer domain.UserID, p query.Page) (*model.ChirpConnection, error) {
	return look(ctx, 0, func(l *lens) (*model.ChirpConnection, error) {
		rows, err := l.Feed(ctx, viewer, p)
		if err != nil {
			return nil, err
		}
		return chirpConnection(l, rows), nil
	})
}

// watchFeed gives what is added to a viewer's feed after a cursor, or from now
// on. The reading that the cursor is parsed with makes the new ones too.
func (r *Resolver) watchFeed(ctx context.Context, viewer domain.UserID, after *string) (<-chan *model.ChirpEdge, error) {
	reader, err := r.views.queries.Open(ctx, 0)
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
	return push(ctx, r, r.hub.Feed(ctx, viewer, start), func(i subscription.Item) (*model.ChirpEdge, error) {
		event := domain.HashEvent(domain.ChirpStream(i.ID), i.PostedAt)
		return &model.ChirpEdge{Node: itemChirp(i), Cursor: reader.Cursor(i.Position, event)}, nil
	}), nil
}
