package views

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/storage/mongodb/conn"
)

// projectorLease is the id of the only document of the lease collection: who
// has the right to project, and until when by the database's clock.
const projectorLease = "projector"

// leaseRow is that document.
type leaseRow struct {
	Holder string    `bson:"holder"`
	Until  time.Time `bson:"until"`
}

// over is the condition that what ends at a time is over, by the database's
// clock: at that time, or at once if it ends much further ahead than its
// duration in milliseconds, for then that clock was ahead when it was written.
// A time that is missing is over.
//
// $$NOW is the time at which an operation began, and what it then finds may
// have been written by one that began later. So an end that is a little too far
// ahead says nothing, and answerTimeout is as long as anyone waits for an
// operation on the lease.
func over(until, duration any) bson.D {
	furthest := bson.D{{Key: "$add", Value: bson.A{"$$NOW", duration, conn.AnswerTimeout.Milliseconds()}}}
	return bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "$lte", Value: bson.A{until, "$$NOW"}}}, // null is less
		bson.D{{Key: "$gt", Value: bson.A{until, furthest}}},
	}}}
}

// Lease implements readmodel.Store. One update decides: it gives the lease to
// the caller if the caller has it or if it is over, leaves it as it is
// otherwise, and tells who has it now. The field for is the lease's duration;
// one without it was written by an older version of this program, whose
// duration is the caller's.
func (v *Store) Lease(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	caller := bson.D{{Key: "$literal", Value: holder}} // it may begin with a $
	free := bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "$eq", Value: bson.A{"$holder", caller}}},
		over("$until", bson.D{{Key: "$ifNull", Value: bson.A{"$for", ttl.Milliseconds()}}}),
	}}}
	take := func(taken, left any) bson.D { return bson.D{{Key: "$cond", Value: bson.A{free, taken, left}}} }
	update := mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "holder", Value: take(caller, "$holder")},
		{Key: "until", Value: take(bson.D{{Key: "$add", Value: bson.A{"$$NOW", ttl.Milliseconds()}}}, "$until")},
		{Key: "for", Value: take(ttl.Milliseconds(), "$for")},
	}}}}
	var now leaseRow
	err := v.lease.FindOneAndUpdate(call, bson.D{{Key: "_id", Value: projectorLease}}, update,
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&now)
	if mongo.IsDuplicateKeyError(err) {
		return false, nil // another holder was the first of all
	}
	if err != nil {
		return false, translate(ctx, fmt.Sprintf("take the lease for %s", holder), err)
	}
	v.leased.Store(&now)
	return now.Holder == holder, nil
}

// LeaseHolder implements readmodel.LeaseHolder.
func (v *Store) LeaseHolder() (string, time.Time) {
	if row := v.leased.Load(); row != nil {
		return row.Holder, row.Until
	}
	return "", time.Time{}
}

// Release implements readmodel.Store.
func (v *Store) Release(ctx context.Context, holder string) error {
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	_, err := v.lease.DeleteOne(call, bson.D{{Key: "_id", Value: projectorLease}, {Key: "holder", Value: holder}})
	return translate(ctx, fmt.Sprintf("release the lease of %s", holder), err)
}
