package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"chirp/internal/outage"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
)

const (
	// turnTimeout bounds the changes of what serves and what is built, which
	// wait for a moment in which no projector is writing.
	turnTimeout = 30 * time.Second
	// turnPause is the pause between two attempts at that. A projector that is
	// hard at work leaves a few milliseconds between two batches.
	turnPause = time.Millisecond
)

// Build implements readmodel.Store. The transaction makes the document
// alone; the collections come after it, made by everyone who opens the
// generation, for any of them may die before it is done.
func (v *Store) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	const op = "open a generation of the views to build"
	call, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	number, discarded, err := v.beginListed(call, epoch, threshold)
	if err == nil && discarded != 0 {
		_, err = v.drop(call, discarded)
	}
	if err == nil {
		err = v.prepare(call, number, forReplay)
	}
	if err != nil {
		return nil, translate(ctx, op, err)
	}
	return &builder{writer: v.writer(number)}, nil
}

// beginListed runs begin in a transaction, which cannot list collections. What
// was listed before it may be older than the generation that it finds, so one
// whose collections seem to be gone is discarded only after another look.
func (v *Store) beginListed(ctx context.Context, epoch string, threshold int64) (number, discarded int, err error) {
	for known := int64(0); ; {
		there, err := v.numbered(ctx)
		if err != nil {
			return 0, 0, err
		}
		err = v.turn(ctx, func(ctx context.Context) (err error) {
			number, discarded, err = v.begin(ctx, there, known, epoch, threshold)
			return err
		})
		var unlisted unlistedError
		if !errors.As(err, &unlisted) {
			return number, discarded, err
		}
		known = int64(unlisted)
	}
}

// unlistedError is the number of a generation whose collections were not
// listed. It had applied something, and so had them, before the next list is
// made.
type unlistedError int64

// Error names the generation.
func (e unlistedError) Error() string {
	return fmt.Sprintf("the collections of generation %d were not listed", int64(e))
}

// turn runs a transaction that decides which generation serves or is built,
// until it succeeds or fails for good.
func (v *Store) turn(ctx context.Context, run func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	for {
		err := v.transact(ctx, run)
		if err == nil || !conn.Transient(err) || ctx.Err() != nil {
			return err
		}
		outage.Pause(ctx, turnPause)
	}
}

// begin finds the generation that is being built or makes its document. It
// gives the number of the one that was discarded for it, or 0. there are the
// generations that have collections; it is newer than the generation known.
func (v *Store) begin(ctx context.Context, there map[int64]int, known int64, epoch string, threshold int64) (number, discarded int, err error) {
	now, err := v.state(ctx)
	switch {
	case err != nil:
		return 0, 0, err
	case now.Generation == 0:
		return 0, 0, readmodel.ErrNoViews
	}
	if old, ok := now.building(); ok {
		if old.Epoch == epoch && old.Threshold == threshold {
			var unfit *unfitError
			if err := v.canGoOn(ctx, old, there); !errors.As(err, &unfit) {
				return int(old.Number), 0, err
			} else if unfit.broken && old.Number != known {
				return 0, 0, unlistedError(old.Number)
			}
		}
		discarded = int(old.Number)
		_, err := v.views.UpdateByID(ctx, old.Number, bson.D{
			{Key: "$set", Value: bson.D{{Key: "retired", Value: time.UnixMilli(0)}}},
			{Key: "$unset", Value: bson.D{{Key: "building", Value: ""}}},
		})
		if err != nil {
			return 0, 0, err
		}
	}
	next := now.next(there)
	_, err = v.views.UpdateByID(ctx, servingID, bson.D{{Key: "$set", Value: bson.D{{Key: "last", Value: next}}}})
	if err == nil {
		_, err = v.views.InsertOne(ctx, generationRow{Number: next, Epoch: epoch, Threshold: threshold, Building: true, Deferred: true})
	}
	return int(next), discarded, err
}

// canGoOn gives an *unfitError for a generation that was being built when its
// collections were dropped or an older log was put in the place of its own.
func (v *Store) canGoOn(ctx context.Context, row generationRow, there map[int64]int) error {
	switch at := row.generation().Checkpoint; {
	case at == readmodel.Checkpoint{}:
		return nil
	case there[row.Number] < len(collections{}.indexed()):
		return &unfitError{reason: "collections of theirs are gone", broken: true}
	default:
		return v.belongs(ctx, row.generation())
	}
}

// prepare makes a generation's collections and indexes where they are missing.
// If the generation was dropped meanwhile, it gives ErrFenced and leaves
// nothing behind.
func (v *Store) prepare(ctx context.Context, number int, p purpose) error {
	err := v.collections(number, majority()).create(ctx, p)
	var row generationRow
	switch found := v.views.FindOne(ctx, bson.D{{Key: "_id", Value: int64(number)}}).Decode(&row); {
	case errors.Is(found, mongo.ErrNoDocuments) || row.Dropping:
		return errors.Join(readmodel.ErrFenced, v.collections(number, majority()).drop(ctx))
	case err != nil || found != nil:
		return errors.Join(err, found)
	case row.Retired != nil:
		return readmodel.ErrFenced
	}
	return nil
}

