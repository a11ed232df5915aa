// Package readmodel is the contract of the views that queries read and the
// projector writes: profiles, chirps, follows and timelines, with a checkpoint,
// which is the position of the log up to which they are complete. The comments here
// specify what a store must do; package readmodeltest checks it.
//
// # Keys
//
// Rows refer to users and chirps by position: a user's key is the position of
// its UserRegistered event, a chirp's the position of its ChirpPosted event, a
// follow's that of its UserFollowed event. Keys are small, in the order of the
// events, never reused, and the same after every rebuild.
//
// # Delivery
//
// How a chirp is delivered is decided when it is posted and never changes. A pulled
// chirp, whose author was a celebrity when it was posted, is in no timeline and is
// merged in when a feed is read. A pushed chirp has an entry in the timeline of each
// follower of its author, unless it is one of those that the follow skipped: a follow
// splits its followee's pushed chirps at a position, and adds to the follower's
// timeline only those after it, so that its cost does not grow with how much the
// followee has posted. Those at or before that position are merged in as pulled chirps
// are. A user's feed at the checkpoint is the user's timeline and the chirps of the
// user's sources; no chirp is in both.
package readmodel

import (
	"context"
	"errors"
	"time"

	"chirp/internal/domain"
)

// UserKey is the position of a user's UserRegistered event. No user has the key 0.
type UserKey int64

// Profile is a user as the views show it.
type Profile struct {
	Key      UserKey
	ID       domain.UserID
	Username domain.Username
	JoinedAt time.Time // UTC
	// Followers, Following and Chirps are counts at the checkpoint.
	Followers int64
	Following int64
	Chirps    int64
	// Pushed is the number of the user's pushed chirps.
	Pushed int64
	// Split is that of the follows of the user that are made now, and NextSplit
	// the one that will replace it. A follow backfills the pushed chirps after
	// Split.Older, and there are Pushed - Split.Skipped of them.
	Split     Split
	NextSplit Split
	// Celebrity is set while the user's new chirps are pulled, not pushed.
	Celebrity bool
	// PullSource is set with the user's first pulled chirp and never cleared.
	PullSource bool
}

// User is what is constant of a Profile, at every checkpoint.
type User struct {
	Key      UserKey
	ID       domain.UserID
	Username domain.Username
	JoinedAt time.Time // UTC
}

// User returns what is constant of the profile.
func (p Profile) User() User {
	return User{Key: p.Key, ID: p.ID, Username: p.Username, JoinedAt: p.JoinedAt}
}

// Split divides a user's pushed chirps into older ones, which a follow skips, and the
// others, which are in the follower's timeline.
type Split struct {
	// Older is the position of the last older chirp, 0 if there is none.
	Older domain.Position
	// Skipped is the number of older chirps.
	Skipped int64
}

// Delivery is how a chirp reaches the feeds of its author's followers.
type Delivery int

// The two deliveries.
const (
	Push Delivery = iota // written into each follower's timeline
	Pull                 // merged in when a feed is read
)

// Chirp is a chirp as the views show it.
type Chirp struct {
	Position domain.Position
	ID       domain.ChirpID
	Author   UserKey
	Content  domain.Content
	PostedAt time.Time // UTC
	Delivery Delivery
}

// Follow is the fact that one user follows another.
type Follow struct {
	Follower UserKey
	Followee UserKey
	// Since is the position of the UserFollowed event.
	Since domain.Position
	// Pull is set while the followee is a pull source.
	Pull bool
	// Split is fixed when the follow is made: the followee's pushed chirps up to
	// Older are not in the follower's timeline, and all later ones are.
	Split
}

// Pair names the follow of one user by another.
type Pair struct {
	Follower UserKey
	Followee UserKey
}

// Source is a part of the chirps of one author that is merged into a feed when the
// feed is read: the pulled ones, or the older ones of the pushed.
type Source struct {
	Author   UserKey
	Delivery Delivery
	// Through is the position of the last chirp of the part; 0 is no bound.
	Through domain.Position
}

