package views

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
	"chirp/internal/storage/mongodb/format"
)

const (
	// keysPerFind is the most keys that one find looks up.
	keysPerFind = 1000
	// rowsPerBatch is how many rows the server may return at a time: nearly always all,
	// also those of 1,000 sources. Its own limit is 101, and then as many as fit 16 MB.
	rowsPerBatch = 5000
)

// snapshot is a driver session with snapshot reads, which see the state at which an
// opening found the generation. A session serves one call at
// a time, hence the mutex.
type snapshot struct {
	v      *Store
	gen    readmodel.Generation
	c      collections
	opened time.Time

	mu      sync.Mutex
	session *mongo.Session // nil when closed
}

// Generation implements readmodel.Snapshot.
func (s *snapshot) Generation() readmodel.Generation { return s.gen }

// Close implements readmodel.Snapshot.
func (s *snapshot) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != nil {
		s.session.EndSession(context.Background())
		s.session = nil
	}
}

// find decodes the rows that a query returns within the snapshot.
func find[R any, D decoder[R]](ctx context.Context, s *snapshot, c *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder) ([]R, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return nil, errSnapshotClosed
	}
	leave, err := s.v.conn.Gate().Enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.Name(), err)
	}
	defer leave()
	call, cancel := context.WithTimeout(mongo.NewSessionContext(ctx, s.session), conn.AnswerTimeout)
	defer cancel()
	if time.Since(s.opened) > snapshotLife {
		return nil, errSnapshotOld
	}
	rows, err := findRows[R, D](call, c, filter, o)
	if err != nil || len(rows) == 0 {
		if dropped := s.checkDropped(ctx); dropped != nil {
			return nil, dropped
		}
	}
	return rows, translate(ctx, "read "+c.Name(), err)
}

// findRows decodes the rows that a query returns.
func findRows[R any, D decoder[R]](ctx context.Context, c *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder) ([]R, error) {
	cursor, err := c.Find(ctx, filter, o.SetBatchSize(rowsPerBatch))
	if err != nil {
		return nil, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	var rows []R
	for cursor.Next(ctx) {
		row, err := decode[R, D](cursor.Current)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, cursor.Err()
}

// Totals implements readmodel.Snapshot.
func (s *snapshot) Totals(ctx context.Context) (readmodel.Totals, error) {
	one := bson.D{{Key: "$literal", Value: int64(1)}}
	var t readmodel.Totals
	for _, part := range []struct {
		into *int64
		of   *mongo.Collection
		each any // how many rows a document stands for
	}{
		{&t.Profiles, s.c.profiles, one}, {&t.Chirps, s.c.chirps, one}, {&t.Follows, s.c.follows, one},
		{&t.Entries, s.c.timelines, bson.D{{Key: "$size", Value: "$o"}}},
		{&t.Skipped, s.c.follows, "$skipped"}, // $sum ignores those that have none
	} {
		n, err := s.count(ctx, part.of, part.each)
		if err != nil {
			return readmodel.Totals{}, err
		}
		*part.into = n
	}
	return t, s.checkDropped(ctx)
}

// count adds up how many rows the documents of a collection stand for.
func (s *snapshot) count(ctx context.Context, c *mongo.Collection, each any) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return 0, errSnapshotClosed
	}
	leave, err := s.v.conn.Gate().Enter(ctx)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", c.Name(), err)
	}
	defer leave()
	call, cancel := context.WithDeadline(mongo.NewSessionContext(ctx, s.session), s.opened.Add(snapshotLife))
	defer cancel()
	cursor, err := c.Aggregate(call, mongo.Pipeline{{{Key: "$group", Value: bson.D{
		{Key: "_id", Value: nil}, {Key: "n", Value: bson.D{{Key: "$sum", Value: each}}},
	}}}})
	var found []struct {
		N int64 `bson:"n"`
	}
	if err == nil {
		err = cursor.All(call, &found)
	}
	if err != nil || len(found) == 0 {
		return 0, translate(ctx, "count "+c.Name(), err)
	}
	return found[0].N, nil
}

const (
	// snapshotLife is how long a snapshot can be used: its generation is not
	// dropped earlier, and the server keeps the data of that time for longer.
	snapshotLife = time.Minute
	// dropDelay is the age up to which a snapshot's generation is certainly there,
	// because no generation is dropped as soon as it is retired.
	dropDelay = time.Second
)

// checkDropped returns an error if the generation was dropped. Without it, missing
// rows could not be told from a missing collection, because a read of a dropped
// collection finds nothing and returns no error. A generation's document is marked
// before its collections are dropped.
func (s *snapshot) checkDropped(ctx context.Context) error {
	if time.Since(s.opened) < dropDelay {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, conn.AnswerTimeout)
	defer cancel()
	filter := bson.D{{Key: "_id", Value: int64(s.gen.Number)}, {Key: "dropping", Value: nil}}
	err := s.v.views.FindOne(call, filter).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return errSnapshotOld
	}
	return translate(ctx, "read "+format.ViewsCollection, err)
}

