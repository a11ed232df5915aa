package views

import (
	"cmp"
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

// fitsError is the number of the serving generation, which turned out to be fit.
type fitsError int64

// Error names the generation.
func (e fitsError) Error() string { return fmt.Sprintf("generation %d is fit", int64(e)) }

// checkFit returns the generation that serves. Its error is readmodel.ErrNoViews if
// there is none, and an *unfitError if it must not serve.
func (v *Store) checkFit(ctx context.Context) (readmodel.Generation, error) {
	g, err := v.serving(ctx)
	if err == nil && !v.progress.IsCurrent(g) {
		err = &unfitError{reason: "an earlier state of them was put back while the server ran"}
	}
	if err == nil {
		err = v.examine(ctx, g)
	}
	return g, err
}

// replaceUnfit makes a new, empty generation serve, because there is none or
// because the old one is unfit. The number of the new one was never used before,
// not even by collections whose generation's document is gone, so no row of an old
// generation is ever taken for one of the new. If several processes do so at once,
// the first one decides, and the others drop what they had created.
func (v *Store) replaceUnfit(ctx context.Context, old readmodel.Generation, why error, epoch string, threshold int64) error {
	if err := v.checkEpoch(ctx, epoch); err != nil {
		return err
	}
	number, err := v.claimNumber(ctx)
	if err != nil {
		return err
	}
	c := v.collections(number, majority())
	if err = c.create(ctx, forReaders); err == nil {
		err = v.transactWhenIdle(ctx, func(ctx context.Context) error {
			return v.insertServing(ctx, generationRow{Number: int64(number), Format: rowsFormat, Epoch: epoch, Threshold: threshold}, old, why)
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
		v.logger.Warn("the views are rebuilt from the log", "generation", number, "instead of", old.Number, "reason", why)
	}
	return err
}

// awaitServing waits until a generation serves. A transaction that has seen it
// serve may have read what has not reached a majority yet.
func (v *Store) awaitServing(ctx context.Context, number int) error {
	for {
		serving, err := v.serving(ctx)
		switch {
		case err == nil && serving.Number >= number:
			return nil
		case err != nil && !errors.Is(err, readmodel.ErrNoViews) && !errors.Is(err, readmodel.ErrUnfit):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		outage.Pause(ctx, staleRetry)
	}
}

// checkEpoch returns an error if the epoch is no longer that of the database's log:
// views made for it would be as unfit as the ones before.
func (v *Store) checkEpoch(ctx context.Context, epoch string) error {
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

// claimNumber returns a number that no generation has or had. While there is no
// generation at all, processes that start at the same time claim the same one.
func (v *Store) claimNumber(ctx context.Context) (int, error) {
	if err := v.conn.DB().CreateCollection(ctx, format.ViewsCollection); err != nil && !conn.HasCode(err, conn.CodeNamespaceExists) {
		return 0, err
	}
	left, err := v.listGenerations(ctx)
	if err != nil {
		return 0, err
	}
	var number int64
	err = v.transactWhenIdle(ctx, func(ctx context.Context) error {
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

// next returns a number greater than any before: those in the documents, and those
// of the collections that are there.
func (s state) next(collections map[int64]int) int64 {
	numbers := slices.Concat([]int64{s.Last, s.Generation}, slices.Collect(maps.Keys(s.rows)), slices.Collect(maps.Keys(collections)))
	return slices.Max(numbers) + 1
}

// listGenerations returns the numbers of the generations that have collections, and
// how many each has.
func (v *Store) listGenerations(ctx context.Context) (map[int64]int, error) {
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

// insertServing is the transaction of replaceUnfit. It checks once more, on the
// newest data, whether the serving generation must be replaced. If so it retires
// every generation, and those that are being built as well.
func (v *Store) insertServing(ctx context.Context, next generationRow, old readmodel.Generation, why error) error {
	now, err := v.state(ctx)
	if err != nil {
		return err
	}
	if row, is := now.rows[now.Generation]; is {
		var unfit *unfitError
		switch err := cmp.Or(row.checkFormat(), v.checkLog(ctx, row.generation())); {
		case err != nil && !errors.As(err, &unfit):
			return err
		case err == nil && v.progress.IsCurrent(row.generation()) && (int(row.Number) != old.Number || !errors.As(why, &unfit) || !unfit.broken):
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

// dropOrphans drops the collections of generations before the serving one whose
// document is gone, and returns their numbers.
func (v *Store) dropOrphans(ctx context.Context) ([]int, error) {
	now, err := v.state(ctx)
	if err != nil {
		return nil, err
	}
	left, err := v.listGenerations(ctx)
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
