package views

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// A generation that is being built has no timelines at first: whatever backfills,
// cleanups and fan-outs a projector makes, they come to this, that each pushed
// chirp is in the timelines of all who follow its author now. So they are left
// out, and the timelines are made of the follows and the chirps when the
// replay is over, in order and each entry once. The index on them, the costly
// one, comes after them.
//
// From the moment that the making has begun, it is to be completed before
// anything else is applied.

// made is how far the making has come: all authors before Author are done, and
// of that one all chirps up to Chirp, and of the next chirp all followers up to
// Since.
type made struct {
	Author int64 `bson:"a"`
	Chirp  int64 `bson:"c"`
	Since  int64 `bson:"s"`
}

// madePerStep is how many timeline entries one transaction makes.
const madePerStep = 100_000

// errUnmade says that the making of the timelines was begun and not completed.
var errUnmade = errors.New("the timelines have to be made first")

// makeTimelines makes what there is to make. Several processes that do it at
// once, or one after the other's death, go on from where the last one was.
func (w *writer) makeTimelines(ctx context.Context) error {
	for done := false; !done; {
		if w.v.onStep != nil {
			w.v.onStep()
		}
		err := w.v.turn(ctx, func(ctx context.Context) (err error) {
			done, err = w.makeSome(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// makeSome is one transaction. It begins anew with an event that was applied in
// part: nothing was, but marks, which do no harm a second time.
func (w *writer) makeSome(ctx context.Context) (done bool, err error) {
	row, err := w.row(ctx)
	switch {
	case errors.Is(err, readmodel.ErrNotFound):
		return false, readmodel.ErrFenced
	case err != nil:
		return false, err
	case row.Retired != nil:
		return false, readmodel.ErrFenced
	case !row.Deferred:
		return true, nil
	}
	m := &making{application: application{w: w, b: readmodel.Batch{From: row.generation().Checkpoint}}}
	if row.Made != nil {
		m.at = *row.Made
	}
	if done, err = m.plan(ctx); err != nil {
		return false, err
	}
	change := bson.D{{Key: "$set", Value: bson.D{{Key: "partial", Value: int64(0)}, {Key: "made", Value: m.at}}}}
	if done {
		change = bson.D{{Key: "$set", Value: bson.D{{Key: "partial", Value: int64(0)}}},
			{Key: "$unset", Value: bson.D{{Key: "deferred", Value: ""}, {Key: "made", Value: ""}}}}
	}
	if _, err := w.views.UpdateByID(ctx, int64(w.number), change); err != nil {
		return false, err
	}
	return done, m.fanOut(ctx)
}

// making is the making of some timelines: the fan-outs of its batch.
type making struct {
	application
	at made
}

// author is what a profile says of how many timeline entries there are to make.
type author struct {
	Key       int64 `bson:"_id"`
	Followers int64 `bson:"followers"`
	Pushed    int64 `bson:"pushed"`
}

// plan finds the next fan-outs, and moves on to where they end. They are those
// of several authors, of some chirps of one, or of one chirp to some followers.
func (m *making) plan(ctx context.Context) (done bool, err error) {
	cursor, err := m.w.c.profiles.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: m.at.Author}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(keysPerFind).
			SetProjection(bson.D{{Key: "followers", Value: 1}, {Key: "pushed", Value: 1}}))
	var authors []author
	if err == nil {
		err = cursor.All(ctx, &authors)
	}
	if err != nil || len(authors) == 0 {
		return err == nil, err
	}
	first := authors[0]
	if first.Key != m.at.Author {
		m.at = made{Author: first.Key}
	}
	if m.at.Chirp != 0 || m.at.Since != 0 || first.Followers*first.Pushed > m.w.v.perStep {
		return false, m.planOne(ctx, first)
	}
	n, entries := 0, int64(0)
	for _, a := range authors {
		if entries += a.Followers * a.Pushed; entries > m.w.v.perStep {
			break
		}
		n++
	}
	if err := m.chirpsOf(ctx, readmodel.Range{Through: m.b.From.Position}, authors[:n]...); err != nil {
		return false, err
	}
	m.at = made{Author: authors[n-1].Key + 1}
	return false, nil
}

// planOne plans a part of one author's chirps.
func (m *making) planOne(ctx context.Context, a author) error {
	key, at := readmodel.UserKey(a.Key), m.at
	chirps := max(1, int(m.w.v.perStep/max(1, a.Followers)))
	last, err := m.w.PushedThrough(ctx, key, domain.Position(at.Chirp), chirps)
	if err != nil {
		return err
	}
	if last == 0 {
		m.at = made{Author: a.Key + 1}
		return nil
	}
	if a.Followers <= m.w.v.perStep {
		m.at = made{Author: a.Key, Chirp: int64(last)}
		return m.chirpsOf(ctx, readmodel.Range{After: domain.Position(at.Chirp), Through: last}, a)
	}
	end, err := m.w.FollowersThrough(ctx, key, domain.Position(at.Since), int(m.w.v.perStep))
	if err != nil {
		return err
	}
	if end == 0 {
		m.at = made{Author: a.Key, Chirp: int64(last)}
		return nil
	}
	m.at.Since = int64(end)
	m.b.FanOuts = []readmodel.FanOut{{Chirp: last, Author: key, Range: readmodel.Range{After: domain.Position(at.Since), Through: end}}}
	return nil
}

// chirpsOf adds fan-outs of authors' pushed chirps in a range to all followers.
func (m *making) chirpsOf(ctx context.Context, r readmodel.Range, authors ...author) error {
	ds := make([]readmodel.Delivered, len(authors))
	for i, a := range authors {
		ds[i] = readmodel.Delivered{Author: readmodel.UserKey(a.Key), Range: r}
	}
	pushed, err := m.readPushed(ctx, ds)
	if err != nil {
		return err
	}
	for _, a := range authors {
		for _, e := range pushed.of(a.Key, r) {
			m.b.FanOuts = append(m.b.FanOuts, readmodel.FanOut{
				Chirp: e.at, Author: readmodel.UserKey(a.Key), Range: readmodel.Range{Through: m.b.From.Position},
			})
		}
	}
	return nil
}

// checkpointMoved says from the generation's document, as it was when the
// checkpoint was moved, whether the batch's timelines are left out.
func (a *application) checkpointMoved(before *mongo.SingleResult) error {
	var row generationRow
	if err := before.Decode(&row); err != nil {
		return err
	}
	if row.Deferred && row.Made != nil {
		return errUnmade
	}
	a.deferred = row.Deferred
	return nil
}