// findOne decodes the only row that a query can return. If there is none it
// returns readmodel.ErrNotFound.
func findOne[R any, D decoder[R]](ctx context.Context, s *snapshot, c *mongo.Collection, field string, value any) (R, error) {
	rows, err := find[R, D](ctx, s, c, bson.D{{Key: field, Value: value}}, options.Find().SetLimit(1))
	if err != nil || len(rows) == 0 {
		var none R
		return none, cmp.Or(err, readmodel.ErrNotFound)
	}
	return rows[0], nil
}

// findKeys decodes the rows whose field has one of the values.
func findKeys[R any, K comparable, D decoder[R]](ctx context.Context, s *snapshot, c *mongo.Collection, field string, keys []K, o *options.FindOptionsBuilder) ([]R, error) {
	if len(keys) > keysPerFind {
		keys = distinct(keys) // two finds with one key would return its row twice
	}
	var rows []R
	for some := range slices.Chunk(keys, keysPerFind) {
		more, err := find[R, D](ctx, s, c, bson.D{{Key: field, Value: in(some)}}, o)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// distinct returns the keys without repetitions.
func distinct[K comparable](keys []K) []K {
	seen := make(map[K]bool, len(keys))
	return slices.DeleteFunc(slices.Clone(keys), func(k K) bool {
		was := seen[k]
		seen[k] = true
		return was
	})
}

// in returns the condition that a field has one of the keys.
func in[K any](keys []K) bson.D { return bson.D{{Key: "$in", Value: keys}} }

// convert maps rows to values, unless there was an error.
func convert[R, T any](rows []R, err error, to func(R) T) ([]T, error) {
	if err != nil {
		return nil, err
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = to(r)
	}
	return out, nil
}

// ProfileByID implements readmodel.Snapshot.
func (s *snapshot) ProfileByID(ctx context.Context, id domain.UserID) (readmodel.Profile, error) {
	row, err := findOne[profileRow](ctx, s, s.c.profiles, "id", string(id))
	if err != nil {
		return readmodel.Profile{}, fmt.Errorf("profile of %s: %w", id, err)
	}
	return row.profile(), nil
}

// ProfileByName implements readmodel.Snapshot.
func (s *snapshot) ProfileByName(ctx context.Context, name domain.Username) (readmodel.Profile, error) {
	row, err := findOne[profileRow](ctx, s, s.c.profiles, "folded", name.Folded())
	if err != nil {
		return readmodel.Profile{}, fmt.Errorf("profile of %q: %w", name, err)
	}
	return row.profile(), nil
}

// Profiles implements readmodel.Snapshot.
func (s *snapshot) Profiles(ctx context.Context, keys []readmodel.UserKey) ([]readmodel.Profile, error) {
	rows, err := findKeys[profileRow](ctx, s, s.c.profiles, "_id", keys, options.Find())
	return convert(rows, err, profileRow.profile)
}

// ChirpByID implements readmodel.Snapshot.
func (s *snapshot) ChirpByID(ctx context.Context, id domain.ChirpID) (readmodel.Chirp, error) {
	row, err := findOne[chirpRow](ctx, s, s.c.chirps, "id", string(id))
	if err != nil {
		return readmodel.Chirp{}, fmt.Errorf("chirp %s: %w", id, err)
	}
	return row.chirp(), nil
}

// Chirps implements readmodel.Snapshot.
func (s *snapshot) Chirps(ctx context.Context, at []domain.Position) ([]readmodel.Chirp, error) {
	rows, err := findKeys[chirpRow](ctx, s, s.c.chirps, "_id", at, options.Find())
	return convert(rows, err, chirpRow.chirp)
}

// Follows implements readmodel.Snapshot.
func (s *snapshot) Follows(ctx context.Context, follower readmodel.UserKey, followees []readmodel.UserKey) ([]readmodel.Follow, error) {
	pairs := make([]pair, len(followees))
	for i, followee := range followees {
		pairs[i] = pair{Follower: int64(follower), Followee: int64(followee)}
	}
	rows, err := findKeys[followRow](ctx, s, s.c.follows, "_id", pairs, options.Find())
	return convert(rows, err, followRow.follow)
}

// FolloweeIDs implements readmodel.Snapshot.
func (s *snapshot) FolloweeIDs(ctx context.Context, follower readmodel.UserKey) ([]domain.UserID, error) {
	filter := bson.D{{Key: "r", Value: follower}}
	follows, err := find[followRow](ctx, s, s.c.follows, filter, options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "e", Value: 1}}).SetHint(followingIndex))
	if err != nil {
		return nil, err
	}
	keys := make([]int64, len(follows))
	for i, f := range follows {
		keys[i] = f.Followee
	}
	ids := options.Find().SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "id", Value: 1}})
	rows, err := findKeys[profileRow](ctx, s, s.c.profiles, "_id", keys, ids)
	return convert(rows, err, func(r profileRow) domain.UserID { return domain.UserID(r.ID) })
}
