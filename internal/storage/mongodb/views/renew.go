package views

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/outage"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

// fitsError is the number of the generation that serves, and need not be
// replaced after all.
type fitsError int64

// Error names the generation.
func (e fitsError) Error() string { return fmt.Sprintf("generation %d can go on", int64(e)) }

// fit gives the generation that serves, or errNoViews, or an *unfitError if it
// must not.
func (v *Store) fit(ctx context.Context) (readmodel.Generation, error) {
	g, err := v.serving(ctx)
	if err == nil && !v.progress.Reached(g) {
		err = &unfitError{reason: "an earlier state of them was put back while the server ran"}
	}
	if err == nil {
		err = v.examine(ctx, g)
	}
	return g, err
}

// renew lets a new, empty generation serve, because there is none or it is
// unfit. Its number was never used before, not even by collections that are
// left of views whose documents are gone: no row of an old generation is ever
// taken for one of a new. Of several processes that do it at once the first one
// decides, and the others clear away what they had prepared.
func (v *Store) renew(ctx context.Context, old readmodel.Generation, why error, epoch string, threshold int64) error {
	if err := v.current(ctx, epoch); err != nil {
		return err
	}
	number, err := v.claim(ctx)
	if err != nil {
		return err
	}
	c := v.collections(number, majority())
	if err = c.create(ctx, forReaders); err == nil {
		err = v.turn(ctx, func(ctx context.Context) error {
			return v.install(ctx, generationRow{Number: int64(number), Epoch: epoch, Threshold: threshold}, old, why)
		})
	}
	var fits fitsError
	if errors.As(err, &fits) {
		if err := v.awaitServing(ctx, int(fits)); err != nil || int(fits) == number {
			return err
		}
		return c.drop(ctx)
	}
	if err == nil && !errors.Is(why, readmodel.ErrNoViews) {
		v.logger.Warn("the views are made anew from the log", "generation", number, "instead of", old.Number, "reason", why)
	}
	return err
}

// awaitServing waits until a generation serves that a transaction has seen, which
// reads what may not have reached a majority yet.
func (v *Store) awaitServing(ctx context.Context, number int) error {
	for {
		serving, err := v.serving(ctx)
		switch {
		case err == nil && serving.Number >= number:
			return nil
		case err != nil && !errors.Is(err, readmodel.ErrNoViews):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		outage.Pause(ctx, staleRetry)
	}
}

// current refuses to make views of a log that is no longer the database's own:
// they would be as unfit as those before.
func (v *Store) current(ctx context.Context, epoch string) error {
	if v.apart {
		return nil
	}
	var row format.LogDocument
	err := v.conn.DB().Collection(format.LogCollection).FindOne(ctx, bson.D{{Key: "_id", Value: format.LogID}}).Decode(&row)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return errLogGone
	case err == nil && row.Epoch != epoch:
		return errLogReplaced
	}
	return err
}

// claim takes a number that no generation has or had. While there is no
// generation at all, those who begin at once take the same one.
func (v *Store) claim(ctx context.Context) (int, error) {
	if err := v.conn.DB().CreateCollection(ctx, format.ViewsCollection); err != nil && !conn.HasCode(err, conn.CodeNamespaceExists) {
		return 0, err
	}
	left, err := v.numbered(ctx)
	if err != nil {
		return 0, err
	}
	var number int64
	err = v.turn(ctx, func(ctx context.Context) error {
		now, err := v.state(ctx)
		if err != nil {
			return err
		}
		if number = now.next(left); now.Generation == 0 && now.Last > 0 && len(now.rows) == 0 {
			number = now.Last
			return nil
		}
		_, err = v.views.UpdateByID(ctx, servingID, bson.D{{Key: "$set", Value: bson.D{{Key: "last", Value: number}}}}, options.UpdateOne().SetUpsert(true))
		return err
	})
	return int(number), err
}

// next gives a number beyond all that there were: those of the documents, and
// those of the collections that there are.
func (s state) next(collections map[int64]int) int64 {
	numbers := slices.Concat([]int64{s.Last, s.Generation}, slices.Collect(maps.Keys(s.rows)), slices.Collect(maps.Keys(collections)))
	return slices.Max(numbers) + 1
}

// numbered gives the numbers of the generations that have collections, and how
// many each has.
func (v *Store) numbered(ctx context.Context) (map[int64]int, error) {
	names, err := v.conn.DB().ListCollectionNames(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$regex", Value: `^(profiles|chirps|follows|timelines)_[1-9][0-9]{0,17}$`}}}})
	numbers := map[int64]int{}
	for _, name := range names {
		_, digits, _ := strings.Cut(name, "_")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			numbers[n]++
		}
	}
	return numbers, err
}

// install is the transaction of renew. It looks once more, at what is newest,
// whether the serving generation has to go; all others then cease to serve or
// to be built.
func (v *Store) install(ctx context.Context, next generationRow, old readmodel.Generation, why error) error {
	now, err := v.state(ctx)
	if err != nil {
		return err
	}
	if row, is := now.rows[now.Generation]; is {
		var unfit *unfitError
		switch err := v.belongs(ctx, row.generation()); {
		case err != nil && !errors.As(err, &unfit):
			return err
		case err == nil && v.progress.Reached(row.generation()) && (int(row.Number) != old.Number || !errors.As(why, &unfit) || !unfit.broken):
			return fitsError(row.Number)
		}
	}
	_, err = v.views.UpdateMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: "long"}}}, {Key: "retired", Value: nil}},
		bson.D{{Key: "$currentDate", Value: bson.D{{Key: "retired", Value: true}}}, {Key: "$unset", Value: bson.D{{Key: "building", Value: ""}}}})
	if err == nil {
		_, err = v.views.InsertOne(ctx, next)
	}
	if err == nil {
		serves := bson.D{{Key: "$set", Value: bson.D{{Key: "generation", Value: next.Number}}}, {Key: "$max", Value: bson.D{{Key: "last", Value: next.Number}}}}
		_, err = v.views.UpdateByID(ctx, servingID, serves, options.UpdateOne().SetUpsert(true))
	}
	return err
}

// dropOrphans removes the collections of generations before the serving one
// that have no document any more, and gives their numbers.
func (v *Store) dropOrphans(ctx context.Context) ([]int, error) {
	now, err := v.state(ctx)
	if err != nil {
		return nil, err
	}
	left, err := v.numbered(ctx)
	if err != nil {
		return nil, err
	}
	var dropped []int
	for _, number := range slices.Sorted(maps.Keys(left)) {
		if _, has := now.rows[number]; has || number >= now.Generation {
			continue
		}
		if err := v.collections(int(number), majority()).drop(ctx); err != nil {
			return dropped, fmt.Errorf("drop what is left of generation %d: %w", number, err)
		}
		dropped = append(dropped, int(number))
	}
	return dropped, nil
}

// Drop removes all views from a database, for an import.
func Drop(ctx context.Context, db *mongo.Database) error {
	names, err := db.ListCollectionNames(ctx, bson.D{})
	for _, name := range names {
		if err == nil && isOfViews(name) {
			err = db.Collection(name).Drop(ctx)
		}
	}
	return err
}

// isOfViews reports whether a collection belongs to the views.
func isOfViews(name string) bool {
	kind, number, _ := strings.Cut(name, "_")
	return name == format.ViewsCollection ||
		slices.Contains([]string{"profiles", "chirps", "follows", "timelines"}, kind) && number != "" && strings.Trim(number, "0123456789") == ""
}
