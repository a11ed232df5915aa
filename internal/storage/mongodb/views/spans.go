package views

import (
	"context"
	"fmt"
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

// entry is such a row: its position, and the follower or the chirp that it names.
type entry struct {
	at    domain.Position
	value int64
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
		project: bson.D{{Key: "_id", Value: 0}, {Key: "e", Value: 1}, {Key: "s", Value: 1}, {Key: "r", Value: 1}},
		decode: func(doc bson.Raw) (int64, entry) {
			return doc.Lookup("e").Int64(), entry{at: domain.Position(doc.Lookup("s").Int64()), value: doc.Lookup("r").Int64()}
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
	whole  map[int64][]entry // by user: all entries up to the batch's end
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

// read reads spans with as few commands as it can. A span that begins with the log
// and ends where the batch begins, or within the batch, is nearly all that there is
// about its user, so such users are read together. The other spans, the pieces of
// large events, are read one by one, because there may be any number of further
// rows about their users.
func (a *application) read(ctx context.Context, wanted []span, s source) (spans, error) {
	out := spans{whole: map[int64][]entry{}, pieces: map[span][]entry{}}
	var users []int64
	var end domain.Position
	for _, w := range wanted {
		end = max(end, w.Through)
		if w.After == 0 && w.Through >= a.b.From.Position {
			users = append(users, w.of)
			out.whole[w.of] = nil
		}
	}
	users = slices.Compact(slices.Sorted(slices.Values(users)))
	for some := range slices.Chunk(users, keysPerFind) {
		err := s.each(ctx, in(some), readmodel.Range{Through: end}, func(of int64, e entry) {
			out.whole[of] = append(out.whole[of], e)
		})
		if err != nil {
			return out, err
		}
	}
	for _, w := range wanted {
		if _, ok := out.whole[w.of]; ok {
			continue
		}
		var piece []entry
		err := s.each(ctx, w.of, w.Range, func(_ int64, e entry) { piece = append(piece, e) })
		if err != nil {
			return out, err
		}
		out.pieces[w] = piece
	}
	return out, nil
}

// each calls yield with the entries of one or more users in a range, those of
// one user in the order of their positions.
func (s source) each(ctx context.Context, users any, r readmodel.Range, yield func(of int64, e entry)) error {
	filter := append(bson.D{{Key: s.of, Value: users}, {Key: s.at, Value: bounds(r)}}, s.match...)
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
