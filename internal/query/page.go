package query

import (
	"context"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// MaxFirst is the most rows that one page can have.
const MaxFirst = 100

// defaultFirst is how long a page is when nobody says.
const defaultFirst = 20

// Page says which part of a list is wanted, as the arguments of a Relay
// connection do: of the rows that come after the row with the cursor After and
// before the one with the cursor Before, the First ones or the Last ones. They
// are given in the list's order either way.
type Page struct {
	// First and Last are 1 to 100, and not both given; anything else is refused
	// as Invalid. With neither, First is 20.
	First *int
	Last  *int
	// After and Before are cursors from an Edge of this or any other list of
	// the same log, or empty for the list's ends: rows older than the position
	// of After and newer than that of Before are given, whether or not the rows
	// that they came from are in the list.
	After  string
	Before string
}

// Size gives how many rows a page asks for, whether or not it may.
func (p Page) Size() int {
	switch {
	case p.First != nil:
		return *p.First
	case p.Last != nil:
		return *p.Last
	default:
		return defaultFirst
	}
}

// Connection is one page of a list.
type Connection[T any] struct {
	Edges []Edge[T]
	Around
}

// Around says what a list has besides a page, by the rules of Relay's
// specification: the end that a page was counted from is told of by its cursor
// alone, so that it is false without one.
type Around struct {
	// HasNextPage says for a page by Last that there is a row at or after the
	// place of Before, and for one by First that rows were left over between
	// the page and Before.
	HasNextPage bool
	// HasPreviousPage says for a page by First that there is a row at or before
	// the place of After, and for one by Last that rows were left over between
	// After and the page.
	HasPreviousPage bool
}

// Edge is a row of a list, and the cursor that names its place.
type Edge[T any] struct {
	Node   T
	Cursor string
}

// slice is a Page with its cursors read.
type slice struct {
	size   int
	last   bool            // counted from the list's end
	after  domain.Position // 0 for the list's beginning
	before domain.Position // 0 for the list's end
}

func (r *Reader) slice(ctx context.Context, p Page) (slice, error) {
	s := slice{size: p.Size(), last: p.Last != nil}
	argument := "first"
	if s.last {
		argument = "last"
	}
	switch {
	case p.First != nil && p.Last != nil:
		return slice{}, domain.Errorf(domain.Invalid, "first and last are both given; leave one of them out")
	case s.size < 1 || s.size > MaxFirst:
		return slice{}, domain.Errorf(domain.Invalid, "%s is %d, it must be 1 to %d", argument, s.size, MaxFirst)
	}
	var err error
	if p.After != "" {
		if s.after, err = r.ParseCursor(ctx, p.After); err != nil {
			return slice{}, err
		}
	}
	if p.Before != "" {
		if s.before, err = r.ParseCursor(ctx, p.Before); err != nil {
			return slice{}, err
		}
	}
	return s, nil
}

// from is the place that the page is counted from, 0 for an end of the list.
func (s slice) from() domain.Position {
	if s.last {
		return s.before
	}
	return s.after
}

// window gives the window that a slice is read through: one row more than
// wanted, which tells whether the list goes on, and the row of the cursor that
// the page is counted from, which tells whether there is something on that
// side. It ends at the checkpoint, so that an event which is only part applied
// stays unseen.
func (s slice) window(checkpoint domain.Position) readmodel.Window {
	w := readmodel.Window{After: s.before, Before: checkpoint + 1, Limit: s.size + 1, Ascending: s.last}
	if s.after > 0 {
		w.Before = min(s.after, w.Before)
	}
	switch {
	case s.from() == 0:
		return w
	case s.last:
		w.After = s.before - 1
	default:
		w.Before = min(s.after, checkpoint) + 1
	}
	w.Limit++
	return w
}

// farSide gives the window of one row on the far side of the cursor that the
// page is counted from, and at it.
func (s slice) farSide(checkpoint domain.Position) readmodel.Window {
	if s.last {
		return readmodel.Window{Before: min(s.before, checkpoint) + 1, Limit: 1}
	}
	return readmodel.Window{After: s.after - 1, Before: checkpoint + 1, Limit: 1, Ascending: true}
}

// readPage reads the rows of a slice and what is around them. The cursor's own
// row is nearly always in the list still; only if it is not, the list is asked
// once more what lies on its far side.
func readPage[R any](s slice, checkpoint domain.Position, at func(R) domain.Position, read func(readmodel.Window) ([]R, error)) ([]R, Around, error) {
	rows, err := read(s.window(checkpoint))
	if err != nil {
		return nil, Around{}, err
	}
	var more, behind bool
	if len(rows) > 0 && at(rows[0]) == s.from() {
		rows, behind = rows[1:], true
	}
	if len(rows) > s.size {
		rows, more = rows[:s.size], true
	}
	if s.from() > 0 && !behind {
		far, err := read(s.farSide(checkpoint))
		if err != nil {
			return nil, Around{}, err
		}
		behind = len(far) > 0
	}
	if !s.last {
		return rows, Around{HasNextPage: more, HasPreviousPage: behind}, nil
	}
	slices.Reverse(rows)
	return rows, Around{HasNextPage: behind, HasPreviousPage: more}, nil
}

// unique drops repeated keys.
func unique(keys []readmodel.UserKey) []readmodel.UserKey {
	seen := make(map[readmodel.UserKey]bool, len(keys))
	kept := make([]readmodel.UserKey, 0, len(keys))
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			kept = append(kept, k)
		}
	}
	return kept
}
