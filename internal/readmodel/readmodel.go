// Package readmodel is the contract of the views that queries read and the
// projector writes: profiles, chirps, follows and timelines, with a checkpoint
// that says up to which position of the log they are complete. What must hold
// stands in the comments here; package readmodeltest checks it.
//
// # Keys
//
// Rows refer to users and chirps by position: a user's key is the position of
// its UserRegistered event, a chirp's the position of its ChirpPosted event, a
// follow's that of its UserFollowed event. Keys are small, ordered as things
// happened, never reused, and the same after every rebuild.
//
// # Delivery
//
// A chirp says for ever how it was delivered. A pushed chirp has an entry in
// the timeline of each follower of its author; a pulled one, whose author was a
// celebrity when it was posted, has none and is merged in when a feed is read.
// A user's feed at the checkpoint is its timeline and the pulled chirps of the
// users it follows, and nothing can be in both.
package readmodel

import (
	"context"
	"errors"
	"time"

	"chirp/internal/domain"
)

// UserKey is the position of a user's UserRegistered event. 0 is nobody's.
type UserKey int64

// Profile is what is known of a user.
type Profile struct {
	Key      UserKey
	ID       domain.UserID
	Username domain.Username
	JoinedAt time.Time // UTC
	// Followers, Following and Chirps count what there is at the checkpoint.
	Followers int64
	Following int64
	Chirps    int64
	// Pushed counts the chirps that were pushed: what a follow must backfill
	// and an unfollow clean up.
	Pushed int64
	// Celebrity is set while the user's chirps are pulled, not pushed.
	Celebrity bool
	// PullSource is set once and for ever with the user's first pulled chirp.
	PullSource bool
}

// Delivery is how a chirp reaches the feeds of its author's followers.
type Delivery int

// The two deliveries.
const (
	Push Delivery = iota // written into each follower's timeline
	Pull                 // merged in when a feed is read
)

// Chirp is a chirp.
type Chirp struct {
	Position domain.Position
	ID       domain.ChirpID
	Author   UserKey
	Content  domain.Content
	PostedAt time.Time // UTC
	Delivery Delivery
}

// Follow is one user's following another.
type Follow struct {
	Follower UserKey
	Followee UserKey
	// Since is the position of the UserFollowed event.
	Since domain.Position
	// Pull is set while the followee is a pull source.
	Pull bool
}

// Checkpoint is how far a generation of the views has come.
type Checkpoint struct {
	// Position is that of the last event that the views show in full.
	Position domain.Position
	// Partial is for an event larger than a batch: how far the range that the
	// event at Position+1 is about has been worked through. 0 means that
	// nothing of it was applied.
	Partial domain.Position
	// Event is the hash of the event at Position, by which views of another
	// history of the log are told from those of this one. It is 0 at position
	// 0, and in views from before it was kept.
	Event domain.EventHash
}

// Generation describes one generation of the views. Its Epoch and Threshold
// are fixed when it is created.
type Generation struct {
	Number int
	// Epoch is that of the log that the views were made from.
	Epoch string
	// Threshold is the number of followers from which a user is a celebrity.
	Threshold int64
	// Checkpoint is where the views stand.
	Checkpoint Checkpoint
}

// Errors of the contract. Whatever comes from the store's surroundings (the
// network, the disk, permissions, limits of the system, error codes that a
// store has never heard of) is a *domain.Error of kind Unavailable.
var (
	// ErrFenced says that the checkpoint was not where the batch began:
	// another projector has written. Nothing of the batch was applied.
	ErrFenced = errors.New("another projector has moved the checkpoint")
	// ErrDoesNotFit says that a batch's change does not fit the views: a row
	// that must be new is there, one to be removed is not, a value breaks a
	// constraint, or a row or the transaction is larger than the store takes.
	// The same batch will not fit later. Nothing of it was applied.
	ErrDoesNotFit = errors.New("the change does not fit the views")
	// ErrUnfit says that the serving generation cannot go on: it is not of this
	// log and its history, or a part of it is gone. Serving begins another one.
	ErrUnfit = errors.New("the serving views cannot go on")
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not in the read model")
	// ErrNoViews says that there are no views yet: nothing has called Serving,
	// as after an import without a server. It is of kind Unavailable.
	ErrNoViews error = &domain.Error{Kind: domain.Unavailable, Msg: "the read model is being set up; try again in a moment"}
)

