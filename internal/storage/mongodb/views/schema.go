package views

import (
	"context"
	"fmt"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
	"chirp/internal/storage/mongodb/conn"
)

// collections are the collections of one generation.
type collections struct {
	profiles  *mongo.Collection // profileRow
	chirps    *mongo.Collection // chirpRow
	follows   *mongo.Collection // followRow
	timelines *mongo.Collection // timelineRow
}

// collections returns a generation's collections, which need not be there.
func (v *Store) collections(generation int, o *options.CollectionOptionsBuilder) collections {
	named := func(kind string) *mongo.Collection {
		return v.conn.DB().Collection(fmt.Sprintf("%s_%d", kind, generation), o)
	}
	return collections{profiles: named("profiles"), chirps: named("chirps"), follows: named("follows"), timelines: named("timelines")}
}

// profileRow is a readmodel.Profile.
type profileRow struct {
	Key        int64     `bson:"_id"`
	ID         string    `bson:"id"`
	Username   string    `bson:"username"`
	Folded     string    `bson:"folded"`
	JoinedAt   time.Time `bson:"joined"`
	Followers  int64     `bson:"followers"`
	Following  int64     `bson:"following"`
	Chirps     int64     `bson:"chirps"`
	Pushed     int64     `bson:"pushed"`
	Split      split     `bson:"split"`
	NextSplit  split     `bson:"next"`
	Celebrity  bool      `bson:"celebrity"`
	PullSource bool      `bson:"pull"`
}

// split is a readmodel.Split.
type split struct {
	Older   int64 `bson:"older"`
	Skipped int64 `bson:"skipped"`
}

func newSplit(s readmodel.Split) split { return split{Older: int64(s.Older), Skipped: s.Skipped} }

func (s split) split() readmodel.Split {
	return readmodel.Split{Older: domain.Position(s.Older), Skipped: s.Skipped}
}

func newProfileRow(p readmodel.Profile) profileRow {
	return profileRow{
		Key: int64(p.Key), ID: string(p.ID), Username: string(p.Username), Folded: p.Username.Folded(), JoinedAt: p.JoinedAt,
		Followers: p.Followers, Following: p.Following, Chirps: p.Chirps, Pushed: p.Pushed,
		Split: newSplit(p.Split), NextSplit: newSplit(p.NextSplit), Celebrity: p.Celebrity, PullSource: p.PullSource,
	}
}

func (r profileRow) profile() readmodel.Profile {
	return readmodel.Profile{
		Key: readmodel.UserKey(r.Key), ID: domain.UserID(r.ID), Username: domain.Username(r.Username), JoinedAt: r.JoinedAt.UTC(),
		Followers: r.Followers, Following: r.Following, Chirps: r.Chirps, Pushed: r.Pushed,
		Split: r.Split.split(), NextSplit: r.NextSplit.split(), Celebrity: r.Celebrity, PullSource: r.PullSource,
	}
}

// chirpRow is a readmodel.Chirp. The index on (a, d, _id) returns an author's
// pushed chirps, the pulled ones, or both by merging two of its ranges.
type chirpRow struct {
	Position int64     `bson:"_id"`
	ID       string    `bson:"id"`
	Author   int64     `bson:"a"`
	Delivery int64     `bson:"d"` // readmodel.Delivery
	Content  string    `bson:"text"`
	PostedAt time.Time `bson:"posted"`
}

func newChirpRow(c readmodel.Chirp) chirpRow {
	return chirpRow{
		Position: int64(c.Position), ID: string(c.ID), Author: int64(c.Author), Delivery: int64(c.Delivery),
		Content: string(c.Content), PostedAt: c.PostedAt,
	}
}

func (r chirpRow) chirp() readmodel.Chirp {
	return readmodel.Chirp{
		Position: domain.Position(r.Position), ID: domain.ChirpID(r.ID), Author: readmodel.UserKey(r.Author), Delivery: readmodel.Delivery(r.Delivery),
		Content: domain.Content(r.Content), PostedAt: r.PostedAt.UTC(),
	}
}

func (r chirpRow) position() domain.Position { return domain.Position(r.Position) }

// pair is the key of a follow. The order of its fields matters: MongoDB compares
// documents field by field.
type pair struct {
	Follower int64 `bson:"r"`
	Followee int64 `bson:"e"`
}

// followRow is a readmodel.Follow. Its key makes it unique. The parts of the key
// are repeated as fields of their own, because an index on those is twice as fast
// as one on the parts of a key.
type followRow struct {
	Pair     pair  `bson:"_id"`
	Follower int64 `bson:"r"`
	Followee int64 `bson:"e"`
	Since    int64 `bson:"s"`
	Pull     bool  `bson:"pull,omitempty"`
	Older    int64 `bson:"older,omitempty"`
	Skipped  int64 `bson:"skipped,omitempty"`
	// Merged is the position of the last chirp of the followee that must be merged
	// into the follower's feed: Older, or unbounded while the followee is a pull
	// source. It is absent when nothing must be merged, so that a partial index has
	// only the follows that are sources of a feed.
	Merged int64 `bson:"merged,omitempty"`
}

// unbounded is the Merged of the follow of a pull source.
const unbounded = math.MaxInt64

func newFollowRow(f readmodel.Follow) followRow {
	key := pair{Follower: int64(f.Follower), Followee: int64(f.Followee)}
	row := followRow{
		Pair: key, Follower: key.Follower, Followee: key.Followee, Since: int64(f.Since),
		Pull: f.Pull, Older: int64(f.Older), Skipped: f.Skipped, Merged: int64(f.Older),
	}
	if f.Pull {
		row.Merged = unbounded
	}
	return row
}