// Checkpoint is the point of the log up to which a generation of the views shows
// its events.
type Checkpoint struct {
	// Position is that of the last event that the views show in full.
	Position domain.Position
	// Partial is for an event that is too large for one batch: the end of the part
	// that was applied of the range that the event at Position+1 affects. 0 means
	// that no part of it was applied.
	Partial domain.Position
	// Event is the hash of the event at Position. It distinguishes views that were
	// made from another history of the log. It is 0 at position 0, and in views
	// from before it was stored.
	Event domain.EventHash
}

// Generation describes one generation of the views. Its Epoch and Threshold
// are fixed when it is created.
type Generation struct {
	Number int
	// Epoch is the epoch of the log that the views were made from.
	Epoch string
	// Threshold is the number of followers at which a user becomes a celebrity.
	Threshold  int64
	Checkpoint Checkpoint
}

// Errors of the contract. Every error that comes from the store's environment (the
// network, the disk, permissions, limits of the system, error codes that the store
// does not know) is a *domain.Error of kind Unavailable.
var (
	// ErrFenced means that the checkpoint is not where the batch begins, because
	// another projector has written. Nothing of the batch was applied.
	ErrFenced = errors.New("another projector has moved the checkpoint")
	// ErrDoesNotFit means that a change of a batch does not fit the views: a row
	// that must be new exists, a row to be removed does not, a value violates a
	// constraint, or a row or the transaction is larger than the store accepts.
	// The same batch will not fit later either. Nothing of it was applied.
	ErrDoesNotFit = errors.New("the change does not fit the views")
	// ErrUnfit means that the serving generation cannot continue: it was not made
	// from this log and its history, or a part of it is missing. Serving creates
	// another one.
	ErrUnfit = errors.New("the serving views cannot go on")
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not in the read model")
	// ErrNoViews means that there are no views yet: Serving was never called, for
	// example after an import without a server. It is of kind Unavailable.
	ErrNoViews error = &domain.Error{Kind: domain.Unavailable, Msg: "the read model is being set up; try again in a moment"}
)

// Store stores the views, one generation of which serves. Another generation may be
// built beside it, where readers cannot see it, and atomically replaces it when it is
// complete. The old one is dropped when nothing can be reading it any more.
type Store interface {
	// Snapshot opens the serving generation as it is at one moment. All reads of
	// the snapshot see that moment. The caller must close it soon, because a store
	// may end it after a minute, and may use it from many goroutines. Before the
	// first Serving, Snapshot returns ErrNoViews.
	Snapshot(ctx context.Context) (Snapshot, error)

	// Await waits until the serving generation's checkpoint is beyond a
	// position, or ctx ends, and returns the checkpoint's position. It learns of
	// checkpoints that other processes moved. A Snapshot opened afterwards is
	// at least there, unless another generation began to serve. Before the
	// first Serving it waits. If the checkpoint cannot be read, it returns that
	// error and waits no longer.
	Await(ctx context.Context, beyond domain.Position) (domain.Position, error)

	// Serving opens the serving generation for a projector. The first call on an
	// empty store creates generation 1 with the epoch and threshold. Otherwise they
	// have no effect: the stored ones are in Generation, and comparing them is the
	// caller's job. If the serving generation is unfit (ErrUnfit), Serving replaces
	// it with an empty one, with a number that none had before. A store in which
	// nothing can make a generation unfit while it is open may do that only when it
	// is opened.
	Serving(ctx context.Context, epoch string, threshold int64) (Writer, error)

	// Lease requests or renews the lease, which is the right to project, and
	// reports whether the holder has it until ttl from now, by the store's own
	// clock. A lease that ends seconds further ahead than it was granted for is
	// void, because that clock was ahead when it was written. In a store that only
	// one process can open, Lease always returns true.
	Lease(ctx context.Context, holder string, ttl time.Duration) (bool, error)

	// Release ends the lease immediately, if the holder has it.
	Release(ctx context.Context, holder string) error

	// Build opens the generation that is being built. It resumes an unfinished one
	// that has this epoch and threshold, and discards any other; if there is none,
	// Build creates one, with a higher number than any before it. Two processes
	// that build at the same time fence each other, as projectors do. While no
	// generation serves there is none to replace, and Build returns an error of
	// kind Unavailable.
	Build(ctx context.Context, epoch string, threshold int64) (Builder, error)

	// Unfinished describes the generation that Build would resume or discard. It
	// returns ErrNotFound if there is none.
	Unfinished(ctx context.Context) (Generation, error)

	// DropRetired removes the generations that stopped serving at least age
	// ago, by the store's own clock, and returns their numbers in ascending
	// order. It never removes the one that serves or the one that is being built.
	DropRetired(ctx context.Context, age time.Duration) ([]int, error)
}

