package graph

import (
	"context"
	"fmt"

	"chirp/graph/model"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

// page makes a page of a connection's arguments. An empty cursor is as good as
// none: it is what Apollo's relayStylePagination has for the end of an empty list.
func page(first *int, after *string, last *int, before *string) query.Page {
	p := query.Page{First: first, Last: last}
	if after != nil {
		p.After = *after
	}
	if before != nil {
		p.Before = *before
	}
	return p
}

// pageOf reads one page of a list that belongs to a user.
func pageOf[T, C any](ctx context.Context, u *model.User,
	read func(*query.Reader, context.Context, readmodel.UserKey, query.Page) (query.Connection[T], error),
	p query.Page, connect func(*lens, query.Connection[T]) *C,
) (*C, error) {
	return look(ctx, u.Since, func(l *lens) (*C, error) {
		profile, err := l.profile(ctx, u)
		if err != nil {
			return nil, err
		}
		rows, err := read(l.Reader, ctx, profile.Key, p)
		if err != nil {
			return nil, fmt.Errorf("list of user %s: %w", u.ID, err)
		}
		return connect(l, rows), nil
	})
}

func userConnection(l *lens, c query.Connection[readmodel.Profile]) *model.UserConnection {
	answer := &model.UserConnection{Edges: make([]model.UserEdge, len(c.Edges)), PageInfo: pageInfo(c)}
	for i, e := range c.Edges {
		answer.Edges[i] = model.UserEdge{Node: profileUser(e.Node), Cursor: e.Cursor}
		l.follows.expect(e.Node.Key)
	}
	return answer
}

func pageInfo[T any](c query.Connection[T]) model.PageInfo {
	info := model.PageInfo{HasNextPage: c.HasNextPage, HasPreviousPage: c.HasPreviousPage}
	if n := len(c.Edges); n > 0 {
		info.StartCursor, info.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	return info
}

func chirpConnection(l *lens, c query.Connection[readmodel.Chirp]) *model.ChirpConnection {
	answer := &model.ChirpConnection{Edges: make([]model.ChirpEdge, len(c.Edges)), PageInfo: pageInfo(c)}
	for i, e := range c.Edges {
		answer.Edges[i] = model.ChirpEdge{Node: rowChirp(e.Node), Cursor: e.Cursor}
		l.profiles.expect(e.Node.Author)
		l.follows.expect(e.Node.Author)
	}
	return answer
}
