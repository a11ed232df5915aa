package views

import (
	"cmp"
	"container/heap"
	"context"
	"database/sql"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// pullCursor is one author in the merge of PullChirps.
type pullCursor struct {
	author readmodel.UserKey
	next   domain.Position // of the author's next chirp, 0 if there is none
}

func scanPulled(rows *sql.Rows, p *pullCursor) error {
	var next sql.NullInt64
	err := rows.Scan(&p.author, &next)
	p.next = domain.Position(next.Int64)
	return err
}

const (
	// pulledRange selects one author's next chirp, given a direction and a limit.
	pulledRange = "SELECT position FROM chirps WHERE author = ? AND delivery = 1 AND position > ? AND position < ? ORDER BY position"

	// newestPulled and oldestPulled select the first chirp of each author in a
	// JSON array, NULL if there is none: to omit those, SQLite would look up each
	// chirp twice.
	newestPulled = "SELECT value, (SELECT position FROM chirps WHERE author = value AND delivery = 1 AND position > ?2 AND position < ?3 ORDER BY position DESC LIMIT 1) FROM json_each(?1)"
	oldestPulled = "SELECT value, (SELECT position FROM chirps WHERE author = value AND delivery = 1 AND position > ?2 AND position < ?3 ORDER BY position LIMIT 1) FROM json_each(?1)"
)

// PullChirps implements readmodel.Snapshot. One statement finds each author's
// first chirp in the window, with one index seek each. Then the authors are
// merged, with one seek for each row of the result.
func (s *snapshot) PullChirps(ctx context.Context, authors []readmodel.UserKey, w readmodel.Window) ([]readmodel.Chirp, error) {
	if len(authors) == 0 {
		return nil, ctx.Err()
	}
	authors = slices.Compact(slices.Sorted(slices.Values(authors)))
	list, err := jsonList(authors)
	if err != nil {
		return nil, err
	}
	return rows(ctx, s, "read pulled chirps", func(c *conn) ([]readmodel.Chirp, error) {
		firsts, err := collect(c, scanPulled, byDirection(w, newestPulled, oldestPulled), list, int64(w.After), upperBound(w))
		if err != nil {
			return nil, err
		}
		found, err := mergePulled(c, firsts, w)
		if err != nil {
			return nil, err
		}
		return chirpsAt(c, found, w)
	})
}

// mergePulled merges the authors' chirps in the window's order, and returns the
// positions of the first ones, up to the window's limit. Each author is given with
// their first chirp.
func mergePulled(c *conn, firsts []pullCursor, w readmodel.Window) ([]domain.Position, error) {
	firsts = slices.DeleteFunc(firsts, func(p pullCursor) bool { return p.next == 0 })
	m := &pullHeap{authors: firsts, ascending: w.Ascending}
	heap.Init(m)
	var found []domain.Position
	for len(m.authors) > 0 && len(found) < w.Limit {
		top := &m.authors[0]
		found = append(found, top.next)
		after, upTo := int64(w.After), int64(top.next)
		if w.Ascending {
			after, upTo = upTo, upperBound(w)
		}
		next, err := collect(c, scanOne[domain.Position], byDirection(w, pulledRange+" DESC LIMIT 1", pulledRange+" LIMIT 1"), int64(top.author), after, upTo)
		switch {
		case err != nil:
			return nil, err
		case len(next) == 0:
			heap.Pop(m)
		default:
			top.next = next[0]
			heap.Fix(m, 0)
		}
	}
	return found, nil
}

// chirpsAt returns the chirps at the given positions, in the window's order.
func chirpsAt(c *conn, at []domain.Position, w readmodel.Window) ([]readmodel.Chirp, error) {
	list, err := jsonList(at)
	if err != nil {
		return nil, err
	}
	found, err := collect(c, scanChirp, "SELECT "+chirpColumns+" FROM chirps WHERE position IN (SELECT value FROM json_each(?))", list)
	slices.SortFunc(found, func(a, b readmodel.Chirp) int {
		if w.Ascending {
			return cmp.Compare(a.Position, b.Position)
		}
		return cmp.Compare(b.Position, a.Position)
	})
	return found, err
}

// pullHeap is a heap of authors. The one whose next chirp comes first is on top.
type pullHeap struct {
	authors   []pullCursor
	ascending bool
}

// Len implements heap.Interface.
func (m *pullHeap) Len() int { return len(m.authors) }

// Less implements heap.Interface.
func (m *pullHeap) Less(i, j int) bool {
	if m.ascending {
		return m.authors[i].next < m.authors[j].next
	}
	return m.authors[i].next > m.authors[j].next
}

// Swap implements heap.Interface.
func (m *pullHeap) Swap(i, j int) { m.authors[i], m.authors[j] = m.authors[j], m.authors[i] }

// Push implements heap.Interface.
func (m *pullHeap) Push(x any) { m.authors = append(m.authors, x.(pullCursor)) }

// Pop implements heap.Interface.
func (m *pullHeap) Pop() any {
	last := m.authors[len(m.authors)-1]
	m.authors = m.authors[:len(m.authors)-1]
	return last
}