// LeaseHolder is implemented by a Store that several processes can share. It tells
// who holds the lease.
type LeaseHolder interface {
	// LeaseHolder returns who held the lease when Lease was last called on this
	// Store, and until when by the store's own clock. The holder is empty before
	// the first call.
	LeaseHolder() (holder string, until time.Time)
}

// Snapshot reads one generation at one moment. Methods that return one row return
// ErrNotFound if there is none. Methods that return many leave out those that do not
// exist. Lists of chirps are returned as positions, because a chirp never changes: a
// caller that has seen a chirp of the generation need not read it again.
type Snapshot interface {
	// Generation describes the generation and its checkpoint.
	Generation() Generation

	ProfileByID(ctx context.Context, id domain.UserID) (Profile, error)
	// ProfileByName ignores case.
	ProfileByName(ctx context.Context, name domain.Username) (Profile, error)
	// Profiles returns the profiles with the keys, in any order.
	Profiles(ctx context.Context, keys []UserKey) ([]Profile, error)

	ChirpByID(ctx context.Context, id domain.ChirpID) (Chirp, error)
	// Chirps returns the chirps at the positions, in any order.
	Chirps(ctx context.Context, at []domain.Position) ([]Chirp, error)
	// ChirpsBy returns the positions of the author's chirps in the window, pushed
	// and pulled.
	ChirpsBy(ctx context.Context, author UserKey, w Window) ([]domain.Position, error)

	// RecentChirps returns the positions of the chirps of all users in the window,
	// pushed and pulled, and RecentProfiles the profiles of all users, ordered by
	// Key. Their cost is bounded by the limit.
	RecentChirps(ctx context.Context, w Window) ([]domain.Position, error)
	RecentProfiles(ctx context.Context, w Window) ([]Profile, error)

	// Timeline returns the positions of the pushed chirps in a user's timeline, in
	// the window. A chirp whose row comes in a later batch may be among them.
	Timeline(ctx context.Context, owner UserKey, w Window) ([]domain.Position, error)
	// Sources returns the sources of a user's feed that can have chirps after a
	// position, in any order: the pulled chirps of each followee that is a pull
	// source, without a bound, and the pushed chirps of each followee through
	// the Older of its follow, if that is after the position. Its cost is bounded
	// by the number of rows that it returns.
	Sources(ctx context.Context, owner UserKey, after domain.Position) ([]Source, error)
	// SourceChirps returns the positions of the chirps of all of the sources, in
	// the window. Its cost for each source is bounded by the limit, no matter how
	// much the author has posted. The sources of one author and delivery are equal:
	// a source may be given several times.
	SourceChirps(ctx context.Context, sources []Source, w Window) ([]domain.Position, error)

	// Followers returns the follows of a followee in the window, ordered by Since,
	// and Following those of a follower.
	Followers(ctx context.Context, followee UserKey, w Window) ([]Follow, error)
	Following(ctx context.Context, follower UserKey, w Window) ([]Follow, error)
	// Follows returns those follows of one follower whose followee is among some.
	Follows(ctx context.Context, follower UserKey, followees []UserKey) ([]Follow, error)
	// FolloweeIDs returns the ids of all users whom a user follows, in any order.
	FolloweeIDs(ctx context.Context, follower UserKey) ([]domain.UserID, error)

	// Totals counts all rows, including those that no other method returns. It
	// reads all of them, and may take as long as a snapshot lasts.
	Totals(ctx context.Context) (Totals, error)

	// Close ends the snapshot.
	Close()
}

