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
	// switchTimeout bounds a transaction that changes what serves or what is
	// built, which waits for a moment in which no projector is writing.
	switchTimeout = 30 * time.Second
	// switchPause is the pause between two attempts at that. A busy projector
	// leaves a few milliseconds between two batches.
	switchPause = time.Millisecond
)

// Build implements readmodel.Store. Its transaction inserts only the
// generation's document. Every process that opens the generation then creates the
// collections that are missing, because the first one may have died before that.
func (v *Store) Build(ctx context.Context, epoch string, threshold int64) (readmodel.Builder, error) {
	const op = "open a generation of the views to build"
	call, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	number, discarded, err := v.claimBuilding(call, epoch, threshold)
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

// claimBuilding runs findOrInsertBuilding in a transaction, which cannot list
// collections. The list that was read before it may be older than the generation
// that it finds, so a generation whose collections seem to be gone is discarded
// only after they were listed once more.
func (v *Store) claimBuilding(ctx context.Context, epoch string, threshold int64) (number, discarded int, err error) {
	for known := int64(0); ; {
		there, err := v.listGenerations(ctx)
		if err != nil {
			return 0, 0, err
		}
		err = v.transactWhenIdle(ctx, func(ctx context.Context) (err error) {
			number, discarded, err = v.findOrInsertBuilding(ctx, there, known, epoch, threshold)
			return err
		})
		var unlisted unlistedError
		if !errors.As(err, &unlisted) {
			return number, discarded, err
		}
		known = int64(unlisted)
	}
}

// unlistedError is the number of a generation whose collections were not listed.
// Something had been applied to it, so its collections must be in the next list
// unless they are gone.
type unlistedError int64

// Error names the generation.
func (e unlistedError) Error() string {
	return fmt.Sprintf("the collections of generation %d were not listed", int64(e))
}

// Unfinished implements readmodel.Store.
func (v *Store) Unfinished(ctx context.Context) (readmodel.Generation, error) {
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	now, err := v.state(call)
	if err != nil {
		return readmodel.Generation{}, translate(ctx, "look for unfinished views", err)
	}
	row, ok := now.building()
	if !ok {
		return readmodel.Generation{}, readmodel.ErrNotFound
	}
	return row.generation(), nil
}

// transactWhenIdle runs a transaction that changes which generation serves or is
// built. It tries again while projectors are in its way.
func (v *Store) transactWhenIdle(ctx context.Context, run func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, switchTimeout)
	defer cancel()
	for {
		err := v.transact(ctx, run)
		if err == nil || !conn.Transient(err) || ctx.Err() != nil {
			return err
		}
		outage.Pause(ctx, switchPause)
	}
}

// findOrInsertBuilding returns the number of the generation that is being built,
// or inserts the document of a new one. It also returns the number of the
// generation that it discarded for that, or 0. there has the generations that
// have collections, as they were listed after the generation known was seen.
func (v *Store) findOrInsertBuilding(ctx context.Context, there map[int64]int, known int64, epoch string, threshold int64) (number, discarded int, err error) {
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
			if err := v.checkResumable(ctx, old, there); !errors.As(err, &unfit) {
				return int(old.Number), 0, err
			} else if unfit.broken && old.Number != known {
				return 0, 0, unlistedError(old.Number)
			}
		}
		discarded = int(old.Number)
		if _, err := v.views.UpdateByID(ctx, old.Number, discardChange()); err != nil {
			return 0, 0, err
		}
	}
	next := now.next(there)
	_, err = v.views.UpdateByID(ctx, servingID, bson.D{{Key: "$set", Value: bson.D{{Key: "last", Value: next}}}})
	if err == nil {
		_, err = v.views.InsertOne(ctx, generationRow{Number: next, Format: rowsFormat, Epoch: epoch, Threshold: threshold, Building: true, Deferred: true})
	}
	return int(next), discarded, err
}

