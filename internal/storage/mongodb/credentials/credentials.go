// Package credentials is the auth.Credentials of a database: the users' password
// hashes and sessions, and the token secret.
package credentials

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
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
	"chirp/internal/storage/mongodb/integrity"
)

// Store is the auth.Credentials of a database.
type Store struct {
	conn    *conn.Conn
	monitor *integrity.Monitor
	users   *mongo.Collection // userRow
	secrets *mongo.Collection
}

// userRow is a user's document, whose _id is the user's id.
type userRow struct {
	User     string       `bson:"_id"`
	Hash     string       `bson:"hash,omitempty"`
	Epoch    int64        `bson:"epoch,omitempty"`
	Disabled bool         `bson:"disabled,omitempty"`
	Sessions []sessionRow `bson:"sessions,omitempty"`
	// Unconfirmed is when a credential was saved that is not confirmed yet.
	Unconfirmed time.Time `bson:"unconfirmedSince,omitempty"`
}

// New opens the credentials of a database, which the monitor watches.
func New(c *conn.Conn, m *integrity.Monitor) *Store {
	return &Store{
		conn: c, monitor: m,
		users: c.DB().Collection(format.CredentialsCollection), secrets: c.DB().Collection(format.SecretsCollection),
	}
}

// Indexes returns the indexes that the collection of the credentials has besides
// the one on _id.
func Indexes() []mongo.IndexModel {
	sparse := func(field, name string) mongo.IndexModel {
		return mongo.IndexModel{Keys: bson.D{{Key: field, Value: 1}}, Options: options.Index().SetName(name).SetSparse(true)}
	}
	changed := sparse("changed", "changed")
	changed.Options.SetUnique(true)
	return []mongo.IndexModel{sparse("unconfirmedSince", "unconfirmedSince"), changed, sparse("sessions.expires", "expires")}
}

// run calls f with a pin for its commands, unless credentials or the token secret are
// lost. If f fails because the collection is not the pinned one, and the monitor then
// finds nothing lost, as after a restored backup, run calls f once more.
func (c *Store) run(ctx context.Context, f func(ctx context.Context, pin bson.D) error) error {
	return c.runUnless(ctx, c.monitor.CredentialsRefusal, f)
}

// runAccess is run for what does not need the token secret.
func (c *Store) runAccess(ctx context.Context, f func(ctx context.Context, pin bson.D) error) error {
	return c.runUnless(ctx, c.monitor.AccessRefusal, f)
}

func (c *Store) runUnless(ctx context.Context, refusal func() error, f func(ctx context.Context, pin bson.D) error) error {
	for again := false; ; again = true {
		if err := refusal(); err != nil {
			return err
		}
		pin, _ := c.monitor.CredentialsPin()
		err := c.conn.InSession(ctx, func(ctx context.Context) error { return f(ctx, pin) })
		if !conn.HasCode(err, conn.CodeCollectionUUIDMismatch) {
			return err
		}
		c.monitor.Check(ctx)
		if again && refusal() == nil {
			return fmt.Errorf("%w: %w", auth.ErrCredentialsLost, err)
		}
	}
}

// pinned adds a pin to the options of a command, which then fails on any other
// collection.
func pinned[T any](o T, pin bson.D, set func(T, string, any) error) T {
	if pin != nil {
		_ = set(o, "addCommandFields", pin) // fails only for another name or type
	}
	return o
}

// SaveCredential implements auth.Credentials.
func (c *Store) SaveCredential(ctx context.Context, user domain.UserID, hash string, at time.Time) error {
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "hash", Value: hash}, {Key: "unconfirmedSince", Value: at}}}}
	return conn.Translate(ctx, "save a credential", c.run(ctx, func(ctx context.Context, pin bson.D) error {
		return upsert(ctx, c.users, string(user), set, pin)
	}))
}

