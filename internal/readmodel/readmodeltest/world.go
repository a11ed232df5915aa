package readmodeltest

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

const (
	testEpoch     = "epoch-of-the-test"
	testThreshold = 10
)

// world is a store in a check. Its methods end the check when something fails, so
// they must be called from the check's own goroutine.
type world struct {
	testing.TB
	ctx    context.Context
	open   func(testing.TB) readmodel.Store
	store  readmodel.Store
	writer readmodel.Writer
	at     readmodel.Checkpoint
}

// serve opens the writer and reads the checkpoint.
func (w *world) serve() readmodel.Generation {
	w.Helper()
	var err error
	if w.writer, err = w.store.Serving(w.ctx, testEpoch, testThreshold); err != nil {
		w.Fatalf("Serving: %v", err)
	}
	g := w.generation()
	w.at = g.Checkpoint
	return g
}

func (w *world) generation() readmodel.Generation {
	w.Helper()
	g, err := w.writer.Generation(w.ctx)
	if err != nil {
		w.Fatalf("Generation: %v", err)
	}
	return g
}

// apply applies a batch from the checkpoint of the one before. A zero To means the
// next position.
func (w *world) apply(b readmodel.Batch) {
	w.Helper()
	if w.writer == nil {
		w.serve()
	}
	b.From = w.at
	if b.To == (readmodel.Checkpoint{}) {
		b.To.Position = b.From.Position + 1
	}
	if err := w.writer.Apply(w.ctx, b); err != nil {
		w.Fatalf("Apply from %v to %v: %v", b.From, b.To, err)
	}
	w.at = b.To
}

func (w *world) snapshot() readmodel.Snapshot {
	w.Helper()
	s, err := w.store.Snapshot(w.ctx)
	if err != nil {
		w.Fatalf("Snapshot: %v", err)
	}
	return s
}

// view returns everything that a new snapshot shows about some users.
func (w *world) view(keys ...readmodel.UserKey) view {
	w.Helper()
	s := w.snapshot()
	defer s.Close()
	return w.viewOf(s, keys...)
}

