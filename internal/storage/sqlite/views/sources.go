package views

import (
	"container/heap"
	"context"
	"database/sql"
	"math"
	"slices"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// followedSources selects the pull sources and the splits of a user's follows, each by
// an index of its own. SQLite seeks to the first bound on older: the second, which
// only shows that the index can be used, would make it read all splits. The + keeps
// SQLite from comparing the parameter's value with the index's condition, because then it
// would compile the statement again for each value.
const followedSources = `SELECT followee, 1, 0 FROM follows WHERE follower = ?1 AND pull = 1
	UNION ALL SELECT followee, 0, older FROM follows WHERE follower = ?1 AND older > +?2 AND older > 0`

// Sources implements readmodel.Snapshot.
func (s *snapshot) Sources(ctx context.Context, owner readmodel.UserKey, after domain.Position) ([]readmodel.Source, error) {
	return rows(ctx, s, "read the sources of a feed", func(c *conn) ([]readmodel.Source, error) {
		return collect(c, func(rows *sql.Rows, of *readmodel.Source) error {
			return rows.Scan(&of.Author, &of.Delivery, &of.Through)
		}, followedSources, int64(owner), int64(after))
	})
}

// sourceCursor is one source in the merge of SourceChirps.
type sourceCursor struct {
	author, delivery int64
	before           int64           // the exclusive bound of the source and of the window
	next             domain.Position // of the source's next chirp, 0 if there is none
}

func scanSource(rows *sql.Rows, p *sourceCursor) error {
	var next sql.NullInt64
	err := rows.Scan(&p.author, &p.delivery, &p.before, &next)
	p.next = domain.Position(next.Int64)
	return err
}

const (
	// sourceRange selects one source's next chirp, given a direction and a limit.
	sourceRange = "SELECT position FROM chirps WHERE author = ? AND delivery = ? AND position > ? AND position < ? ORDER BY position"

	// newestOfSources and oldestOfSources select the first chirp of each source in a
	// JSON array, NULL if there is none: to omit those, SQLite would look up each
	// chirp twice.
	newestOfSources = firstOfSources + " DESC LIMIT 1)" + givenSources
	oldestOfSources = firstOfSources + " LIMIT 1)" + givenSources
	firstOfSources  = "SELECT by, how, before, (SELECT position FROM chirps WHERE author = by AND delivery = how AND position > ?2 AND position < before ORDER BY position"
	givenSources    = " FROM (SELECT value ->> 0 AS by, value ->> 1 AS how, value ->> 2 AS before FROM json_each(?1))"
)

// SourceChirps implements readmodel.Snapshot. One statement finds each source's first
// chirp in the window, with one index seek each. Then the sources are merged, with one
// seek for each row of the result.
func (s *snapshot) SourceChirps(ctx context.Context, sources []readmodel.Source, w readmodel.Window) ([]domain.Position, error) {
	given := sourcesWithin(sources, w)
	if len(given) == 0 {
		return nil, ctx.Err()
	}
	list, err := jsonList(given)
	if err != nil {
		return nil, err
	}
	return rows(ctx, s, "read the chirps of sources", func(c *conn) ([]domain.Position, error) {
		firsts, err := collect(c, scanSource, byDirection(w, newestOfSources, oldestOfSources), list, int64(w.After))
		if err != nil {
			return nil, err
		}
		return mergeSources(c, firsts, w)
	})
}

// sourcesWithin returns each source once, as author, delivery and exclusive upper
// bound, without those that end before the window.
func sourcesWithin(sources []readmodel.Source, w readmodel.Window) [][3]int64 {
	given := make([][3]int64, 0, len(sources))
	for _, of := range sources {
		before := upperBound(w)
		if of.Through != 0 && of.Through < math.MaxInt64 {
			before = min(before, int64(of.Through)+1)
		}
		if before-1 > int64(w.After) {
			given = append(given, [3]int64{int64(of.Author), int64(of.Delivery), before})
		}
	}
	slices.SortFunc(given, func(a, b [3]int64) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(given)
}

// mergeSources merges the sources' chirps in the window's order, and returns the
// positions of the first ones, up to the window's limit. Each source is given with its
// first chirp.
func mergeSources(c *conn, firsts []sourceCursor, w readmodel.Window) ([]domain.Position, error) {
	firsts = slices.DeleteFunc(firsts, func(p sourceCursor) bool { return p.next == 0 })
	m := &sourceHeap{sources: firsts, ascending: w.Ascending}
	heap.Init(m)
	var found []domain.Position
	for len(m.sources) > 0 && len(found) < w.Limit {
		top := &m.sources[0]
		found = append(found, top.next)
		after, before := int64(w.After), int64(top.next)
		if w.Ascending {
			after, before = before, top.before
		}
		next, err := collect(c, scanOne[domain.Position], byDirection(w, sourceRange+" DESC LIMIT 1", sourceRange+" LIMIT 1"), top.author, top.delivery, after, before)
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

// sourceHeap is a heap of sources. The one whose next chirp comes first is on top.
type sourceHeap struct {
	sources   []sourceCursor
	ascending bool
}

// Len implements heap.Interface.
func (m *sourceHeap) Len() int { return len(m.sources) }

// Less implements heap.Interface.
func (m *sourceHeap) Less(i, j int) bool {
	if m.ascending {
		return m.sources[i].next < m.sources[j].next
	}
	return m.sources[i].next > m.sources[j].next
}

// Swap implements heap.Interface.
func (m *sourceHeap) Swap(i, j int) { m.sources[i], m.sources[j] = m.sources[j], m.sources[i] }

// Push implements heap.Interface.
func (m *sourceHeap) Push(x any) { m.sources = append(m.sources, x.(sourceCursor)) }

// Pop implements heap.Interface.
func (m *sourceHeap) Pop() any {
	last := m.sources[len(m.sources)-1]
	m.sources = m.sources[:len(m.sources)-1]
	return last
}