// DropRetired implements readmodel.Store. Several servers may do it at
// once; each number is given by one of them.
func (v *Store) DropRetired(ctx context.Context, age time.Duration) ([]int, error) {
	const op = "drop retired generations of the views"
	call, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	due := bson.D{{Key: "$subtract", Value: bson.A{"$$NOW", age.Milliseconds()}}}
	cursor, err := v.views.Find(call, bson.D{
		{Key: "retired", Value: bson.D{{Key: "$ne", Value: nil}}},
		{Key: "$expr", Value: bson.D{{Key: "$lte", Value: bson.A{"$retired", due}}}},
	})
	var rows []generationRow
	if err == nil {
		err = cursor.All(call, &rows)
	}
	if err != nil {
		return nil, translate(ctx, op, err)
	}
	var dropped []int
	for _, r := range rows {
		done, err := v.drop(call, int(r.Number))
		if done {
			dropped = append(dropped, int(r.Number))
		}
		if err != nil {
			return dropped, translate(ctx, op, err)
		}
	}
	orphans, err := v.dropOrphans(call)
	dropped = append(dropped, orphans...)
	slices.Sort(dropped)
	return dropped, translate(ctx, op, err)
}

// drop removes a retired generation, and says whether this call was the one
// that removed the last of it.
func (v *Store) drop(ctx context.Context, number int) (bool, error) {
	retired := bson.D{{Key: "_id", Value: int64(number)}, {Key: "retired", Value: bson.D{{Key: "$ne", Value: nil}}}}
	marked, err := v.views.UpdateOne(ctx, retired, bson.D{{Key: "$set", Value: bson.D{{Key: "dropping", Value: true}}}})
	if err != nil || marked.MatchedCount == 0 {
		return false, err
	}
	if err := v.collections(number, majority()).drop(ctx); err != nil {
		return false, err
	}
	removed, err := v.views.DeleteOne(ctx, retired)
	return err == nil && removed.DeletedCount == 1, err
}

// builder implements readmodel.Builder.
type builder struct {
	*writer
}

// Apply implements readmodel.Writer.
func (b *builder) Apply(ctx context.Context, batch readmodel.Batch) error {
	err := b.writer.Apply(ctx, batch)
	if errors.Is(err, errUnmade) {
		if err := b.makeTimelines(ctx); err != nil {
			return translate(ctx, fmt.Sprintf("make the timelines of generation %d of the views", b.number), err)
		}
		err = b.writer.Apply(ctx, batch)
	}
	return err
}

// Finish implements readmodel.Builder. It may take minutes; what it has begun
// the next call goes on with. In the middle of an event there is no telling
// what belongs into the timelines: then it leaves all to the call after that,
// or to Switch.
func (b *builder) Finish(ctx context.Context) error {
	now, err := b.v.state(ctx)
	if err == nil {
		row, ok := now.rows[int64(b.number)]
		switch {
		case !ok || row.Retired != nil:
			err = readmodel.ErrFenced
		case !row.Deferred || row.Partial == 0:
			err = b.complete(ctx)
		}
	}
	return translate(ctx, fmt.Sprintf("finish generation %d of the views", b.number), err)
}

// complete makes all that readers need: the timelines, then the indexes.
func (b *builder) complete(ctx context.Context) error {
	if err := b.makeTimelines(ctx); err != nil {
		return err
	}
	return b.v.prepare(ctx, b.number, forReaders)
}

// Hold implements readmodel.Builder. The server makes the change once no
// projector's transaction is in its way, and a later one finds it.
func (b *builder) Hold(ctx context.Context, d time.Duration) error {
	call, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	now, err := b.v.state(call)
	if err == nil {
		err = b.fits(now)
	}
	if err == nil || errors.Is(err, readmodel.ErrBehind) {
		until := bson.D{{Key: "$add", Value: bson.A{"$$NOW", d.Milliseconds()}}}
		_, err = b.v.views.UpdateByID(call, now.Generation, mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "held", Value: until}}}}})
	}
	if errors.Is(err, errServes) {
		return nil
	}
	return translate(ctx, fmt.Sprintf("hold generation %d of the views", now.Generation), err)
}

// Switch implements readmodel.Builder. It completes what was not finished.
func (b *builder) Switch(ctx context.Context) error {
	return translate(ctx, fmt.Sprintf("switch to generation %d of the views", b.number), b.turnTo(ctx))
}

func (b *builder) turnTo(ctx context.Context) error {
	now, err := b.v.state(ctx)
	if err == nil {
		err = b.fits(now)
	}
	if err == nil {
		err = b.complete(ctx)
	}
	if err == nil {
		err = b.v.turn(ctx, b.replace)
	}
	if err != nil && !errors.Is(err, errServes) {
		return err
	}
	if gen, err := b.v.serving(ctx); err == nil { // else others will notice
		b.v.progress.Saw(gen)
	}
	return nil
}

// errServes says that the generation serves already.
var errServes = errors.New("the generation serves")

// fits says whether the generation can take over.
func (b *builder) fits(now state) error {
	row, ok := now.rows[int64(b.number)]
	switch {
	case now.Generation == int64(b.number):
		return errServes
	case !ok || !row.Building:
		return readmodel.ErrFenced
	case row.Position < now.rows[now.Generation].Position:
		return readmodel.ErrBehind
	}
	return nil
}

// replace is the transaction of the switch. It writes all three documents that
// it has read, so that it fails when any of them has changed.
func (b *builder) replace(ctx context.Context) error {
	views := b.v.views
	now, err := b.v.state(ctx)
	if err == nil {
		err = b.fits(now)
	}
	if err != nil {
		return err
	}
	_, err = views.UpdateByID(ctx, now.Generation, bson.D{{Key: "$currentDate", Value: bson.D{{Key: "retired", Value: true}}}})
	if err != nil {
		return err
	}
	_, err = views.UpdateByID(ctx, int64(b.number), bson.D{{Key: "$unset", Value: bson.D{{Key: "building", Value: ""}}}})
	if err != nil {
		return err
	}
	_, err = views.UpdateByID(ctx, servingID, bson.D{{Key: "$set", Value: bson.D{{Key: "generation", Value: int64(b.number)}}}})
	return err
}
