package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"chirp/internal/domain"
	"chirp/internal/outage"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

const (
	// applyTimeout bounds an Apply with all its attempts. The server ends a
	// transaction after 60 s.
	applyTimeout = 60 * time.Second
	// applyAttempts is how many times Apply attempts a transaction that something
	// transient, such as an election, has ended.
	applyAttempts = 6
	// applyPause is the pause after the first attempt; each is twice the last.
	applyPause = 10 * time.Millisecond
	// abortTimeout bounds the abort of a transaction, which the server does by
	// itself in the end.
	abortTimeout = time.Second
)

// writer implements readmodel.Writer.
//
// It reads the newest data of the primary, not what a majority has. After an
// election, a majority read may be older than what was applied, and a batch computed
// from it would pass the fence. Newer data that is rolled back later does no harm,
// because the checkpoint is rolled back with it.
type writer struct {
	v      *Store
	number int
	c      collections
	views  *mongo.Collection
}

// writer returns the writer of a generation.
func (v *Store) writer(number int) *writer {
	local := options.Collection().SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Local())
	return &writer{v: v, number: number, c: v.collections(number, local), views: v.conn.DB().Collection(format.ViewsCollection, local)}
}

// Generation implements readmodel.Writer.
func (w *writer) Generation(ctx context.Context) (readmodel.Generation, error) {
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	row, err := w.row(call)
	if err != nil {
		return readmodel.Generation{}, translate(ctx, "read the checkpoint", err)
	}
	return row.generation(), nil
}

// row reads the generation's document.
func (w *writer) row(ctx context.Context) (generationRow, error) {
	var row generationRow
	err := w.views.FindOne(ctx, bson.D{{Key: "_id", Value: int64(w.number)}}).Decode(&row)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return row, fmt.Errorf("generation %d of the views is gone: %w", w.number, readmodel.ErrNotFound)
	}
	return row, err
}

// ProfilesByID implements readmodel.Writer.
func (w *writer) ProfilesByID(ctx context.Context, ids []domain.UserID) ([]readmodel.Profile, error) {
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	var profiles []readmodel.Profile
	for some := range slices.Chunk(distinct(ids), keysPerFind) {
		var rows []profileRow
		cursor, err := w.c.profiles.Find(call, bson.D{{Key: "id", Value: in(some)}})
		if err == nil {
			err = cursor.All(call, &rows)
		}
		if err != nil {
			return nil, translate(ctx, "read profiles by id", err)
		}
		for _, r := range rows {
			profiles = append(profiles, r.profile())
		}
	}
	return profiles, nil
}

// Follows implements readmodel.Writer.
func (w *writer) Follows(ctx context.Context, pairs []readmodel.Pair) ([]readmodel.Follow, error) {
	keys := make([]pair, len(pairs))
	for i, p := range pairs {
		keys[i] = pair{Follower: int64(p.Follower), Followee: int64(p.Followee)}
	}
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	var follows []readmodel.Follow
	for some := range slices.Chunk(distinct(keys), keysPerFind) {
		var rows []followRow
		cursor, err := w.c.follows.Find(call, bson.D{{Key: "_id", Value: in(some)}})
		if err == nil {
			err = cursor.All(call, &rows)
		}
		if err != nil {
			return nil, translate(ctx, "read follows", err)
		}
		for _, r := range rows {
			follows = append(follows, r.follow())
		}
	}
	return follows, nil
}

// FollowersThrough implements readmodel.Writer.
func (w *writer) FollowersThrough(ctx context.Context, followee readmodel.UserKey, after domain.Position, limit int) (domain.Position, error) {
	return through(ctx, w.c.follows, followersIndex, bson.D{{Key: "e", Value: followee}}, "s", after, limit)
}

// PushedThrough implements readmodel.Writer.
func (w *writer) PushedThrough(ctx context.Context, author readmodel.UserKey, after domain.Position, limit int) (domain.Position, error) {
	return through(ctx, w.c.chirps, authorIndex, bson.D{{Key: "a", Value: author}, {Key: "d", Value: readmodel.Push}}, "_id", after, limit)
}

// through returns the position, in the field at, of the limit-th document that
// matches after a position, or of the last one if there are fewer.
func through(ctx context.Context, c *mongo.Collection, index string, match bson.D, at string, after domain.Position, limit int) (domain.Position, error) {
	if limit < 1 {
		return 0, errNoLimit
	}
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	cursor, err := c.Aggregate(call, mongo.Pipeline{
		{{Key: "$match", Value: append(match, bson.E{Key: at, Value: bson.D{{Key: "$gt", Value: after}}})}},
		{{Key: "$sort", Value: bson.D{{Key: at, Value: 1}}}},
		{{Key: "$limit", Value: int64(limit)}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: nil}, {Key: "last", Value: bson.D{{Key: "$max", Value: "$" + at}}}}}},
	}, options.Aggregate().SetHint(index))
	var found []struct {
		Last int64 `bson:"last"`
	}
	if err == nil {
		err = cursor.All(call, &found)
	}
	if err != nil || len(found) == 0 {
		return 0, translate(ctx, "look ahead in "+c.Name(), err)
	}
	return domain.Position(found[0].Last), nil
}

// Apply implements readmodel.Writer. If an attempt was committed without an answer,
// the next one finds that the checkpoint has moved, and sees from the batch's name
// that it was this batch.
func (w *writer) Apply(ctx context.Context, b readmodel.Batch) error {
	call, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	op := fmt.Sprintf("apply a batch from %d to %d", b.From.Position, b.To.Position)
	a := &application{w: w, b: b, id: bson.NewObjectID()}
	for attempt := 1; ; attempt++ {
		err := a.attempt(call)
		if err == nil {
			w.v.progress.Advance(w.number, b.To.Position)
			return nil
		}
		if !conn.Transient(err) && !errors.Is(err, errAgain) || attempt == applyAttempts || call.Err() != nil {
			return translate(ctx, op, err)
		}
		outage.Pause(call, outage.Delay(applyPause, attempt))
	}
}

// attempt runs the batch's transaction once.
func (a *application) attempt(ctx context.Context) error {
	err := a.w.v.transact(ctx, a.run)
	if errors.Is(err, errApplied) {
		return a.confirm(ctx)
	}
	return err
}

// transact runs a transaction once: it commits what run did, or aborts it if run
// returns an error. Its reads see the newest data.
func (v *Store) transact(ctx context.Context, run func(ctx context.Context) error) error {
	session, err := v.conn.Client().StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	v.conn.Began(session)
	err = session.StartTransaction(options.Transaction().
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Local()).
		SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		return err
	}
	if err := run(mongo.NewSessionContext(ctx, session)); err != nil {
		abort, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		_ = session.AbortTransaction(abort) // otherwise the server does it in the end
		return err
	}
	// The driver repeats a commit whose answer was lost, because the transaction
	// may be open until then, and block all others. For the same reason a commit is
	// not given up when ctx ends.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), conn.AnswerTimeout)
	defer cancel()
	if err := session.CommitTransaction(call); err != nil {
		return err
	}
	v.conn.Committed(session)
	return nil
}

// confirm waits until a majority has what an earlier attempt committed. A write that
// changes nothing waits for that like any other.
func (a *application) confirm(ctx context.Context) error {
	mine := bson.D{{Key: "_id", Value: int64(a.w.number)}, {Key: "batch", Value: a.id}}
	_, err := a.w.v.views.UpdateOne(ctx, mine, bson.D{{Key: "$set", Value: bson.D{{Key: "batch", Value: a.id}}}})
	return err
}

// errApplied says that an earlier attempt was committed.
var errApplied = errors.New("the batch was applied before")