// Totals are numbers of rows. Entries is the number of entries in all timelines, and
// Skipped the sum of the Skipped of all follows.
type Totals struct {
	Profiles, Chirps, Follows, Entries, Skipped int64
}

// Window selects rows from a list that is ordered by position.
type Window struct {
	// After and Before bound the positions, and both are exclusive. A Before of 0
	// is no bound.
	After  domain.Position
	Before domain.Position
	// Limit is the maximum number of rows, at least 1.
	Limit int
	// Ascending selects and returns the oldest rows first; the default is the
	// newest first.
	Ascending bool
}

// Writer is one generation of the views, open for a projector. Its reads see what
// was last applied.
type Writer interface {
	// Generation describes the generation, with its current checkpoint.
	Generation(ctx context.Context) (Generation, error)

	// ProfilesByID returns the profiles of users, in any order, without those that
	// do not exist.
	ProfilesByID(ctx context.Context, ids []domain.UserID) ([]Profile, error)

	// Follows returns the follows of pairs, in any order, without those that do
	// not exist.
	Follows(ctx context.Context, pairs []Pair) ([]Follow, error)

	// FollowersThrough returns the Since of the limit-th follow of a followee after
	// a position, in ascending order, or of the last one if there are fewer. It
	// returns 0 if there is none.
	FollowersThrough(ctx context.Context, followee UserKey, after domain.Position, limit int) (domain.Position, error)
	// PushedThrough does the same for the positions of an author's pushed chirps.
	PushedThrough(ctx context.Context, author UserKey, after domain.Position, limit int) (domain.Position, error)

	// Apply makes a batch's changes and moves the checkpoint from From to To, in
	// one transaction. Three other things might happen, and none changes anything:
	//
	//  1. The checkpoint is not at From: ErrFenced.
	//  2. A change does not fit: ErrDoesNotFit. For example, a follow exists
	//     already, a follow to be removed does not exist, or the store cannot store
	//     a chirp. A projector halts because of this error and of no other, so a
	//     store must not return it for a failure that the same batch could survive
	//     later.
	//  3. A Builder holds the serving generation: ErrHeld.
	//
	// After any other error the batch may have been applied or not.
	Apply(ctx context.Context, b Batch) error
}

// Batch is a set of changes to the views. A store may make them in any order that
// has the same effect as the order of the fields.
type Batch struct {
	From Checkpoint
	To   Checkpoint
	// Profiles are whole rows that are inserted, or replace those with the same
	// key.
	Profiles []Profile
	// Chirps are new rows.
	Chirps []Chirp
	// Unfollows are rows to remove; only Follower and Followee are significant.
	Unfollows []Follow
	// Cleanups remove an author's pushed chirps from one timeline.
	Cleanups []Delivered
	// Follows are new rows.
	Follows []Follow
	// Marks set Pull on the follows of a followee whose Since is in the range.
	Marks []Mark
	// Backfills add an author's pushed chirps to one timeline.
	Backfills []Delivered
	// FanOuts add one chirp to the timelines of those followers of the author
	// whose Since is in the range. The chirp's own row may come in a later batch.
	// A projector never adds a chirp to a timeline that has it, neither by a
	// backfill nor by a fan-out, and a store need not detect that.
	FanOuts []FanOut
}

// Range is a range of positions. After is exclusive and Through inclusive.
type Range struct {
	After   domain.Position
	Through domain.Position
}

// Delivered describes the pushed chirps of Author in the timeline of Owner that have
// positions in the range.
type Delivered struct {
	Owner  UserKey
	Author UserKey
	Range
}

// Mark describes the follows of Followee whose Since is in the range.
type Mark struct {
	Followee UserKey
	Range
}

// FanOut is the delivery of one chirp to those followers of its author whose Since
// is in the range.
type FanOut struct {
	Chirp  domain.Position
	Author UserKey
	Range
}