// Store holds the views, one generation of which serves. Another one may be
// built beside it, out of the readers' sight. Once that one serves in its place,
// which happens atomically, the old one is dropped when nothing can be reading
// it any more.
type Store interface {
	// Snapshot opens the serving generation as it is at one moment. Whatever
	// is read through it belongs together. The caller closes it soon (a store
	// may give it up after a minute) and may use it from many goroutines.
	// Before the first Serving there is none, which is ErrNoViews.
	Snapshot(ctx context.Context) (Snapshot, error)

	// Await waits until the serving generation's checkpoint is beyond a
	// position, or ctx ends, and returns the checkpoint's position. It learns of
	// checkpoints that other processes moved. A Snapshot opened afterwards is
	// at least there, unless another generation began to serve. Before the
	// first Serving it waits. If the checkpoint cannot be read, it returns that
	// error and waits no longer.
	Await(ctx context.Context, beyond domain.Position) (domain.Position, error)

	// Serving opens the serving generation for a projector. The first call on
	// an empty store creates generation 1 for the epoch and threshold given;
	// otherwise they are only compared by the caller, who finds the stored ones
	// in Generation. A store whose serving generation is unfit (ErrUnfit) begins
	// another one in its place, under a number that none had before; it may
	// leave that to the next opening where nothing can make it so meanwhile.
	Serving(ctx context.Context, epoch string, threshold int64) (Writer, error)

	// Lease takes or renews the right to project for a while, as one holder:
	// true when the holder has it until ttl from now, by the store's own clock.
	// A lease that ends seconds further ahead than it was given for is void: that
	// clock was ahead when it was written. A store that only one process can
	// open always says true.
	Lease(ctx context.Context, holder string, ttl time.Duration) (bool, error)

	// Release gives the lease up at once, if the holder has it.
	Release(ctx context.Context, holder string) error

	// Build opens the generation that is being built. An unfinished one is
	// resumed if it has this epoch and threshold, and discarded otherwise; if
	// there is none, Build creates it, with a higher number than any before it.
	// Two processes that build at once fence each other like projectors. While
	// nothing serves there is nothing to replace, which is an error of kind
	// Unavailable.
	Build(ctx context.Context, epoch string, threshold int64) (Builder, error)

	// DropRetired removes the generations that stopped serving at least age
	// ago, by the store's own clock, and returns their numbers in ascending
	// order. It never removes the one that serves or the one being built.
	DropRetired(ctx context.Context, age time.Duration) ([]int, error)
}

// LeaseHolder is the part of a Store that several processes share which names
// who has the lease.
type LeaseHolder interface {
	// LeaseHolder returns who had the lease when Lease was last asked for it
	// here, and until when by the store's own clock. The holder is empty before
	// that.
	LeaseHolder() (holder string, until time.Time)
}

// Snapshot reads one generation at one moment. Reads of a single row give
// ErrNotFound when there is none; reads of many leave out those that are not
// there.
type Snapshot interface {
	// Generation describes the generation and its checkpoint.
	Generation() Generation

	ProfileByID(ctx context.Context, id domain.UserID) (Profile, error)
	// ProfileByName finds a profile without regard to case.
	ProfileByName(ctx context.Context, name domain.Username) (Profile, error)
	// Profiles gives the profiles of keys, in any order.
	Profiles(ctx context.Context, keys []UserKey) ([]Profile, error)

	ChirpByID(ctx context.Context, id domain.ChirpID) (Chirp, error)
	// ChirpsBy gives an author's own chirps, pushed and pulled, in the window.
	ChirpsBy(ctx context.Context, author UserKey, w Window) ([]Chirp, error)

	// RecentChirps gives everybody's chirps, pushed and pulled, in the window;
	// RecentProfiles everybody's profile, ordered by Key. Their cost is bounded
	// by the limit.
	RecentChirps(ctx context.Context, w Window) ([]Chirp, error)
	RecentProfiles(ctx context.Context, w Window) ([]Profile, error)

	// Timeline gives the pushed chirps in a user's timeline, in the window.
	Timeline(ctx context.Context, owner UserKey, w Window) ([]Chirp, error)
	// PullFollowees gives the pull sources that a user follows, in any order.
	PullFollowees(ctx context.Context, owner UserKey) ([]UserKey, error)
	// PullChirps gives the pulled chirps of any of the authors, in the window.
	// Its cost is bounded by the limit for each author, never by how much they
	// have posted.
	PullChirps(ctx context.Context, authors []UserKey, w Window) ([]Chirp, error)

	// Followers gives the follows of a followee, ordered by Since, in the
	// window; Following those of a follower.
	Followers(ctx context.Context, followee UserKey, w Window) ([]Follow, error)
	Following(ctx context.Context, follower UserKey, w Window) ([]Follow, error)
	// Follows gives the follows of one follower among some followees.
	Follows(ctx context.Context, follower UserKey, followees []UserKey) ([]Follow, error)
	// FolloweeIDs gives the ids of all that a user follows, in any order.
	FolloweeIDs(ctx context.Context, follower UserKey) ([]domain.UserID, error)

	// Totals counts all rows there are, also those that no other read gives. It
	// reads all of them, and may take as long as a snapshot lasts.
	Totals(ctx context.Context) (Totals, error)

	Close()
}

