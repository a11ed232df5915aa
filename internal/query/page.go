package query

import (
	"context"
	"fmt"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// MaxFirst is the maximum number of rows in a page.
const MaxFirst = 100

// defaultFirst is the size of a page for which neither First nor Last is set.
const defaultFirst = 20

// Page selects a part of a list, as the arguments of a Relay connection do: of
// the rows after the cursor After and before the cursor Before, the first First
// or the last Last. Either way the rows are in the list's order.
type Page struct {
	// First and Last are 1 to 100, and at most one of them is set; anything else
	// is Invalid. If neither is set, First is 20.
	First *int
	Last  *int
	// After and Before are cursors from an Edge of this or any other list of
	// the same log, or empty for the list's ends. They select the rows that are
	// older than After's position and newer than Before's, whether or not the
	// rows that the cursors came from are in the list.
	After  string
	Before string
}

// Size returns how many rows a page asks for. It does not check the limits.
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
	PageInfo
}

// PageInfo reports whether a list goes on around a page, by the rules of Relay's
// specification. On the side that a page is counted from, which is the beginning
// for First and the end for Last, the answer depends on the cursor of that side:
// without one it is false.
type PageInfo struct {
	// HasNextPage reports for a page by First whether rows were left over
	// between the page and Before, and for a page by Last whether there is a row
	// at or after Before.
	HasNextPage bool
	// HasPreviousPage reports for a page by First whether there is a row at or
	// before After, and for a page by Last whether rows were left over between
	// After and the page.
	HasPreviousPage bool
}

// Edge is a row of a list, and its cursor.
type Edge[T any] struct {
	Node   T
	Cursor string
}

// parsedPage is a valid Page with its cursors resolved to positions. Lists are
// newest first, so the rows that follow after in the list have lower positions.
type parsedPage struct {
	size   int
	last   bool            // counted from the list's end
	after  domain.Position // 0 for the list's beginning
	before domain.Position // 0 for the list's end
}

func (r *Reader) parsePage(ctx context.Context, p Page) (parsedPage, error) {
	parsed := parsedPage{size: p.Size(), last: p.Last != nil}
	argument := "first"
	if parsed.last {
		argument = "last"
	}
	switch {
	case p.First != nil && p.Last != nil:
		return parsedPage{}, domain.Errorf(domain.Invalid, "first and last are both given; leave one of them out")
	case parsed.size < 1 || parsed.size > MaxFirst:
		return parsedPage{}, domain.Errorf(domain.Invalid, "%s is %d, it must be 1 to %d", argument, parsed.size, MaxFirst)
	}
	var err error
	if p.After != "" {
		if parsed.after, err = r.ParseCursor(ctx, p.After); err != nil {
			return parsedPage{}, err
		}
	}
	if p.Before != "" {
		if parsed.before, err = r.ParseCursor(ctx, p.Before); err != nil {
			return parsedPage{}, err
		}
	}
	return parsed, nil
}

// from returns the position of the cursor that the page is counted from, 0 if it
// is counted from an end of the list.
func (p parsedPage) from() domain.Position {
	if p.last {
		return p.before
	}
	return p.after
}

// window returns the window that the page is read through. It holds one row more
// than the page, which shows whether the list goes on, and, if the page is
// counted from a cursor, that cursor's row, which shows whether there is anything
// on that side. It ends at the checkpoint, to hide an event that is applied only
// in part.
func (p parsedPage) window(checkpoint domain.Position) readmodel.Window {
	w := readmodel.Window{After: p.before, Before: checkpoint + 1, Limit: p.size + 1, Ascending: p.last}
	if p.after > 0 {
		w.Before = min(p.after, w.Before)
	}
	switch {
	case p.from() == 0:
		return w
	case p.last:
		w.After = p.before - 1 // includes the row of before, as the next case that of after
	default:
		w.Before = min(p.after, checkpoint) + 1
	}
	w.Limit++
	return w
}

// farSide returns the window of one row at the cursor that the page is counted
// from, or on the side of it that the page is not on.
func (p parsedPage) farSide(checkpoint domain.Position) readmodel.Window {
	if p.last {
		return readmodel.Window{Before: min(p.before, checkpoint) + 1, Limit: 1}
	}
	return readmodel.Window{After: p.after - 1, Before: checkpoint + 1, Limit: 1, Ascending: true}
}

// readPage reads the rows of a page of a list and its PageInfo. list names the list in
// errors.
func readPage[R any](ctx context.Context, r *Reader, p Page, list string, at func(R) domain.Position, read func(readmodel.Window) ([]R, error)) ([]R, PageInfo, error) {
	parsed, err := r.parsePage(ctx, p)
	if err != nil {
		return nil, PageInfo{}, err
	}
	rows, info, err := readParsedPage(parsed, r.Checkpoint(), at, read)
	if err != nil {
		return nil, PageInfo{}, fmt.Errorf("read %s: %w", list, err)
	}
	return rows, info, nil
}

// readParsedPage does what readPage does. One read nearly always suffices, because the
// row of the cursor that the page is counted from is still in the list. If it is not,
// as after an unfollow, a second read looks for a row on the far side of it.
func readParsedPage[R any](p parsedPage, checkpoint domain.Position, at func(R) domain.Position, read func(readmodel.Window) ([]R, error)) ([]R, PageInfo, error) {
	rows, err := read(p.window(checkpoint))
	if err != nil {
		return nil, PageInfo{}, err
	}
	var more, behind bool // whether there are rows past the page, and at or before its cursor
	if len(rows) > 0 && at(rows[0]) == p.from() {
		rows, behind = rows[1:], true
	}
	if len(rows) > p.size {
		rows, more = rows[:p.size], true
	}
	if p.from() > 0 && !behind {
		far, err := read(p.farSide(checkpoint))
		if err != nil {
			return nil, PageInfo{}, err
		}
		behind = len(far) > 0
	}
	if !p.last {
		return rows, PageInfo{HasNextPage: more, HasPreviousPage: behind}, nil
	}
	slices.Reverse(rows)
	return rows, PageInfo{HasNextPage: behind, HasPreviousPage: more}, nil
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