// sources returns the sources of the follower's feed that the follow makes, of those
// that can have chirps after a position.
func (r followRow) sources(after domain.Position) []readmodel.Source {
	var sources []readmodel.Source
	author := readmodel.UserKey(r.Followee)
	if r.Pull {
		sources = append(sources, readmodel.Source{Author: author, Delivery: readmodel.Pull})
	}
	if older := domain.Position(r.Older); older > after {
		sources = append(sources, readmodel.Source{Author: author, Delivery: readmodel.Push, Through: older})
	}
	return sources
}

func (r followRow) follow() readmodel.Follow {
	return readmodel.Follow{
		Follower: readmodel.UserKey(r.Follower), Followee: readmodel.UserKey(r.Followee),
		Since: domain.Position(r.Since), Pull: r.Pull,
		Split: readmodel.Split{Older: domain.Position(r.Older), Skipped: r.Skipped},
	}
}

// timelineRow is a chirp in the timelines of a chunk of users. A fan-out inserts as
// few rows as the size of a chunk allows; a backfill inserts one for each chirp. No
// two rows have the same owner and chirp, and each has an owner.
type timelineRow struct {
	ID     bson.ObjectID `bson:"_id"`
	Chirp  int64         `bson:"p"`
	Owners []int64       `bson:"o"`
}

// The names of the indexes. Reads name the one that they use, so that none depends
// on the server's query planner.
const (
	keyIndex       = "_id_"      // which every collection has
	idIndex        = "id"        // profiles and chirps by id
	nameIndex      = "name"      // profiles by folded username
	authorIndex    = "author"    // chirps by author, delivery and position
	followersIndex = "followers" // follows by followee and since
	followingIndex = "following" // follows by follower and since
	sourcesIndex   = "sources"   // follows with something to merge, by follower and its end
	ownerIndex     = "owner"     // timelines by owner and chirp
)

// purpose is what a generation's indexes are needed for.
type purpose int

const (
	forReplay  purpose = iota // applying batches
	forReaders                // that, and queries
)

// indexed is a collection with the indexes that it needs for either purpose.
type indexed struct {
	*mongo.Collection
	replay, readers []index
}

// indexed returns the collections with their indexes.
func (c collections) indexed() []indexed {
	sources := newIndex(sourcesIndex, "r", "merged", "e", "pull", "older")
	sources.Options.SetPartialFilterExpression(bson.D{{Key: "merged", Value: bson.D{{Key: "$gt", Value: 0}}}})
	return []indexed{
		{c.profiles, []index{newIndex(idIndex, "id").unique()}, []index{newIndex(nameIndex, "folded")}},
		{c.chirps, []index{newIndex(authorIndex, "a", "d", "_id")}, []index{newIndex(idIndex, "id").unique()}},
		{c.follows, []index{newIndex(followersIndex, "e", "s", "r", "older")}, []index{newIndex(followingIndex, "r", "s", "e"), sources}},
		{c.timelines, nil, []index{newIndex(ownerIndex, "o", "p").inSmallPages()}},
	}
}

// create creates the collections and indexes that are missing. It builds the
// indexes of one collection in one scan, and those of all collections in parallel.
func (c collections) create(ctx context.Context, p purpose) error {
	var all errgroup.Group
	for _, of := range c.indexed() {
		var models []mongo.IndexModel
		for _, i := range of.replay {
			models = append(models, i.IndexModel)
		}
		for _, i := range of.readers {
			if p == forReaders {
				models = append(models, i.IndexModel)
			}
		}
		all.Go(func() error { return createIndexed(ctx, of.Collection, models) })
	}
	return all.Wait()
}

// createIndexed creates a collection and its indexes where they are missing.
func createIndexed(ctx context.Context, c *mongo.Collection, indexes []mongo.IndexModel) error {
	var err error
	if len(indexes) > 0 {
		_, err = c.Indexes().CreateMany(ctx, indexes)
	} else if err = c.Database().CreateCollection(ctx, c.Name()); conn.HasCode(err, conn.CodeNamespaceExists) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", c.Name(), asDoesNotFit(err))
	}
	return nil
}

// drop removes the collections that are there.
func (c collections) drop(ctx context.Context) error {
	for _, of := range []*mongo.Collection{c.timelines, c.follows, c.chirps, c.profiles} {
		if err := of.Drop(ctx); err != nil {
			return fmt.Errorf("drop %s: %w", of.Name(), err)
		}
	}
	return nil
}

// index is an index with its name.
type index struct {
	mongo.IndexModel
	name string
}

// newIndex returns an ascending index.
func newIndex(name string, fields ...string) index {
	keys := make(bson.D, len(fields))
	for i, f := range fields {
		keys[i] = bson.E{Key: f, Value: int32(1)}
	}
	return index{mongo.IndexModel{Keys: keys, Options: options.Index().SetName(name)}, name}
}

// unique makes the index a unique one.
func (i index) unique() index {
	i.Options.SetUnique(true)
	return i
}

// inSmallPages makes the pages of the index as small as WiredTiger allows. It suits an
// index to whose pages a write adds an entry here and there: MongoDB keeps a twentieth of
// its cache for changed pages, whole, and writes each one out and changes it again once
// they need more. The figures are in
// doc/decisions/2026-11-28_timelines-are-indexed-in-small-pages.md.
func (i index) inSmallPages() index {
	i.Options.SetStorageEngine(bson.D{{Key: "wiredTiger", Value: bson.D{{Key: "configString", Value: "leaf_page_max=4KB"}}}})
	return i
}