// Totals are numbers of rows; Entries are those of all timelines.
type Totals struct {
	Profiles, Chirps, Follows, Entries int64
}

// Window is a slice of rows that are ordered by position.
type Window struct {
	// After and Before bound the positions, both exclusive. Before 0 means no
	// bound.
	After  domain.Position
	Before domain.Position
	// Limit is the most rows wanted, at least 1.
	Limit int
	// Ascending gives the oldest rows first; the default is the newest first.
	Ascending bool
}

// Writer is one generation of the views in the hands of a projector. Its
// reads see what was last applied.
type Writer interface {
	// Generation describes the generation, with its checkpoint as it is now.
	Generation(ctx context.Context) (Generation, error)

	// ProfilesByID gives the profiles of users, in any order, leaving out
	// those that are not there.
	ProfilesByID(ctx context.Context, ids []domain.UserID) ([]Profile, error)

	// FollowersThrough gives the Since of the limit-th follow of a followee
	// after a position, in ascending order, or of the last one if there are
	// fewer. It is 0 if there is none.
	FollowersThrough(ctx context.Context, followee UserKey, after domain.Position, limit int) (domain.Position, error)
	// PushedThrough does the same with the positions of an author's pushed
	// chirps.
	PushedThrough(ctx context.Context, author UserKey, after domain.Position, limit int) (domain.Position, error)

	// Apply makes a batch's changes in one transaction together with moving
	// the checkpoint from From to To. It gives ErrFenced and changes nothing
	// when the checkpoint is not at From, and ErrDoesNotFit, which changes
	// nothing either, when a change does not fit: a follow that exists already,
	// one to remove that does not, a chirp that the store cannot hold. A
	// projector halts for that error alone, so a store never returns it for
	// anything that might pass without the batch being another one.
	Apply(ctx context.Context, b Batch) error
}

// Batch is a set of changes to the views. Their effect is that of the steps in
// the order of the fields, whatever order a store prefers.
type Batch struct {
	From Checkpoint
	To   Checkpoint
	// Profiles are whole rows, to be inserted or to replace those of the same
	// key.
	Profiles []Profile
	// Chirps are new rows.
	Chirps []Chirp
	// Unfollows are removed; only Follower and Followee count.
	Unfollows []Follow
	// Cleanups take an author's pushed chirps out of one timeline.
	Cleanups []Delivered
	// Follows are new rows.
	Follows []Follow
	// Marks set Pull on the follows of a followee whose Since is in the range.
	Marks []Mark
	// Backfills put an author's pushed chirps into one timeline.
	Backfills []Delivered
	// FanOuts put one chirp into the timelines of those followers of the
	// author whose Since is in the range. The chirp's own row may come in a
	// later batch. A projector never puts a chirp into a timeline that has it,
	// be it by a backfill or a fan-out, and a store need not notice.
	FanOuts []FanOut
}

// Range is a range of positions: those beyond After, up to Through and with it.
type Range struct {
	After   domain.Position
	Through domain.Position
}

// Delivered is the pushed chirps of Author, with positions in the range, in
// the timeline of Owner.
type Delivered struct {
	Owner  UserKey
	Author UserKey
	Range
}

// Mark is the follows of Followee whose Since is in the range.
type Mark struct {
	Followee UserKey
	Range
}

// FanOut is the delivery of one chirp to the followers whose Since is in the
// range.
type FanOut struct {
	Chirp  domain.Position
	Author UserKey
	Range
}
