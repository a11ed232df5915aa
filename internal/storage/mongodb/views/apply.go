package views

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// application is one Apply. Its transaction sends a few commands for each kind of
// change, however many changes there are.
type application struct {
	w  *writer
	b  readmodel.Batch
	id bson.ObjectID // names the batch
	// upsert is set when a profile that must be new turned out to exist.
	upsert bool
	// deferred is set when the timelines are built later.
	deferred bool
	// splits is set when the fan-outs are of older chirps too, which followers may
	// skip.
	splits bool
}

// errAgain says that the next attempt may succeed, because it takes another way.
var errAgain = errors.New("try again")

// run makes the batch's changes; ctx carries the transaction's session.
func (a *application) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		a.moveCheckpoint, a.putProfiles, a.addChirps, a.removeFollows, a.timelines(a.cleanUp),
		a.addFollows, a.markFollows, a.timelines(a.backfill), a.timelines(a.fanOut),
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// timelines returns a step that does nothing if the timelines are built later.
func (a *application) timelines(step func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if a.deferred {
			return nil
		}
		return step(ctx)
	}
}

// moveCheckpoint comes first, so that a projector that was fenced does no more
// work, and that two projectors cannot work side by side. The checkpoint of a
// generation that was retired or discarded does not move, nor does that of one
// that is held.
func (a *application) moveCheckpoint(ctx context.Context) error {
	from := bson.D{
		{Key: "_id", Value: int64(a.w.number)},
		{Key: "position", Value: a.b.From.Position}, {Key: "partial", Value: a.b.From.Partial},
		{Key: "retired", Value: nil},
		{Key: "$expr", Value: over("$held", readmodel.LongestHold.Milliseconds())},
	}
	to := bson.D{{Key: "position", Value: a.b.To.Position}, {Key: "partial", Value: a.b.To.Partial},
		{Key: "event", Value: a.b.To.Event}, {Key: "hashedAt", Value: a.b.To.Position}, {Key: "batch", Value: a.id}}
	moved := a.w.views.FindOneAndUpdate(ctx, from, bson.D{{Key: "$set", Value: to}})
	if !errors.Is(moved.Err(), mongo.ErrNoDocuments) {
		return a.checkpointMoved(moved)
	}
	at, err := a.w.row(ctx)
	switch {
	case err != nil && !errors.Is(err, readmodel.ErrNotFound):
		return err
	case err == nil && at.Batch == a.id:
		return errApplied
	case err == nil && at.Retired == nil && at.generation().Checkpoint == a.b.From:
		return readmodel.ErrHeld
	}
	return readmodel.ErrFenced
}

// putProfiles inserts the profiles that are new, because their users registered
// after the checkpoint, and sets the fields of the others, of which few change.
// Either costs the server half of what replacing whole documents does.
func (a *application) putProfiles(ctx context.Context) error {
	var added []profileRow
	var changed []mongo.WriteModel
	for _, p := range a.b.Profiles {
		row := newProfileRow(p)
		if row.Key > int64(a.b.From.Position) && !a.upsert {
			added = append(added, row)
			continue
		}
		changed = append(changed, mongo.NewUpdateOneModel().SetUpsert(true).
			SetFilter(bson.D{{Key: "_id", Value: row.Key}}).SetUpdate(bson.D{{Key: "$set", Value: row}}))
	}
	if err := insert(ctx, a.w.c.profiles, added); err != nil {
		if errors.Is(err, readmodel.ErrDoesNotFit) {
			a.upsert = true
			return errors.Join(errAgain, err)
		}
		return err
	}
	return bulk(ctx, a.w.c.profiles, changed)
}

// addChirps inserts the batch's chirps.
func (a *application) addChirps(ctx context.Context) error {
	rows := make([]chirpRow, len(a.b.Chirps))
	for i, c := range a.b.Chirps {
		rows[i] = newChirpRow(c)
	}
	return insert(ctx, a.w.c.chirps, rows)
}

// removeFollows deletes the batch's unfollows, each of which must be there.
func (a *application) removeFollows(ctx context.Context) error {
	if len(a.b.Unfollows) == 0 {
		return nil
	}
	pairs := make([]pair, len(a.b.Unfollows))
	for i, f := range a.b.Unfollows {
		pairs[i] = newFollowRow(f).Pair
	}
	removed, err := a.w.c.follows.DeleteMany(ctx, bson.D{{Key: "_id", Value: in(pairs)}})
	if err != nil {
		return fmt.Errorf("remove follows: %w", err)
	}
	if int(removed.DeletedCount) != len(pairs) {
		return fmt.Errorf("%w: of %d follows to be removed there are %d", readmodel.ErrDoesNotFit, len(pairs), removed.DeletedCount)
	}
	return nil
}

// addFollows inserts the batch's follows.
func (a *application) addFollows(ctx context.Context) error {
	rows := make([]followRow, len(a.b.Follows))
	for i, f := range a.b.Follows {
		rows[i] = newFollowRow(f)
	}
	return insert(ctx, a.w.c.follows, rows)
}