// checkResumable returns an *unfitError for a generation that cannot be built any
// further, because its collections were dropped, its log was replaced, or another
// version of the program began it.
func (v *Store) checkResumable(ctx context.Context, row generationRow, there map[int64]int) error {
	if err := row.checkFormat(); err != nil {
		return err
	}
	switch at := row.generation().Checkpoint; {
	case at == readmodel.Checkpoint{}:
		return nil
	case there[row.Number] < len(collections{}.indexed()):
		return &unfitError{reason: "collections of theirs are gone", broken: true}
	default:
		return v.checkLog(ctx, row.generation())
	}
}

// prepare creates a generation's collections and indexes where they are missing.
// If the generation was dropped meanwhile, it returns ErrFenced and leaves nothing
// behind.
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

// DropRetired implements readmodel.Store. Several servers may call it at
// once; one of them returns each number.
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

// drop removes a retired generation, and reports whether this call removed the
// last of it.
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
	if errors.Is(err, errTimelinesBegun) {
		if err := b.buildTimelines(ctx); err != nil {
			return translate(ctx, fmt.Sprintf("build the timelines of generation %d of the views", b.number), err)
		}
		err = b.writer.Apply(ctx, batch)
	}
	return err
}

// Finish implements readmodel.Builder. It may take minutes; the next call
// continues what it has begun. While an event is applied in part it is not known
// what belongs into the timelines, so Finish does nothing and leaves the work to a
// later call or to Switch.
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
	return translate(ctx, fmt.Sprintf("finish generation %d of the views", b.number), b.discardMisfit(ctx, err))
}

// discardMisfit discards the generation if the error says that its rows do not fit each
// other. A later builder would resume it otherwise, and fail in the same way.
func (b *builder) discardMisfit(ctx context.Context, err error) error {
	if !errors.Is(err, readmodel.ErrDoesNotFit) {
		return err
	}
	building := bson.D{{Key: "_id", Value: int64(b.number)}, {Key: "building", Value: true}}
	_, failed := b.v.views.UpdateOne(ctx, building, discardChange())
	return errors.Join(err, failed)
}

// discardChange returns the change of the document of a generation that is discarded.
func discardChange() bson.D {
	return bson.D{
		{Key: "$set", Value: bson.D{{Key: "retired", Value: time.UnixMilli(0)}}},
		{Key: "$unset", Value: bson.D{{Key: "building", Value: ""}}},
	}
}

// complete builds what readers need: the timelines, then the indexes.
func (b *builder) complete(ctx context.Context) error {
	if err := b.buildTimelines(ctx); err != nil {
		return err
	}
	return b.v.prepare(ctx, b.number, forReaders)
}

// Hold implements readmodel.Builder. The database makes the change once no
// projector's transaction is in its way, and later transactions find it.
func (b *builder) Hold(ctx context.Context, d time.Duration) error {
	call, cancel := context.WithTimeout(ctx, switchTimeout)
	defer cancel()
	now, err := b.v.state(call)
	if err == nil {
		err = b.checkSwitch(now)
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
	return translate(ctx, fmt.Sprintf("switch to generation %d of the views", b.number), b.discardMisfit(ctx, b.switchTo(ctx)))
}

func (b *builder) switchTo(ctx context.Context) error {
	now, err := b.v.state(ctx)
	if err == nil {
		err = b.checkSwitch(now)
	}
	if err == nil {
		err = b.complete(ctx)
	}
	if err == nil {
		err = b.v.transactWhenIdle(ctx, b.replaceServing)
	}
	if err != nil && !errors.Is(err, errServes) {
		return err
	}
	if gen, err := b.v.serving(ctx); err == nil { // otherwise the next read notices
		b.v.progress.Observe(gen)
	}
	return nil
}

// errServes says that the generation serves already.
var errServes = errors.New("the generation serves")

// checkSwitch returns an error unless the generation can take over.
func (b *builder) checkSwitch(now state) error {
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

// replaceServing is the transaction of the switch. It writes all three documents
// that it has read, so that it fails if any of them has changed.
func (b *builder) replaceServing(ctx context.Context) error {
	views := b.v.views
	now, err := b.v.state(ctx)
	if err == nil {
		err = b.checkSwitch(now)
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
