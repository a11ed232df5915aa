package readmodel

import (
	"context"

	"chirp/internal/domain"
)

// ChirpsInOrder returns the chirps at the positions, in the order of the positions and
// without those that do not exist.
func ChirpsInOrder(ctx context.Context, s Snapshot, at []domain.Position) ([]Chirp, error) {
	if len(at) == 0 {
		return nil, nil
	}
	rows, err := s.Chirps(ctx, at)
	if err != nil {
		return nil, err
	}
	byPosition := make(map[domain.Position]Chirp, len(rows))
	for _, c := range rows {
		byPosition[c.Position] = c
	}
	ordered := make([]Chirp, 0, len(at))
	for _, p := range at {
		if c, ok := byPosition[p]; ok {
			ordered = append(ordered, c)
		}
	}
	return ordered, nil
}

// ChirpsIn returns the chirps in a window of a list. list reads the positions in a
// window, and rows the chirps at some positions, in their order. If rows are missing, as
// in damaged views, those that follow take their places: a result that is shorter than
// the window's limit ends the list.
func ChirpsIn(w Window, list func(Window) ([]domain.Position, error), rows func([]domain.Position) ([]Chirp, error)) ([]Chirp, error) {
	var found []Chirp
	for rest := w; ; rest.Limit = w.Limit - len(found) {
		at, err := list(rest)
		if err != nil {
			return nil, err
		}
		some, err := rows(at)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
		if len(at) < rest.Limit || len(found) == w.Limit {
			return found, nil
		}
		if last := at[len(at)-1]; w.Ascending {
			rest.After = last
		} else {
			rest.Before = last
		}
	}
}
