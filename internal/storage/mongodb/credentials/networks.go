package credentials

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/xoptions"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/storage/mongodb/conn"
)

// KnownNetwork implements auth.Credentials.
func (c *Store) KnownNetwork(ctx context.Context, user domain.UserID, network string) (time.Time, error) {
	var row struct {
		Networks []struct {
			At time.Time `bson:"at"`
		} `bson:"networks"`
	}
	err := c.run(ctx, func(ctx context.Context, pin bson.D) error {
		one := options.FindOne().SetProjection(bson.D{{Key: "networks.$", Value: 1}})
		return c.users.FindOne(ctx, bson.D{{Key: "_id", Value: string(user)}, {Key: "networks.network", Value: network}},
			pinned(one, pin, xoptions.SetInternalFindOneOptions)).Decode(&row)
	})
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, conn.Translate(ctx, "read a known network", err)
	}
	return row.Networks[0].At, nil // it matched
}

// RememberNetwork implements auth.Credentials.
func (c *Store) RememberNetwork(ctx context.Context, user domain.UserID, network string, at time.Time) error {
	others := bson.D{{Key: "$filter", Value: bson.D{
		{Key: "input", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$networks", bson.A{}}}}},
		{Key: "cond", Value: bson.D{{Key: "$ne", Value: bson.A{"$$this.network", network}}}},
	}}}
	newest := bson.A{bson.D{{Key: "network", Value: network}, {Key: "at", Value: at}}}
	networks := bson.D{{Key: "$slice", Value: bson.A{bson.D{{Key: "$concatArrays", Value: bson.A{newest, others}}}, auth.MaxNetworks}}}
	set := mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "networks", Value: networks}}}}}
	return conn.Translate(ctx, "remember a network", c.run(ctx, func(ctx context.Context, pin bson.D) error {
		_, err := c.users.UpdateByID(ctx, string(user), set, pinned(options.UpdateOne(), pin, xoptions.SetInternalUpdateOneOptions))
		return err
	}))
}
