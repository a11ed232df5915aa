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

// The lease is part of the views, because the readmodel.Store contract has it: it
// says which server may move their checkpoint.

// projectorLease is the _id of the only document in the collection of the lease.
const projectorLease = "projector"

// leaseRow is that document: which server projects, and until when by the
// database's clock.
type leaseRow struct {
	Holder string    `bson:"holder"`
	Until  time.Time `bson:"until"`
}

// over returns the condition that an end has passed by the database's clock, or
// that it is void: it lies further ahead than its duration, in milliseconds, so
// the clock was wrong when it was written. An end that is missing has passed.
//
// $$NOW is the time at which an operation began. What the operation finds may have
// been written by one that began later, so an end may properly lie a little too
// far ahead: by as long as a caller waits for an operation, which is
// conn.AnswerTimeout.
func over(until, duration any) bson.D {
	furthest := bson.D{{Key: "$add", Value: bson.A{"$$NOW", duration, conn.AnswerTimeout.Milliseconds()}}}
	return bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "$lte", Value: bson.A{until, "$$NOW"}}}, // null is less
		bson.D{{Key: "$gt", Value: bson.A{until, furthest}}},
	}}}
}

// Lease implements readmodel.Store. One update decides atomically: it gives the
// lease to the caller if the caller holds it or if it is over, leaves it as it is
// otherwise, and returns who holds it now. A lease without the field for, its
// duration, was written by an older version of this program, and is taken to have
// the caller's.
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
		return false, nil // another server inserted the document first
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