// upsert changes a document or inserts it. Of several calls that find it missing
// at once, all but one may fail because it is there by now, and try again.
func upsert(ctx context.Context, in *mongo.Collection, id string, change, pin bson.D) error {
	for {
		_, err := in.UpdateByID(ctx, id, change, pinned(options.UpdateOne().SetUpsert(true), pin, xoptions.SetInternalUpdateOneOptions))
		if !conn.HasCode(err, conn.CodeDuplicateKey) {
			return err
		}
	}
}

// Credential implements auth.Credentials.
func (c *Store) Credential(ctx context.Context, user domain.UserID) (string, error) {
	row, err := c.findUser(ctx, "read a credential", user, bson.D{{Key: "hash", Value: 1}}, c.monitor.CredentialsRefusal)
	if err == nil && row.Hash == "" {
		err = auth.ErrNoCredential
	}
	return row.Hash, err
}

// findUser reads a user's document, the zero row if there is none. Together with it,
// findUser reads a document that must be there; if both are missing, credentials may
// be lost. refusal returns the error of the call if they are.
func (c *Store) findUser(ctx context.Context, op string, user domain.UserID, projection bson.D, refusal func() error) (userRow, error) {
	_, other := c.monitor.CredentialsPin()
	var rows []userRow
	err := c.runUnless(ctx, refusal, func(ctx context.Context, pin bson.D) error {
		cursor, err := c.users.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{string(user), other}}}}}, pinned(options.Find(), pin, xoptions.SetInternalFindOptions).SetProjection(projection))
		if err != nil {
			return err
		}
		return cursor.All(ctx, &rows)
	})
	if err != nil {
		return userRow{}, conn.Translate(ctx, op, err)
	}
	for _, r := range rows {
		if r.User == string(user) {
			return r, nil
		}
	}
	if len(rows) == 0 && other != "" {
		c.monitor.Check(ctx)
		err = refusal()
	}
	return userRow{}, conn.Translate(ctx, op, err)
}

// Unconfirmed implements auth.Credentials.
func (c *Store) Unconfirmed(ctx context.Context, before time.Time, limit int) ([]domain.UserID, error) {
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
	return users, conn.Translate(ctx, "find unconfirmed credentials", err)
}

// ConfirmCredential implements auth.Credentials.
func (c *Store) ConfirmCredential(ctx context.Context, user domain.UserID) error {
	confirmed := bson.D{{Key: "$unset", Value: bson.D{{Key: "unconfirmedSince", Value: 1}}}}
	return conn.Translate(ctx, "confirm a credential", c.run(ctx, func(ctx context.Context, pin bson.D) error {
		_, err := c.users.UpdateByID(ctx, string(user), confirmed, pinned(options.UpdateOne(), pin, xoptions.SetInternalUpdateOneOptions))
		return err
	}))
}

// DeleteCredential implements auth.Credentials.
func (c *Store) DeleteCredential(ctx context.Context, user domain.UserID) error {
	gone, err := c.deleteBefore(ctx, user, 1) // most have no number
	for err == nil && !gone {
		var number int64
		if number, err = c.keepNumber(ctx); err == nil {
			gone, err = c.deleteBefore(ctx, user, number)
		}
	}
	return conn.Translate(ctx, "delete a credential", err)
}

