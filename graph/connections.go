package graph

import (
	"context"
	"fmt"

	"chirp/graph/model"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// newPage returns the page that a connection's arguments ask for. An empty cursor
// counts as none, because Apollo's relayStylePagination sends one after an empty
// list.
func newPage(first *int, after *string, last *int, before *string) query.Page {
	p := query.Page{First: first, Last: last}
	if after != nil {
		p.After = *after
	}
	if before != nil {
		p.Before = *before
	}
	return p
}

// userList reads a page of a list that belongs to a user.
func userList[T, C any](ctx context.Context, u *model.User,
	read func(*query.Reader, context.Context, readmodel.UserKey, query.Page) (query.Connection[T], error),
	p query.Page, connect func(*viewerSnapshot, query.Connection[T]) *C,
) (*C, error) {
	return withSnapshot(ctx, u.Since, func(l *viewerSnapshot) (*C, error) {
		key, err := l.key(ctx, u)
		if err != nil {
			return nil, err
		}
		rows, err := read(l.Reader, ctx, key, p)
		if err != nil {
			return nil, fmt.Errorf("list of user %s: %w", u.ID, err)
		}
		return connect(l, rows), nil
	})
}

func userConnection(l *viewerSnapshot, c query.Connection[readmodel.User]) *model.UserConnection {
	connection := &model.UserConnection{Edges: make([]model.UserEdge, len(c.Edges)), PageInfo: pageInfo(c)}
	for i, e := range c.Edges {
		connection.Edges[i] = model.UserEdge{Node: userFromRow(e.Node), Cursor: e.Cursor}
		l.profiles.expect(e.Node.Key)
		l.follows.expect(e.Node.Key)
	}
	return connection
}

func pageInfo[T any](c query.Connection[T]) model.PageInfo {
	info := model.PageInfo{HasNextPage: c.HasNextPage, HasPreviousPage: c.HasPreviousPage}
	if n := len(c.Edges); n > 0 {
		info.StartCursor, info.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	return info
}

func chirpConnection(l *viewerSnapshot, c query.Connection[readmodel.Chirp]) *model.ChirpConnection {
	connection := &model.ChirpConnection{Edges: make([]model.ChirpEdge, len(c.Edges)), PageInfo: pageInfo(c)}
	for i, e := range c.Edges {
		connection.Edges[i] = model.ChirpEdge{Node: chirpFromRow(e.Node), Cursor: e.Cursor}
		l.authors.expect(e.Node.Author)
		l.profiles.expect(e.Node.Author)
		l.follows.expect(e.Node.Author)
	}
	return connection
}
