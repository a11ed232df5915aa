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

// pulled is where an author's chirps stand in the merge: at the next one.
type pulled struct {
	author readmodel.UserKey
	next   domain.Position
}

func scanPulled(rows *sql.Rows, p *pulled) error {
	var next sql.NullInt64
	err := rows.Scan(&p.author, &next)
	p.next = domain.Position(next.Int64)
	return err
}

// The first chirp of each author is null if there is none. To leave those out
// here would look for each chirp twice.
const (
	pulledRange = "SELECT position FROM chirps WHERE author = ? AND delivery = 1 AND position > ? AND position < ? ORDER BY position"

	newestPulled = "SELECT value, (SELECT position FROM chirps WHERE author = value AND delivery = 1 AND position > ?2 AND position < ?3 ORDER BY position DESC LIMIT 1) FROM json_each(?1)"
	oldestPulled = "SELECT value, (SELECT position FROM chirps WHERE author = value AND delivery = 1 AND position > ?2 AND position < ?3 ORDER BY position LIMIT 1) FROM json_each(?1)"
)

// PullChirps implements readmodel.Snapshot. One statement finds each author's
// first chirp in the window, a seek of the index each; the authors are then
// merged, at a seek for each row of the result.
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
		firsts, err := collect(c, scanPulled, order(w, newestPulled, oldestPulled), list, int64(w.After), before(w))
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

// mergePulled gives the positions of the first chirps of all authors.
func mergePulled(c *conn, firsts []pulled, w readmodel.Window) ([]domain.Position, error) {
	firsts = slices.DeleteFunc(firsts, func(p pulled) bool { return p.next == 0 })
	m := &merge{authors: firsts, ascending: w.Ascending}
	heap.Init(m)
	var found []domain.Position
	for len(m.authors) > 0 && len(found) < w.Limit {
		top := &m.authors[0]
		found = append(found, top.next)
		after, upTo := int64(w.After), int64(top.next)
		if w.Ascending {
			after, upTo = upTo, before(w)
		}
		next, err := collect(c, scanOne[domain.Position], order(w, pulledRange+" DESC LIMIT 1", pulledRange+" LIMIT 1"), int64(top.author), after, upTo)
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

// chirpsAt gives the chirps at some positions, in the window's order.
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

// merge is a heap of authors, the one with the next chirp on top.
type merge struct {
	authors   []pulled
	ascending bool
}

func (m *merge) Len() int { return len(m.authors) }

func (m *merge) Less(i, j int) bool {
	if m.ascending {
		return m.authors[i].next < m.authors[j].next
	}
	return m.authors[i].next > m.authors[j].next
}

func (m *merge) Swap(i, j int) { m.authors[i], m.authors[j] = m.authors[j], m.authors[i] }

// Push and Pop implement heap.Interface.
func (m *merge) Push(x any) { m.authors = append(m.authors, x.(pulled)) }

func (m *merge) Pop() any {
	last := m.authors[len(m.authors)-1]
	m.authors = m.authors[:len(m.authors)-1]
	return last
}