func (w *world) viewOf(s readmodel.Snapshot, keys ...readmodel.UserKey) view {
	w.Helper()
	v, err := readView(w.ctx, s, keys, everything)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// timeline returns the positions in a timeline, newest first.
func (w *world) timeline(owner readmodel.UserKey) []domain.Position {
	w.Helper()
	return positions(w.view(owner).Users[owner].Timeline)
}

func (w *world) wantTimeline(owner readmodel.UserKey, want ...domain.Position) {
	w.Helper()
	same(w, fmt.Sprintf("timeline of %d", owner), w.timeline(owner), want)
}

// same fails the check if got differs from want. Empty and nil lists are equal.
func same[R any](w *world, what string, got, want R) {
	w.Helper()
	if d := diff(got, want); d != "" {
		w.Errorf("%s (- want, + got):\n%s", what, d)
	}
}

func diff(got, want any) string { return gocmp.Diff(want, got, cmpopts.EquateEmpty()) }

// ok ends the check if a call returned an error.
func (w *world) ok(what string, err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

// everything is a window that includes every row.
var everything = readmodel.Window{Limit: 1 << 20}

// view is everything that a snapshot shows about some users.
type view struct {
	Generation readmodel.Generation
	Profiles   []readmodel.Profile
	Pulled     []readmodel.Chirp // of all the users
	Users      map[readmodel.UserKey]userView
}

type userView struct {
	Chirps      []readmodel.Chirp
	Timeline    []readmodel.Chirp
	Followers   []readmodel.Follow
	Following   []readmodel.Follow
	Follows     []readmodel.Follow
	Sources     []readmodel.Source // with chirps after the window's After
	Merged      []readmodel.Chirp  // from the sources
	FolloweeIDs []domain.UserID
}

// readView reads a view, with its lists in the window and its sets sorted.
func readView(ctx context.Context, s readmodel.Snapshot, keys []readmodel.UserKey, w readmodel.Window) (view, error) {
	v := view{Generation: s.Generation(), Users: map[readmodel.UserKey]userView{}}
	var failed error
	into(&failed, "Profiles", &v.Profiles)(s.Profiles(ctx, keys))
	into(&failed, "SourceChirps", &v.Pulled)(chirpsAt(ctx, s)(s.SourceChirps(ctx, pulledOf(keys), w)))
	sortBy(v.Profiles, func(p readmodel.Profile) int64 { return int64(p.Key) })
	for _, k := range keys {
		var u userView
		into(&failed, "ChirpsBy", &u.Chirps)(chirpsAt(ctx, s)(s.ChirpsBy(ctx, k, w)))
		into(&failed, "Timeline", &u.Timeline)(chirpsAt(ctx, s)(s.Timeline(ctx, k, w)))
		into(&failed, "Followers", &u.Followers)(s.Followers(ctx, k, w))
		into(&failed, "Following", &u.Following)(s.Following(ctx, k, w))
		into(&failed, "Follows", &u.Follows)(s.Follows(ctx, k, keys))
		into(&failed, "Sources", &u.Sources)(s.Sources(ctx, k, w.After))
		into(&failed, "SourceChirps", &u.Merged)(chirpsAt(ctx, s)(s.SourceChirps(ctx, u.Sources, w)))
		into(&failed, "FolloweeIDs", &u.FolloweeIDs)(s.FolloweeIDs(ctx, k))
		sortBy(u.Follows, func(f readmodel.Follow) int64 { return int64(f.Followee) })
		sortBy(u.Sources, func(s readmodel.Source) int64 { return 2*int64(s.Author) + int64(s.Delivery) })
		slices.Sort(u.FolloweeIDs)
		v.Users[k] = u
	}
	return v, failed
}

// chirpsAt returns a func that reads the chirps of a list that was read, in its order.
func chirpsAt(ctx context.Context, s readmodel.Snapshot) func([]domain.Position, error) ([]readmodel.Chirp, error) {
	return func(at []domain.Position, err error) ([]readmodel.Chirp, error) {
		if err != nil {
			return nil, err
		}
		return readmodel.ChirpsInOrder(ctx, s, at)
	}
}

// into returns a func that stores the result of a read in to, and its error in failed
// if that is the first error of several reads.
func into[R any](failed *error, what string, to *R) func(R, error) {
	return func(rows R, err error) {
		if err != nil && *failed == nil {
			*failed = fmt.Errorf("%s: %w", what, err)
		}
		*to = rows
	}
}

// pulledOf returns the sources of the authors' pulled chirps.
func pulledOf(authors []readmodel.UserKey) []readmodel.Source {
	var made []readmodel.Source
	for _, k := range authors {
		made = append(made, readmodel.Source{Author: k, Delivery: pull})
	}
	return made
}

func sortBy[R any](rows []R, key func(R) int64) {
	slices.SortFunc(rows, func(a, b R) int { return cmp.Compare(key(a), key(b)) })
}

func positions(chirps []readmodel.Chirp) []domain.Position {
	var found []domain.Position
	for _, c := range chirps {
		found = append(found, c.Position)
	}
	return found
}

// The rows of the checks are derived from their keys, so that equal keys mean equal
// rows.

func user(key readmodel.UserKey) readmodel.Profile {
	return readmodel.Profile{
		Key: key, ID: userID(key), Username: domain.Username(fmt.Sprintf("User_%d", key)),
		JoinedAt: time.UnixMilli(1_750_000_000_000 + int64(key)).UTC(),
	}
}

func users(keys ...readmodel.UserKey) []readmodel.Profile {
	var made []readmodel.Profile
	for _, k := range keys {
		made = append(made, user(k))
	}
	return made
}

func userID(key readmodel.UserKey) domain.UserID { return domain.UserIDFrom(uuid(int64(key))) }
func chirpID(at domain.Position) domain.ChirpID  { return domain.ChirpIDFrom(uuid(int64(at))) }
func uuid(n int64) (u [16]byte)                  { binary.BigEndian.PutUint64(u[8:], uint64(n)); return u }
func through(after, to domain.Position) readmodel.Range {
	return readmodel.Range{After: after, Through: to}
}

func chirps(author readmodel.UserKey, how readmodel.Delivery, at ...domain.Position) []readmodel.Chirp {
	var made []readmodel.Chirp
	for _, p := range at {
		made = append(made, readmodel.Chirp{
			Position: p, ID: chirpID(p), Author: author, Delivery: how,
			Content:  domain.Content(fmt.Sprintf("chirp %d of %d", p, author)),
			PostedAt: time.UnixMilli(1_750_000_000_000 + int64(p)).UTC(),
		})
	}
	return made
}

func follow(follower, followee readmodel.UserKey, since domain.Position) readmodel.Follow {
	return readmodel.Follow{Follower: follower, Followee: followee, Since: since}
}

// splitFollow returns a follow that skips some of its followee's chirps.
func splitFollow(follower, followee readmodel.UserKey, since, older domain.Position, skipped int64) readmodel.Follow {
	f := follow(follower, followee, since)
	f.Split = readmodel.Split{Older: older, Skipped: skipped}
	return f
}
