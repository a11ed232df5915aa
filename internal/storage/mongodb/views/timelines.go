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

// A generation that is being built has no timelines at first. Whatever backfills,
// cleanups and fan-outs a projector applies, their result is that each pushed chirp
// is in the timelines of all present followers of its author who do not skip it. So a
// replay leaves them out, and the timelines are built from the follows and the chirps
// after it, in order and each entry once. Their index, the costly one, is created last.
//
// Once building the timelines has begun, it must be completed before anything else
// is applied.

// timelinesDone is how far building the timelines has come: all authors before
// Author are done, all chirps of that author up to Chirp, and of the author's next
// chirp all followers up to Since.
type timelinesDone struct {
	Author int64 `bson:"a"`
	Chirp  int64 `bson:"c"`
	Since  int64 `bson:"s"`
}

// entriesPerStep is how many timeline entries one transaction inserts.
const entriesPerStep = 100_000

// errTimelinesBegun says that building the timelines was begun and not completed.
var errTimelinesBegun = errors.New("the timelines must be completed first")

// buildTimelines builds the timelines that are not there yet. If several processes
// do so at once, or one after another's death, each continues from where the last
// transaction ended.
func (w *writer) buildTimelines(ctx context.Context) error {
	for done := false; !done; {
		if w.v.onStep != nil {
			w.v.onStep()
		}
		err := w.v.transactWhenIdle(ctx, func(ctx context.Context) (err error) {
			done, err = w.buildStep(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// buildStep is one transaction of buildTimelines. If an event was applied in part,
// it makes the checkpoint forget that part: only marks were applied of it, because
// cleanups were left out too, and they do no harm when they are applied again.
func (w *writer) buildStep(ctx context.Context) (done bool, err error) {
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
	s := &timelineStep{application: application{w: w, splits: true, b: readmodel.Batch{From: row.generation().Checkpoint}}}
	if row.Built != nil {
		s.at = *row.Built
	}
	if done, err = s.plan(ctx); err != nil {
		return false, err
	}
	change := bson.D{{Key: "$set", Value: bson.D{{Key: "partial", Value: int64(0)}, {Key: "made", Value: s.at}}}}
	if done {
		change = bson.D{{Key: "$set", Value: bson.D{{Key: "partial", Value: int64(0)}}},
			{Key: "$unset", Value: bson.D{{Key: "deferred", Value: ""}, {Key: "made", Value: ""}}}}
	}
	if _, err := w.views.UpdateByID(ctx, int64(w.number), change); err != nil {
		return false, err
	}
	return done, s.fanOut(ctx)
}

// timelineStep is a step of buildTimelines. The fan-outs of its batch are what it
// inserts.
type timelineStep struct {
	application
	at timelinesDone
}

// author is what a profile says about how many timeline entries an author has.
type author struct {
	Key       int64 `bson:"_id"`
	Followers int64 `bson:"followers"`
	Pushed    int64 `bson:"pushed"`
}

// plan adds the next fan-outs to the batch, and moves at to where they end. They are
// the fan-outs of several authors, of some chirps of one author, or of one chirp to
// some followers.
func (s *timelineStep) plan(ctx context.Context) (done bool, err error) {
	cursor, err := s.w.c.profiles.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.at.Author}}}},
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
	if first.Key != s.at.Author {
		s.at = timelinesDone{Author: first.Key}
	}
	if s.at.Chirp != 0 || s.at.Since != 0 || first.Followers*first.Pushed > s.w.v.perStep {
		return false, s.planOne(ctx, first)
	}
	n, entries := 0, int64(0)
	for _, a := range authors {
		if entries += a.Followers * a.Pushed; entries > s.w.v.perStep {
			break
		}
		n++
	}
	if err := s.addFanOuts(ctx, readmodel.Range{Through: s.b.From.Position}, authors[:n]...); err != nil {
		return false, err
	}
	s.at = timelinesDone{Author: authors[n-1].Key + 1}
	return false, nil
}

// planOne adds the fan-outs of some of one author's chirps to the batch.
func (s *timelineStep) planOne(ctx context.Context, a author) error {
	key, at := readmodel.UserKey(a.Key), s.at
	chirps := max(1, int(s.w.v.perStep/max(1, a.Followers)))
	last, err := s.w.PushedThrough(ctx, key, domain.Position(at.Chirp), chirps)
	if err != nil {
		return err
	}
	if last == 0 {
		s.at = timelinesDone{Author: a.Key + 1}
		return nil
	}
	if a.Followers <= s.w.v.perStep {
		s.at = timelinesDone{Author: a.Key, Chirp: int64(last)}
		return s.addFanOuts(ctx, readmodel.Range{After: domain.Position(at.Chirp), Through: last}, a)
	}
	end, err := s.w.FollowersThrough(ctx, key, domain.Position(at.Since), int(s.w.v.perStep))
	if err != nil {
		return err
	}
	if end == 0 {
		s.at = timelinesDone{Author: a.Key, Chirp: int64(last)}
		return nil
	}
	s.at.Since = int64(end)
	s.b.FanOuts = []readmodel.FanOut{{Chirp: last, Author: key, Range: readmodel.Range{After: domain.Position(at.Since), Through: end}}}
	return nil
}

// addFanOuts adds the fan-outs of authors' pushed chirps in a range to the batch.
func (s *timelineStep) addFanOuts(ctx context.Context, r readmodel.Range, authors ...author) error {
	ds := make([]readmodel.Delivered, len(authors))
	for i, a := range authors {
		ds[i] = readmodel.Delivered{Author: readmodel.UserKey(a.Key), Range: r}
	}
	pushed, err := s.readPushed(ctx, ds)
	if err != nil {
		return err
	}
	for _, a := range authors {
		for _, e := range pushed.of(a.Key, r) {
			s.b.FanOuts = append(s.b.FanOuts, readmodel.FanOut{
				Chirp: e.at, Author: readmodel.UserKey(a.Key), Range: readmodel.Range{Through: s.b.From.Position},
			})
		}
	}
	return nil
}

// checkpointMoved sets whether the batch leaves its timelines out, from the
// generation's document as it was before the checkpoint was moved.
func (a *application) checkpointMoved(before *mongo.SingleResult) error {
	var row generationRow
	if err := before.Decode(&row); err != nil {
		return err
	}
	if row.Deferred && row.Built != nil {
		return errTimelinesBegun
	}
	a.deferred = row.Deferred
	return nil
}
