package mongodb

import (
	"context"
	"errors"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// credentials is the auth.Credentials of a database. A user's document has the
// user's id as its _id, the hash, and until it is confirmed the time when it
// was saved as unconfirmedSince.
type credentials struct {
	sessions *sessions
	users    *mongo.Collection
	secrets  *mongo.Collection
}

// secretID is the id of the token secret's document.
const secretID = "token"

func (c *credentials) SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error {
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "hash", Value: hash}, {Key: "unconfirmedSince", Value: at}}}}
	return translate(ctx, "save a credential", c.upsert(ctx, c.users, string(user), set))
}

// upsert changes a document, or makes it. Of several calls that find it
// missing at once all but one may be told that it is there.
func (c *credentials) upsert(ctx context.Context, in *mongo.Collection, id string, change bson.D) error {
	return c.sessions.run(ctx, func(ctx context.Context) error {
		for {
			_, err := in.UpdateByID(ctx, id, change, options.UpdateOne().SetUpsert(true))
			if !hasCode(err, codeDuplicateKey) {
				return err
			}
		}
	})
}

func (c *credentials) Credential(ctx context.Context, user domain.UserID) (string, error) {
	var row struct {
		Hash string `bson:"hash"`
	}
	err := c.sessions.run(ctx, func(ctx context.Context) error {
		return c.users.FindOne(ctx, bson.D{{Key: "_id", Value: string(user)}}).Decode(&row)
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return "", auth.ErrNoCredential
	}
	return row.Hash, translate(ctx, "read a credential", err)
}

func (c *credentials) Unconfirmed(ctx context.Context, before time.Time, limit int) ([]domain.UserID, error) {
	if limit <= 0 {
		return nil, nil
	}
	var rows []struct {
		User string `bson:"_id"`
	}
	err := c.sessions.run(ctx, func(ctx context.Context) error {
		cursor, err := c.users.Find(ctx, bson.D{{Key: "unconfirmedSince", Value: bson.D{{Key: "$lt", Value: before}}}},
			options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}).SetSort(bson.D{{Key: "unconfirmedSince", Value: 1}}).SetLimit(int64(limit)))
		if err != nil {
			return err
		}
		return cursor.All(ctx, &rows)
	})
	users := make([]domain.UserID, len(rows))
	for i, r := range rows {
		users[i] = domain.UserID(r.User)
	}
	return users, translate(ctx, "find unconfirmed credentials", err)
}

func (c *credentials) ConfirmCredential(ctx context.Context, user domain.UserID) error {
	confirmed := bson.D{{Key: "$unset", Value: bson.D{{Key: "unconfirmedSince", Value: 1}}}}
	return translate(ctx, "confirm a credential", c.sessions.run(ctx, func(ctx context.Context) error {
		_, err := c.users.UpdateByID(ctx, string(user), confirmed)
		return err
	}))
}

func (c *credentials) DeleteCredential(ctx context.Context, user domain.UserID) error {
	return translate(ctx, "delete a credential", c.sessions.run(ctx, func(ctx context.Context) error {
		_, err := c.users.DeleteOne(ctx, bson.D{{Key: "_id", Value: string(user)}})
		return err
	}))
}

func (c *credentials) Secret(ctx context.Context, proposed []byte) ([]byte, error) {
	const op = "read the token secret"
	if len(proposed) > 0 {
		keep := bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "secret", Value: proposed}}}}
		if err := c.upsert(ctx, c.secrets, secretID, keep); err != nil {
			return nil, translate(ctx, op, err)
		}
	}
	var row struct {
		Secret []byte `bson:"secret"`
	}
	err := c.sessions.run(ctx, func(ctx context.Context) error {
		return c.secrets.FindOne(ctx, bson.D{{Key: "_id", Value: secretID}}).Decode(&row)
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	return row.Secret, translate(ctx, op, err)
}

const allBatch = 1000 // credentials read at a time

// All reads in batches, each from where the one before ended, so that no
// cursor has to outlive a slow reader.
func (c *credentials) All(ctx context.Context) iter.Seq2[auth.Credential, error] {
	return func(yield func(auth.Credential, error) bool) {
		for after := ""; ; {
			rows, err := c.after(ctx, after)
			if err != nil {
				yield(auth.Credential{}, translate(ctx, "read all credentials", err))
				return
			}
			for _, r := range rows {
				if !yield(auth.Credential{User: domain.UserID(r.User), Hash: r.Hash}, nil) {
					return
				}
				after = r.User
			}
			if len(rows) < allBatch {
				return
			}
		}
	}
}

// credentialRow is what a user's document has.
type credentialRow struct {
	User string `bson:"_id"`
	Hash string `bson:"hash"`
}

func (c *credentials) after(ctx context.Context, user string) (rows []credentialRow, err error) {
	err = c.sessions.run(ctx, func(ctx context.Context) error {
		cursor, err := c.users.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: user}}}},
			options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(allBatch).SetBatchSize(allBatch+1))
		if err != nil {
			return err
		}
		return cursor.All(ctx, &rows)
	})
	return rows, err
}

func (c *credentials) Restore(ctx context.Context, secret []byte, restored []auth.Credential, at time.Time) error {
	const op = "restore credentials"
	var writes []mongo.WriteModel
	for _, r := range restored {
		set := bson.D{{Key: "$set", Value: bson.D{{Key: "hash", Value: r.Hash}, {Key: "unconfirmedSince", Value: at}}}}
		writes = append(writes, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: string(r.User)}}).SetUpdate(set).SetUpsert(true))
	}
	if len(writes) > 0 {
		err := c.sessions.run(ctx, func(ctx context.Context) error {
			_, err := c.users.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
			return err
		})
		if err != nil {
			return translate(ctx, op, err)
		}
	}
	if len(secret) == 0 {
		return nil
	}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "secret", Value: secret}}}}
	return translate(ctx, op, c.upsert(ctx, c.secrets, secretID, set))
}

func (c *credentials) Discard(ctx context.Context) error {
	return translate(ctx, "discard the credentials", c.sessions.run(ctx, func(ctx context.Context) error {
		_, users := c.users.DeleteMany(ctx, bson.D{})
		_, secrets := c.secrets.DeleteMany(ctx, bson.D{})
		return errors.Join(users, secrets)
	}))
}
