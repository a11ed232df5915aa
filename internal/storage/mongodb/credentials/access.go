package credentials

import (
	"context"
	"fmt"
	"maps"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/xoptions"

	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/storage/mongodb/conn"
)

type sessionRow struct {
	ID      string    `bson:"id"`
	Epoch   int64     `bson:"epoch"`
	Started time.Time `bson:"started"`
	Expires time.Time `bson:"expires"`
	Seen    time.Time `bson:"seen"`
	Address string    `bson:"address"`
	Agent   string    `bson:"agent"`
}

func newSessionRow(s auth.Session) sessionRow {
	return sessionRow{s.ID.String(), s.Epoch, s.Started, s.Expires, s.Seen, s.Client.Address, s.Client.Agent}
}

func (r userRow) access() (auth.Access, error) {
	a := auth.Access{Epoch: r.Epoch, Disabled: r.Disabled}
	for _, s := range r.Sessions {
		id, err := auth.ParseSessionID(s.ID)
		if err != nil {
			return auth.Access{}, err
		}
		a.Sessions = append(a.Sessions, auth.Session{
			ID: id, Epoch: s.Epoch, Started: s.Started.UTC(), Expires: s.Expires.UTC(), Seen: s.Seen.UTC(),
			Client: auth.Client{Address: s.Address, Agent: s.Agent},
		})
	}
	return a, nil
}

// Access implements auth.AccessStore.
func (c *Store) Access(ctx context.Context, user domain.UserID) (auth.Access, error) {
	const op = "read access"
	row, err := c.findUser(ctx, op, user, bson.D{{Key: "hash", Value: 0}}, c.monitor.AccessRefusal)
	if err != nil {
		return auth.Access{}, err
	}
	a, err := row.access()
	return a, conn.Translate(ctx, op, err)
}

// change changes a document as a numbered change, and reports whether the filter
// matched one or it was inserted. update must not set changed.
func (c *Store) change(ctx context.Context, filter bson.D, update bson.M, upsert bool) (matched bool, err error) {
	err = c.runAccess(ctx, func(ctx context.Context, pin bson.D) error {
		for tries := 1; ; tries++ {
			last, err := c.lastChange(ctx, pin)
			if err != nil {
				return err
			}
			var again bool
			if matched, again, err = c.changeAs(ctx, pin, last+1, filter, update, upsert); !again {
				return err
			}
			if !outage.Pause(ctx, outage.Delay(time.Millisecond, tries)) {
				return ctx.Err()
			}
		}
	})
	return matched, err
}

// changeAs is change with a number. It reports whether to try again with another one,
// because another change took it or a greater one. The unique index refuses a number
// that another document has, and the filter one that this document has.
func (c *Store) changeAs(ctx context.Context, pin bson.D, number int64, filter bson.D, update bson.M, upsert bool) (matched, again bool, err error) {
	result, err := c.users.UpdateOne(ctx, append(filter[:len(filter):len(filter)], before(number)), numbered(update, number),
		pinned(options.UpdateOne().SetUpsert(upsert), pin, xoptions.SetInternalUpdateOneOptions))
	switch {
	case conn.HasCode(err, conn.CodeDuplicateKey): // of the number, or of an inserted document
		return false, true, nil
	case err != nil:
		return false, false, err
	case result.MatchedCount+result.UpsertedCount > 0:
		return true, false, nil
	}
	rows, err := c.findChanges(ctx, pin, filter, 1, 1)
	return false, len(rows) > 0, err
}

