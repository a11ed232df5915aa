package views

import (
	"cmp"
	"context"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// sourcesPerFind is how many sources one find can merge by position without sorting:
// the server sorts when there are more than 200 index ranges.
const sourcesPerFind = 200

// Sources implements readmodel.Snapshot. The index alone answers it.
func (s *snapshot) Sources(ctx context.Context, owner readmodel.UserKey, after domain.Position) ([]readmodel.Source, error) {
	filter := bson.D{{Key: "r", Value: owner}, {Key: "merged", Value: bson.D{{Key: "$gt", Value: max(0, after)}}}}
	covered := bson.D{{Key: "_id", Value: 0}, {Key: "e", Value: 1}, {Key: "pull", Value: 1}, {Key: "older", Value: 1}}
	follows, err := find[followRow](ctx, s, s.c.follows, filter, options.Find().SetProjection(covered).SetHint(sourcesIndex))
	if err != nil {
		return nil, err
	}
	var sources []readmodel.Source
	for _, f := range follows {
		sources = append(sources, f.sources(after)...)
	}
	return sources, nil
}

// SourceChirps implements readmodel.Snapshot. Each find merges as many sources as the
// server can merge without sorting. Once there are enough rows, the next find reads
// only the part of the window that can replace some of them.
func (s *snapshot) SourceChirps(ctx context.Context, sources []readmodel.Source, w readmodel.Window) ([]domain.Position, error) {
	if w.Limit < 1 {
		return nil, errNoLimit
	}
	sources = distinct(sources)
	// The sources with the highest ends most likely have the first rows.
	slices.SortFunc(sources, func(a, b readmodel.Source) int { return cmp.Compare(endOf(b), endOf(a)) })
	var found []chirpRow
	for len(sources) > 0 {
		ranges, n := sourceRanges(sources, w)
		sources = sources[n:]
		if len(ranges) == 0 {
			continue
		}
		rows, err := s.sorted(ctx, ranges, w)
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
		slices.SortFunc(found, byPosition(w))
		if len(found) >= w.Limit {
			found = found[:w.Limit]
			w = before(w, domain.Position(found[w.Limit-1].Position))
		}
	}
	return convert(found, nil, chirpRow.position)
}

// sorted returns the first rows of some ranges of the index on authors.
func (s *snapshot) sorted(ctx context.Context, ranges []bson.D, w readmodel.Window) ([]chirpRow, error) {
	o := options.Find().SetSort(bson.D{{Key: "_id", Value: direction(w)}}).SetLimit(int64(w.Limit)).SetHint(authorIndex).SetProjection(keyOnly)
	return find[chirpRow](ctx, s, s.c.chirps, bson.D{{Key: "$or", Value: ranges}}, o)
}

// sourceRanges returns the ranges of the first sources, as many as one find can merge,
// and how many sources these are. Sources of one end share a condition, and those that
// end before the window have none.
func sourceRanges(sources []readmodel.Source, w readmodel.Window) (ranges []bson.D, n int) {
	type shared struct {
		delivery readmodel.Delivery
		through  domain.Position
	}
	last := domain.Position(math.MaxInt64)
	if w.Before != 0 {
		last = w.Before - 1
	}
	authors := map[shared][]readmodel.UserKey{}
	for count := 0; n < len(sources) && count < sourcesPerFind; n++ {
		of := sources[n]
		if end := min(endOf(of), last); end > w.After {
			key := shared{of.Delivery, end}
			authors[key] = append(authors[key], of.Author)
			count++
		}
	}
	for of, some := range authors {
		ranges = append(ranges, bson.D{
			{Key: "a", Value: in(some)}, {Key: "d", Value: of.delivery},
			{Key: "_id", Value: bounds(readmodel.Range{After: w.After, Through: of.through})},
		})
	}
	return ranges, n
}

// endOf returns the position after which a source has no chirps.
func endOf(of readmodel.Source) domain.Position {
	if of.Through == 0 {
		return math.MaxInt64
	}
	return of.Through
}

// before returns the part of a window before a position, in the window's order.
func before(w readmodel.Window, p domain.Position) readmodel.Window {
	if w.Ascending {
		w.Before = p
	} else {
		w.After = p
	}
	return w
}

// byPosition compares rows in the order of a window.
func byPosition(w readmodel.Window) func(a, b chirpRow) int {
	if w.Ascending {
		return func(a, b chirpRow) int { return cmp.Compare(a.Position, b.Position) }
	}
	return func(a, b chirpRow) int { return cmp.Compare(b.Position, a.Position) }
}