// Secret implements auth.Credentials.
func (c *Store) Secret(ctx context.Context, proposed []byte) ([]byte, error) {
	const op = "read the token secret"
	if len(proposed) > 0 {
		keep := bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "secret", Value: proposed}}}}
		if err := c.run(ctx, func(ctx context.Context, _ bson.D) error {
			return upsert(ctx, c.secrets, format.TokenSecretID, keep, nil)
		}); err != nil {
			return nil, conn.Translate(ctx, op, err)
		}
	}
	var row struct {
		Secret []byte `bson:"secret"`
	}
	err := c.run(ctx, func(ctx context.Context, _ bson.D) error {
		return c.secrets.FindOne(ctx, bson.D{{Key: "_id", Value: format.TokenSecretID}}).Decode(&row)
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	return row.Secret, conn.Translate(ctx, op, err)
}

const allBatch = 1000 // credentials read at a time

// All implements auth.Credentials. It reads in batches, each from where the one
// before ended, so that no cursor has to outlive a slow reader.
func (c *Store) All(ctx context.Context) iter.Seq2[auth.Credential, error] {
	return func(yield func(auth.Credential, error) bool) {
		for after := ""; ; {
			rows, err := c.after(ctx, after)
			if conn.HasCode(err, conn.CodeUnauthorized) {
				err = domain.Errorf(domain.Invalid, "the user of the URI must be able to read the collection %s, which says who is disabled: grant the role read on the database %s",
					format.CredentialsCollection, c.conn.DB().Name())
			}
			if err != nil {
				yield(auth.Credential{}, conn.Translate(ctx, "read all credentials", err))
				return
			}
			for _, r := range rows {
				access, err := r.access()
				credential := auth.Credential{User: domain.UserID(r.User), Hash: r.Hash, Access: access}
				if (err != nil || !credential.Empty()) && !yield(credential, err) {
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

// after returns the credentials whose users come after one, in their order.
func (c *Store) after(ctx context.Context, user string) (rows []userRow, err error) {
	err = c.runAccess(ctx, func(ctx context.Context, pin bson.D) error {
		cursor, err := c.users.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: user}}}},
			pinned(options.Find(), pin, xoptions.SetInternalFindOptions).SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(allBatch).SetBatchSize(allBatch+1))
		if err != nil {
			return err
		}
		return cursor.All(ctx, &rows)
	})
	return rows, err
}

// Restore implements auth.Credentials.
func (c *Store) Restore(ctx context.Context, secret []byte, restored []auth.Credential, at time.Time) error {
	const op = "restore credentials"
	var writes []mongo.WriteModel
	for _, r := range restored {
		writes = append(writes, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: string(r.User)}}).SetUpdate(replacement(newUserRow(r, at))).SetUpsert(true))
	}
	if len(writes) > 0 {
		err := c.conn.InSession(ctx, func(ctx context.Context) error {
			_, err := c.users.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
			return err
		})
		if err != nil {
			return conn.Translate(ctx, op, err)
		}
	}
	if len(secret) == 0 {
		return nil
	}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "secret", Value: secret}}}}
	return conn.Translate(ctx, op, c.conn.InSession(ctx, func(ctx context.Context) error { return upsert(ctx, c.secrets, format.TokenSecretID, set, nil) }))
}

func newUserRow(c auth.Credential, at time.Time) userRow {
	row := userRow{User: string(c.User), Hash: c.Hash, Epoch: c.Access.Epoch, Disabled: c.Access.Disabled, Unconfirmed: at}
	for _, s := range c.Access.Sessions {
		row.Sessions = append(row.Sessions, newSessionRow(s))
	}
	return row
}

// replacement returns an update that replaces all of a document but its number.
func replacement(row userRow) mongo.Pipeline {
	number := bson.D{{Key: "changed", Value: "$changed"}}
	return mongo.Pipeline{{{Key: "$replaceWith", Value: bson.D{{Key: "$mergeObjects", Value: bson.A{number, bson.D{{Key: "$literal", Value: row}}}}}}}}
}

// Discard implements auth.Credentials.
func (c *Store) Discard(ctx context.Context) error {
	const op = "discard the credentials"
	var last int64
	err := c.conn.InSession(ctx, func(ctx context.Context) (err error) {
		last, err = c.lastChange(ctx, nil)
		return err
	})
	if err == nil && last > 0 {
		_, err = c.keepNumber(ctx)
	}
	if err != nil {
		return conn.Translate(ctx, op, err)
	}
	return conn.Translate(ctx, op, c.monitor.ForgetPasswords(ctx, func(ctx context.Context) error {
		_, err := c.users.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: ""}}}})
		return err
	}))
}