// before is the condition that a document has no number, or one before another.
func before(number int64) bson.E {
	return bson.E{Key: "changed", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gte", Value: number}}}}}
}

// numbered returns an update that also sets the number of a change.
func numbered(update bson.M, number int64) bson.M {
	update = maps.Clone(update)
	set, _ := update["$set"].(bson.D)
	update["$set"] = append(set[:len(set):len(set)], bson.E{Key: "changed", Value: number})
	return update
}

type changeRow struct {
	User    string `bson:"_id"`
	Changed int64  `bson:"changed"`
}

// lastChange returns the greatest number of a change, 0 if there is none.
func (c *Store) lastChange(ctx context.Context, pin bson.D) (int64, error) {
	rows, err := c.findChanges(ctx, pin, bson.D{{Key: "changed", Value: bson.D{{Key: "$gt", Value: int64(0)}}}}, -1, 1)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return rows[0].Changed, nil
}

func (c *Store) findChanges(ctx context.Context, pin, filter bson.D, order int, limit int64) (rows []changeRow, err error) {
	cursor, err := c.users.Find(ctx, filter, pinned(options.Find(), pin, xoptions.SetInternalFindOptions).
		SetProjection(bson.D{{Key: "changed", Value: 1}}).SetSort(bson.D{{Key: "changed", Value: order}}).SetLimit(limit))
	if err != nil {
		return nil, err
	}
	return rows, cursor.All(ctx, &rows)
}

// keepNumber takes the next number for the document of the empty user, and returns
// that or a later one. Documents that are deleted must have a number before it, or
// else the number could be used again.
func (c *Store) keepNumber(ctx context.Context) (number int64, err error) {
	nobody := bson.D{{Key: "_id", Value: ""}}
	if _, err := c.change(ctx, nobody, bson.M{}, true); err != nil {
		return 0, err
	}
	err = c.runAccess(ctx, func(ctx context.Context, pin bson.D) error {
		rows, err := c.findChanges(ctx, pin, nobody, 1, 1)
		for _, r := range rows {
			number = r.Changed
		}
		return err
	})
	return number, err
}

// deleteBefore deletes a user's document if it has no number, or one before another.
// It reports whether there is no document afterwards.
func (c *Store) deleteBefore(ctx context.Context, user domain.UserID, number int64) (gone bool, err error) {
	id := bson.D{{Key: "_id", Value: string(user)}}
	err = c.runAccess(ctx, func(ctx context.Context, pin bson.D) error {
		result, err := c.users.DeleteOne(ctx, append(id[:1:1], before(number)), pinned(options.DeleteOne(), pin, xoptions.SetInternalDeleteOneOptions))
		if gone = err == nil && result.DeletedCount > 0; gone || err != nil {
			return err
		}
		rows, err := c.findChanges(ctx, pin, id, 1, 1)
		gone = len(rows) == 0
		return err
	})
	return gone, err
}

// changesBatch is the most changes that are read at a time.
const changesBatch = 1000

// AccessChanges implements auth.AccessStore.
func (c *Store) AccessChanges(ctx context.Context, since int64) (users []domain.UserID, last int64, err error) {
	err = c.runAccess(ctx, func(ctx context.Context, pin bson.D) (err error) {
		users = nil
		if last, err = c.lastChange(ctx, pin); err != nil || last < since {
			return err
		}
		rows, err := c.findChanges(ctx, pin, bson.D{{Key: "changed", Value: bson.D{{Key: "$gte", Value: max(since, 1)}}}}, 1, changesBatch)
		for _, r := range rows {
			if last = r.Changed; r.User != "" {
				users = append(users, domain.UserID(r.User))
			}
		}
		return err
	})
	return users, last, conn.Translate(ctx, "read changes of access", err)
}

// atEpoch returns a filter of a user who is enabled and has an epoch.
func atEpoch(user domain.UserID, epoch int64) bson.D {
	absent := bson.D{{Key: "$exists", Value: false}}
	filter := bson.D{{Key: "_id", Value: string(user)}, {Key: "disabled", Value: absent}}
	if epoch == 0 {
		return append(filter, bson.E{Key: "epoch", Value: absent})
	}
	return append(filter, bson.E{Key: "epoch", Value: epoch})
}

// AddSession implements auth.AccessStore. Only an addition that removes another
// session is a numbered change.
func (c *Store) AddSession(ctx context.Context, user domain.UserID, s auth.Session) error {
	const op = "add a session"
	added, err := c.addToFew(ctx, user, s)
	if err != nil || added {
		return conn.Translate(ctx, op, err)
	}
	push := bson.D{{Key: "sessions", Value: bson.D{{Key: "$each", Value: bson.A{newSessionRow(s)}}, {Key: "$slice", Value: -auth.MaxSessions}}}}
	matched, err := c.change(ctx, atEpoch(user, s.Epoch), bson.M{"$push": push}, false)
	if err == nil && !matched {
		return auth.ErrEpochMoved
	}
	return conn.Translate(ctx, op, err)
}

// addToFew adds a session if the user has fewer than auth.MaxSessions. A user without
// a document is at epoch 0 and gets one.
func (c *Store) addToFew(ctx context.Context, user domain.UserID, s auth.Session) (added bool, err error) {
	last := fmt.Sprint("sessions.", auth.MaxSessions-1)
	few := append(atEpoch(user, s.Epoch), bson.E{Key: last, Value: bson.D{{Key: "$exists", Value: false}}})
	push := bson.D{{Key: "$push", Value: bson.D{{Key: "sessions", Value: newSessionRow(s)}}}}
	err = c.run(ctx, func(ctx context.Context, pin bson.D) error {
		result, err := c.users.UpdateOne(ctx, few, push, pinned(options.UpdateOne().SetUpsert(s.Epoch == 0), pin, xoptions.SetInternalUpdateOneOptions))
		if conn.HasCode(err, conn.CodeDuplicateKey) {
			return nil // there is a document, which the filter does not match
		}
		added = err == nil && result.MatchedCount+result.UpsertedCount > 0
		return err
	})
	return added, err
}

// SeeSession implements auth.AccessStore.
func (c *Store) SeeSession(ctx context.Context, user domain.UserID, id auth.SessionID, at time.Time, by auth.Client) error {
	filter := bson.D{{Key: "_id", Value: string(user)}, {Key: "sessions.id", Value: id.String()}}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "sessions.$.seen", Value: at}, {Key: "sessions.$.address", Value: by.Address}, {Key: "sessions.$.agent", Value: by.Agent}}}}
	return conn.Translate(ctx, "see a session", c.runAccess(ctx, func(ctx context.Context, pin bson.D) error {
		_, err := c.users.UpdateOne(ctx, filter, set, pinned(options.UpdateOne(), pin, xoptions.SetInternalUpdateOneOptions))
		return err
	}))
}