// markFollows marks follows as those of a pull source.
func (a *application) markFollows(ctx context.Context) error {
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "pull", Value: true}, {Key: "merged", Value: int64(unbounded)}}}}
	var marks []mongo.WriteModel
	for _, m := range a.b.Marks {
		filter := bson.D{{Key: "e", Value: m.Followee}, {Key: "s", Value: bounds(m.Range)}}
		marks = append(marks, mongo.NewUpdateManyModel().SetFilter(filter).SetUpdate(set))
	}
	return bulk(ctx, a.w.c.follows, marks)
}

// bounds returns the condition that a position lies in a range.
func bounds(r readmodel.Range) bson.D {
	return bson.D{{Key: "$gt", Value: r.After}, {Key: "$lte", Value: r.Through}}
}

// cleanUp removes owners from the rows of chirps, and deletes the rows that have
// no other owner.
func (a *application) cleanUp(ctx context.Context) error {
	pushed, err := a.readPushed(ctx, a.b.Cleanups)
	if err != nil {
		return err
	}
	var deletes, pulls []mongo.WriteModel
	for _, c := range a.b.Cleanups {
		for some := range slices.Chunk(pushed.of(int64(c.Author), c.Range), keysPerFind) {
			chirps := make([]int64, len(some))
			for i, e := range some {
				chirps[i] = e.value
			}
			shared := bson.D{{Key: "o", Value: c.Owner}, {Key: "p", Value: in(chirps)}}
			alone := append(slices.Clip(shared), bson.E{Key: "o.1", Value: bson.D{{Key: "$exists", Value: false}}})
			pull := bson.D{{Key: "$pull", Value: bson.D{{Key: "o", Value: c.Owner}}}}
			deletes = append(deletes, mongo.NewDeleteManyModel().SetFilter(alone))
			pulls = append(pulls, mongo.NewUpdateManyModel().SetFilter(shared).SetUpdate(pull))
		}
	}
	return bulk(ctx, a.w.c.timelines, append(deletes, pulls...))
}

// backfill inserts a row with one owner for each chirp that is delivered later
// than it was posted.
func (a *application) backfill(ctx context.Context) error {
	pushed, err := a.readPushed(ctx, a.b.Backfills)
	if err != nil {
		return err
	}
	var rows []timelineRow
	for _, d := range a.b.Backfills {
		for _, e := range pushed.of(int64(d.Author), d.Range) {
			rows = append(rows, timelineRow{ID: bson.NewObjectID(), Chirp: e.value, Owners: []int64{int64(d.Owner)}})
		}
	}
	return insert(ctx, a.w.c.timelines, rows)
}

// fanOut inserts the rows that deliver the batch's chirps, each with as many
// owners as a row may have.
func (a *application) fanOut(ctx context.Context) error {
	spans := make([]span, len(a.b.FanOuts))
	for i, f := range a.b.FanOuts {
		spans[i] = span{of: int64(f.Author), Range: f.Range}
	}
	followers, err := a.read(ctx, spans, followersBySince(a.w.c.follows))
	if err != nil {
		return err
	}
	var rows []timelineRow
	for _, f := range a.b.FanOuts {
		owners := a.ownersOf(f.Chirp, followers.of(int64(f.Author), f.Range))
		for some := range slices.Chunk(owners, a.w.v.chunk) {
			rows = append(rows, timelineRow{ID: bson.NewObjectID(), Chirp: int64(f.Chirp), Owners: some})
		}
	}
	return insert(ctx, a.w.c.timelines, rows)
}

// ownersOf returns those of an author's followers whose timelines have a chirp, in the
// order of the timelines' index: a large fan-out adds a few entries to each of the
// index's pages, and so it comes to each page once.
func (a *application) ownersOf(chirp domain.Position, followers []entry) []int64 {
	owners := make([]int64, 0, len(followers))
	for _, e := range followers {
		if !a.splits || e.older < chirp {
			owners = append(owners, e.value)
		}
	}
	slices.Sort(owners)
	return owners
}

// readPushed reads the positions of the authors' pushed chirps.
func (a *application) readPushed(ctx context.Context, ds []readmodel.Delivered) (spans, error) {
	wanted := make([]span, len(ds))
	for i, d := range ds {
		wanted[i] = span{of: int64(d.Author), Range: d.Range}
	}
	return a.read(ctx, wanted, pushedByPosition(a.w.c.chirps))
}

// rowsPerInsert keeps a command below the 16 MB that a document may have.
const rowsPerInsert = 5000

// insert inserts rows. It sends the command itself, because the driver's
// InsertMany decodes each document again to look for its id, which takes as long
// as the insert does on the server.
func insert[R any](ctx context.Context, c *mongo.Collection, rows []R) error {
	for some := range slices.Chunk(rows, rowsPerInsert) {
		command := bson.D{{Key: "insert", Value: c.Name()}, {Key: "documents", Value: some}}
		if err := c.Database().RunCommand(ctx, command).Err(); err != nil {
			return misfit(c, err)
		}
	}
	return nil
}

// bulk makes writes one after the other.
func bulk(ctx context.Context, c *mongo.Collection, models []mongo.WriteModel) error {
	if len(models) == 0 {
		return nil
	}
	if _, err := c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(true)); err != nil {
		return misfit(c, err)
	}
	return nil
}
