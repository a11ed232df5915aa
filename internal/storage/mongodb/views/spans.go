package views

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// span is the rows about one user, its followers or its pushed chirps, in a range
// of positions.
type span struct {
	of int64
	readmodel.Range
}

// entry is such a row: its position, and the follower or the chirp that it names. For a
// follower, older is the position of the last chirp that the follow skips.
type entry struct {
	at    domain.Position
	value int64
	older domain.Position
}

// source describes how to read spans from an index that covers the entries.
type source struct {
	rows    *mongo.Collection
	match   bson.D // besides the user and the range
	of, at  string // the fields of the user and of the position
	index   string
	project bson.D
	decode  func(bson.Raw) (of int64, e entry)
}

// followersBySince is the source of a user's followers.
func followersBySince(follows *mongo.Collection) source {
	return source{
		rows: follows, match: bson.D{}, of: "e", at: "s", index: followersIndex,
		project: bson.D{{Key: "_id", Value: 0}, {Key: "e", Value: 1}, {Key: "s", Value: 1}, {Key: "r", Value: 1}, {Key: "older", Value: 1}},
		decode: func(doc bson.Raw) (int64, entry) {
			older, _ := doc.Lookup("older").Int64OK() // which most follows lack
			return doc.Lookup("e").Int64(), entry{at: domain.Position(doc.Lookup("s").Int64()), value: doc.Lookup("r").Int64(), older: domain.Position(older)}
		},
	}
}

// pushedByPosition is the source of a user's pushed chirps.
func pushedByPosition(chirps *mongo.Collection) source {
	return source{
		rows: chirps, match: bson.D{{Key: "d", Value: readmodel.Push}}, of: "a", at: "_id", index: authorIndex,
		project: bson.D{{Key: "a", Value: 1}, {Key: "_id", Value: 1}},
		decode: func(doc bson.Raw) (int64, entry) {
			position := doc.Lookup("_id").Int64()
			return doc.Lookup("a").Int64(), entry{at: domain.Position(position), value: position}
		},
	}
}

// spans are the entries that were read, in the order of their positions.
type spans struct {
	whole  map[int64][]entry // by user: all entries of the spans that end with the batch
	pieces map[span][]entry
}

// of returns the entries of a span that was read.
func (s spans) of(of int64, r readmodel.Range) []entry {
	all, ok := s.whole[of]
	if !ok {
		return s.pieces[span{of, r}]
	}
	after := func(e entry, p domain.Position) int {
		if e.at <= p {
			return -1
		}
		return 1
	}
	from, _ := slices.BinarySearchFunc(all, r.After, after)
	to, _ := slices.BinarySearchFunc(all, r.Through, after)
	return all[from:max(from, to)]
}

// read reads spans with as few commands as it can. A span that ends where the batch
// begins, or within the batch, has all that there is about its user after a position,
// so such spans are read together. The other spans, the pieces of large events, are
// read one by one, because there may be any number of further rows about their users.
func (a *application) read(ctx context.Context, wanted []span, s source) (spans, error) {
	out := spans{whole: map[int64][]entry{}, pieces: map[span][]entry{}}
	from := map[int64]domain.Position{} // by user: where the first of its spans begins
	var end domain.Position
	for _, w := range wanted {
		end = max(end, w.Through)
		if w.Through >= a.b.From.Position {
			from[w.of] = w.After
		}
	}
	for _, w := range wanted {
		if first, is := from[w.of]; is {
			from[w.of] = min(first, w.After)
		}
	}
	for users := range slices.Chunk(slices.Sorted(maps.Keys(from)), usersPerFind) {
		err := s.each(ctx, s.ranges(users, from, end), func(of int64, e entry) {
			out.whole[of] = append(out.whole[of], e)
		})
		if err != nil {
			return out, err
		}
	}
	for _, w := range wanted {
		if _, is := from[w.of]; is {
			continue
		}
		var piece []entry
		err := s.each(ctx, s.in(w.of, w.Range), func(_ int64, e entry) { piece = append(piece, e) })
		if err != nil {
			return out, err
		}
		out.pieces[w] = piece
	}
	return out, nil
}

// usersPerFind is for how many users one find reads entries.
const usersPerFind = 200

// ranges matches the rows about some users, each from a position of its own. Those that
// begin with the log, which most do, share a condition.
func (s source) ranges(users []int64, from map[int64]domain.Position, end domain.Position) bson.D {
	var whole []int64
	var each []bson.D
	for _, of := range users {
		if after := from[of]; after > 0 {
			each = append(each, s.in(of, readmodel.Range{After: after, Through: end}))
		} else {
			whole = append(whole, of)
		}
	}
	if len(whole) > 0 {
		each = append(each, s.in(in(whole), readmodel.Range{Through: end}))
	}
	return bson.D{{Key: "$or", Value: each}}
}

// in matches the rows about one or more users in a range.
func (s source) in(users any, r readmodel.Range) bson.D {
	return append(bson.D{{Key: s.of, Value: users}, {Key: s.at, Value: bounds(r)}}, s.match...)
}

// each calls yield with the entries that a filter matches, those of one user in the
// order of their positions.
func (s source) each(ctx context.Context, filter bson.D, yield func(of int64, e entry)) error {
	o := options.Find().SetProjection(s.project).SetHint(s.index).SetBatchSize(entriesPerCall)
	cursor, err := s.rows.Find(ctx, filter, o)
	if err != nil {
		return fmt.Errorf("read %s: %w", s.rows.Name(), err)
	}
	defer cursor.Close(ctx)
	for cursor.Next(ctx) {
		yield(s.decode(cursor.Current))
	}
	return cursor.Err()
}

// entriesPerCall is how many entries the server may return at once, which is enough
// for all of a batch.
const entriesPerCall = 20_000
