package mongodb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/xoptions"

	"chirp/internal/auth"
	"chirp/internal/domain"
)

// credentials is the auth.Credentials of a database. A user's document has the
// user's id as its _id, the hash, and until it is confirmed the time when it
// was saved as unconfirmedSince.
type credentials struct {
	sessions *sessions
	guard    *guard
	users    *mongo.Collection
	secrets  *mongo.Collection
}

// secretID is the id of the token secret's document.
const secretID = "token"

// run calls f unless credentials are lost. An f that fails because the
// collection of the credentials is another one than it was, as pin makes it, is
// called again if that turns out to be right.
func (c *credentials) run(ctx context.Context, f func(ctx context.Context, pin bson.D) error) error {
	for again := false; ; again = true {
		if err := c.guard.keptRefusal(); err != nil {
			return err
		}
		pin, _ := c.guard.keptPin()
		err := c.sessions.run(ctx, func(ctx context.Context) error { return f(ctx, pin) })
		if !hasCode(err, codeCollectionUUIDMismatch) {
			return err
		}
		c.guard.check(ctx)
		if again && c.guard.keptRefusal() == nil {
			return fmt.Errorf("%w: %w", errUnkept, err)
		}
	}
}

// pinned adds to the options of a command that it is for one collection alone.
func pinned[T any](o T, pin bson.D, set func(T, string, any) error) T {
	if pin != nil {
		_ = set(o, "addCommandFields", pin) // fails for another name or type only
	}
	return o
}

func (c *credentials) SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error {
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "hash", Value: hash}, {Key: "unconfirmedSince", Value: at}}}}
	return translate(ctx, "save a credential", c.run(ctx, func(ctx context.Context, pin bson.D) error {
		return upsert(ctx, c.users, string(user), set, pin)
	}))
}

// upsert changes a document, or makes it. Of several calls that find it
// missing at once all but one may be told that it is there.
func upsert(ctx context.Context, in *mongo.Collection, id string, change, pin bson.D) error {
	for {
		_, err := in.UpdateByID(ctx, id, change, pinned(options.UpdateOne().SetUpsert(true), pin, xoptions.SetInternalUpdateOneOptions))
		if !hasCode(err, codeDuplicateKey) {
			return err
		}
	}
}

// Credential reads a credential that must be there beside the user's: if both
// are missing, credentials may be lost.
func (c *credentials) Credential(ctx context.Context, user domain.UserID) (string, error) {
	_, other := c.guard.keptPin()
	var rows []credentialRow
	err := c.run(ctx, func(ctx context.Context, pin bson.D) error {
		cursor, err := c.users.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{string(user), other}}}}}, pinned(options.Find(), pin, xoptions.SetInternalFindOptions))
		if err != nil {
			return err
		}
		return cursor.All(ctx, &rows)
	})
	if err != nil {
		return "", translate(ctx, "read a credential", err)
	}
	for _, r := range rows {
		if r.User == string(user) {
			return r.Hash, nil
		}
	}
	if len(rows) == 0 && other != "" {
		c.guard.check(ctx)
		if err := c.guard.keptRefusal(); err != nil {
			return "", translate(ctx, "read a credential", err)
		}
	}
	return "", auth.ErrNoCredential
}

func (c *credentials) Unconfirmed(ctx context.Context, before time.Time, limit int) ([]domain.UserID, error) {
	if limit <= 0 {
		return nil, nil
	}
	var rows []struct {
		User string `bson:"_id"`
	}
	err := c.run(ctx, func(ctx context.Context, pin bson.D) error {
		cursor, err := c.users.Find(ctx, bson.D{{Key: "unconfirmedSince", Value: bson.D{{Key: "$lt", Value: before}}}},
			pinned(options.Find(), pin, xoptions.SetInternalFindOptions).SetProjection(bson.D{{Key: "_id", Value: 1}}).SetSort(bson.D{{Key: "unconfirmedSince", Value: 1}}).SetLimit(int64(limit)))
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
	return translate(ctx, "confirm a credential", c.run(ctx, func(ctx context.Context, pin bson.D) error {
		_, err := c.users.UpdateByID(ctx, string(user), confirmed, pinned(options.UpdateOne(), pin, xoptions.SetInternalUpdateOneOptions))
		return err
	}))
}

func (c *credentials) DeleteCredential(ctx context.Context, user domain.UserID) error {
	return translate(ctx, "delete a credential", c.run(ctx, func(ctx context.Context, pin bson.D) error {
		_, err := c.users.DeleteOne(ctx, bson.D{{Key: "_id", Value: string(user)}}, pinned(options.DeleteOne(), pin, xoptions.SetInternalDeleteOneOptions))
		return err
	}))
}

func (c *credentials) Secret(ctx context.Context, proposed []byte) ([]byte, error) {
	const op = "read the token secret"
	if len(proposed) > 0 {
		keep := bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "secret", Value: proposed}}}}
		if err := c.run(ctx, func(ctx context.Context, _ bson.D) error { return upsert(ctx, c.secrets, secretID, keep, nil) }); err != nil {
			return nil, translate(ctx, op, err)
		}
	}
	var row struct {
		Secret []byte `bson:"secret"`
	}
	err := c.run(ctx, func(ctx context.Context, _ bson.D) error {
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
	err = c.run(ctx, func(ctx context.Context, pin bson.D) error {
		cursor, err := c.users.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: user}}}},
			pinned(options.Find(), pin, xoptions.SetInternalFindOptions).SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(allBatch).SetBatchSize(allBatch+1))
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
	return translate(ctx, op, c.sessions.run(ctx, func(ctx context.Context) error { return upsert(ctx, c.secrets, secretID, set, nil) }))
}

func (c *credentials) Discard(ctx context.Context) error {
	return translate(ctx, "discard the credentials", c.sessions.run(ctx, func(ctx context.Context) error {
		_, users := c.users.DeleteMany(ctx, bson.D{})
		_, secrets := c.secrets.DeleteMany(ctx, bson.D{})
		return errors.Join(users, secrets)
	}))
}