// EndSession implements auth.AccessStore.
func (c *Store) EndSession(ctx context.Context, user domain.UserID, id auth.SessionID) error {
	filter := bson.D{{Key: "_id", Value: string(user)}, {Key: "sessions.id", Value: id.String()}}
	_, err := c.change(ctx, filter, bson.M{"$pull": bson.D{{Key: "sessions", Value: bson.D{{Key: "id", Value: id.String()}}}}}, false)
	return conn.Translate(ctx, "end a session", err)
}

// nextEpoch returns an update that removes all sessions but one, and increments the
// epoch.
func nextEpoch(keep auth.SessionID) bson.M {
	others := bson.D{{Key: "id", Value: bson.D{{Key: "$ne", Value: keep.String()}}}}
	return bson.M{"$pull": bson.D{{Key: "sessions", Value: others}}, "$inc": bson.D{{Key: "epoch", Value: int64(1)}}}
}

// EndSessions implements auth.AccessStore.
func (c *Store) EndSessions(ctx context.Context, user domain.UserID, keep auth.SessionID) error {
	_, err := c.change(ctx, bson.D{{Key: "_id", Value: string(user)}}, nextEpoch(keep), true)
	return conn.Translate(ctx, "end the sessions", err)
}

// ReplaceCredential implements auth.AccessStore.
func (c *Store) ReplaceCredential(ctx context.Context, was auth.Credential, hash string) error {
	update := nextEpoch(auth.SessionID{})
	update["$set"] = bson.D{{Key: "hash", Value: hash}}
	matched, err := c.change(ctx, append(atEpoch(was.User, was.Access.Epoch), bson.E{Key: "hash", Value: was.Hash}), update, false)
	if err != nil || matched {
		return conn.Translate(ctx, "replace a credential", err)
	}
	if _, err := c.Credential(ctx, was.User); err != nil {
		return err
	}
	return auth.ErrEpochMoved
}

// SetDisabled implements auth.AccessStore.
func (c *Store) SetDisabled(ctx context.Context, user domain.UserID, disabled bool) error {
	update := bson.M{"$unset": bson.D{{Key: "disabled", Value: 1}}}
	if disabled {
		update = nextEpoch(auth.SessionID{})
		update["$set"] = bson.D{{Key: "disabled", Value: true}}
	}
	_, err := c.change(ctx, bson.D{{Key: "_id", Value: string(user)}}, update, true)
	return conn.Translate(ctx, "disable or enable a user", err)
}

// RemoveExpired implements auth.AccessStore.
func (c *Store) RemoveExpired(ctx context.Context, before time.Time) error {
	expired := bson.D{{Key: "expires", Value: bson.D{{Key: "$lt", Value: before}}}}
	return conn.Translate(ctx, "remove expired sessions", c.runAccess(ctx, func(ctx context.Context, pin bson.D) error {
		_, err := c.users.UpdateMany(ctx, bson.D{{Key: "sessions.expires", Value: expired[0].Value}}, bson.D{{Key: "$pull", Value: bson.D{{Key: "sessions", Value: expired}}}},
			pinned(options.UpdateMany(), pin, xoptions.SetInternalUpdateManyOptions))
		return err
	}))
}
