package mongodb

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// projectorLease is the id of the only document of the lease collection: who
// has the right to project, and until when by the database's clock.
const projectorLease = "projector"

// Lease implements readmodel.Store. One update decides: it gives the lease to
// the caller if the caller has it or if it has run out, leaves it as it is
// otherwise, and tells who has it now.
func (v *Views) Lease(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	call, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	caller := bson.D{{Key: "$literal", Value: holder}} // it may begin with a $
	end := bson.D{{Key: "$ifNull", Value: bson.A{"$until", time.UnixMilli(0)}}}
	free := bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "$eq", Value: bson.A{"$holder", caller}}},
		bson.D{{Key: "$lte", Value: bson.A{end, "$$NOW"}}},
	}}}
	take := func(taken, left any) bson.D { return bson.D{{Key: "$cond", Value: bson.A{free, taken, left}}} }
	update := mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "holder", Value: take(caller, "$holder")},
		{Key: "until", Value: take(bson.D{{Key: "$add", Value: bson.A{"$$NOW", ttl.Milliseconds()}}}, "$until")},
	}}}}
	var now struct {
		Holder string `bson:"holder"`
	}
	err := v.lease.FindOneAndUpdate(call, bson.D{{Key: "_id", Value: projectorLease}}, update,
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&now)
	if mongo.IsDuplicateKeyError(err) {
		return false, nil // another holder was the first of all
	}
	return err == nil && now.Holder == holder, translate(ctx, fmt.Sprintf("take the lease for %s", holder), err)
}

// Release implements readmodel.Store.
func (v *Views) Release(ctx context.Context, holder string) error {
	call, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err := v.lease.DeleteOne(call, bson.D{{Key: "_id", Value: projectorLease}, {Key: "holder", Value: holder}})
	return translate(ctx, fmt.Sprintf("release the lease of %s", holder), err)
}
