package query

import (
	"context"
	"fmt"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// chirpPage returns a page of chirps. list names the list in errors.
func (r *Reader) chirpPage(ctx context.Context, p Page, list string, read func(readmodel.Window) ([]domain.Position, error)) (Connection[readmodel.Chirp], error) {
	at, info, err := readPage(ctx, r, p, list, itself, read)
	if err != nil {
		return Connection[readmodel.Chirp]{}, err
	}
	edges, err := r.chirps(ctx, at)
	if err != nil {
		return Connection[readmodel.Chirp]{}, fmt.Errorf("read %s: %w", list, err)
	}
	return Connection[readmodel.Chirp]{Edges: edges, PageInfo: info}, nil
}

func itself(p domain.Position) domain.Position { return p }

// chirps returns the chirps at the positions with their cursors, in the order of the
// positions and without those that do not exist. It reads at most once.
func (r *Reader) chirps(ctx context.Context, at []domain.Position) ([]Edge[readmodel.Chirp], error) {
	edges, missing := make([]Edge[readmodel.Chirp], len(at)), at
	c, history := r.cached(ctx)
	if history != 0 {
		missing = c.chirpsAt(history, at, edges)
	}
	if len(missing) == 0 {
		return edges, nil
	}
	rows, err := r.views.Chirps(ctx, missing)
	if err != nil {
		return nil, err
	}
	read := make([]Edge[readmodel.Chirp], len(rows))
	for i, row := range rows {
		read[i] = Edge[readmodel.Chirp]{Node: row, Cursor: r.Cursor(row.Position, domain.HashEvent(domain.ChirpStream(row.ID), row.PostedAt))}
	}
	if history != 0 {
		c.addChirps(history, read)
	}
	return fillIn(edges, at, read), nil
}

// fillIn stores chirps in the places of their positions, and removes the places that stay
// empty.
func fillIn(edges []Edge[readmodel.Chirp], at []domain.Position, read []Edge[readmodel.Chirp]) []Edge[readmodel.Chirp] {
	byPosition := make(map[domain.Position]Edge[readmodel.Chirp], len(read))
	for _, e := range read {
		byPosition[e.Node.Position] = e
	}
	for i, p := range at {
		if e, ok := byPosition[p]; ok {
			edges[i] = e
		}
	}
	return slices.DeleteFunc(edges, func(e Edge[readmodel.Chirp]) bool { return e.Node.Position == 0 })
}

func nodes[T any](edges []Edge[T]) []T {
	found := make([]T, len(edges))
	for i, e := range edges {
		found[i] = e.Node
	}
	return found
}
