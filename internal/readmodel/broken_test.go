package readmodel_test

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"chirp/internal/domain"
	"chirp/internal/readmodel"
)

// broken is a store with a fault: each of its fields that is set replaces what the
// store would do.
type broken struct {
	readmodel.Store
	// batch changes a batch before it is applied, given the current checkpoint.
	batch func(b *readmodel.Batch, at readmodel.Checkpoint)
	// apply applies a batch.
	apply func(w readmodel.Writer, b readmodel.Batch) error
	// writer and snapshot wrap a writer and a snapshot, to change their reads.
	writer   func(w readmodel.Writer, threshold int64) readmodel.Writer
	snapshot func(s readmodel.Snapshot) readmodel.Snapshot
	await    func(ctx context.Context, beyond domain.Position) (domain.Position, error)
	lease    func(holder string, ttl time.Duration) (bool, error)
	release  func(holder string) error
}

func (b *broken) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	s, err := b.Store.Snapshot(ctx)
	if err == nil && b.snapshot != nil {
		s = b.snapshot(s)
	}
	return s, err
}

func (b *broken) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	if b.await != nil {
		return b.await(ctx, beyond)
	}
	return b.Store.Await(ctx, beyond)
}

func (b *broken) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	w, err := b.Store.Serving(ctx, epoch, threshold)
	if err != nil {
		return nil, err
	}
	if b.writer != nil {
		w = b.writer(w, threshold)
	}
	return brokenWriter{w, b}, nil
}

func (b *broken) Lease(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	if b.lease != nil {
		return b.lease(holder, ttl)
	}
	return b.Store.Lease(ctx, holder, ttl)
}

func (b *broken) Release(ctx context.Context, holder string) error {
	if b.release != nil {
		return b.release(holder)
	}
	return b.Store.Release(ctx, holder)
}

type brokenWriter struct {
	readmodel.Writer
	broken *broken
}

func (w brokenWriter) Apply(ctx context.Context, b readmodel.Batch) error {
	if w.broken.batch != nil {
		g, err := w.Writer.Generation(ctx)
		if err != nil {
			return err
		}
		w.broken.batch(&b, g.Checkpoint)
	}
	if w.broken.apply != nil {
		return w.broken.apply(w.Writer, b)
	}
	return w.Writer.Apply(ctx, b)
}

// ranges changes the ranges of backfills.
func ranges(change func(*readmodel.Range)) func(*readmodel.Batch, readmodel.Checkpoint) {
	return func(b *readmodel.Batch, _ readmodel.Checkpoint) {
		b.Backfills = slices.Clone(b.Backfills)
		for i := range b.Backfills {
			change(&b.Backfills[i].Range)
		}
	}
}

// inTwo applies a batch in two transactions. split moves changes from the first to
// the second.
func inTwo(split func(first, second *readmodel.Batch)) func(readmodel.Writer, readmodel.Batch) error {
	return func(w readmodel.Writer, b readmodel.Batch) error {
		ctx := context.Background()
		middle := readmodel.Checkpoint{Position: b.From.Position, Partial: b.From.Partial + 1_000_000}
		first, second := b, readmodel.Batch{From: middle, To: b.To}
		first.To = middle
		split(&first, &second)
		if err := w.Apply(ctx, first); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
		return w.Apply(ctx, second)
	}
}

// lenient applies a batch without those changes of some kinds that do not fit.
func lenient(w readmodel.Writer, b readmodel.Batch, chirps, unfollows, follows bool, store readmodel.Store) error {
	ctx := context.Background()
	s, err := store.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	followed := func(f readmodel.Follow) bool {
		found, _ := s.Follows(ctx, f.Follower, []readmodel.UserKey{f.Followee})
		return len(found) > 0
	}
	if chirps {
		b.Chirps = slices.DeleteFunc(slices.Clone(b.Chirps), func(c readmodel.Chirp) bool {
			_, err := s.ChirpByID(ctx, c.ID)
			return err == nil
		})
	}
	if unfollows {
		b.Unfollows = slices.DeleteFunc(slices.Clone(b.Unfollows), func(f readmodel.Follow) bool { return !followed(f) })
	}
	if follows {
		b.Follows = slices.DeleteFunc(slices.Clone(b.Follows), followed)
	}
	return w.Apply(ctx, b)
}

// windowed is a snapshot whose lists are read in a changed window.
type windowed struct {
	readmodel.Snapshot
	change func(*readmodel.Window)
}

func (s windowed) in(w readmodel.Window) readmodel.Window {
	s.change(&w)
	return w
}

func (s windowed) ChirpsBy(ctx context.Context, k readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	return s.Snapshot.ChirpsBy(ctx, k, s.in(w))
}

func (s windowed) Timeline(ctx context.Context, k readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	return s.Snapshot.Timeline(ctx, k, s.in(w))
}

func (s windowed) SourceChirps(ctx context.Context, of []readmodel.Source, w readmodel.Window) ([]domain.Position, error) {
	return s.Snapshot.SourceChirps(ctx, of, s.in(w))
}

func (s windowed) Followers(ctx context.Context, k readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return s.Snapshot.Followers(ctx, k, s.in(w))
}

func (s windowed) Following(ctx context.Context, k readmodel.UserKey, w readmodel.Window) ([]readmodel.Follow, error) {
	return s.Snapshot.Following(ctx, k, s.in(w))
}

// faulty is a snapshot with faults in its reads.
type faulty struct {
	readmodel.Snapshot
	caseSensitive, neverMissing, fewAuthors, repeats, oneShort, inFloats bool
	pushedOnly, renewed, unbounded                                       bool
}

// Totals omits some timeline entries if oneShort.
func (s faulty) Totals(ctx context.Context) (readmodel.Totals, error) {
	t, err := s.Snapshot.Totals(ctx)
	if s.oneShort {
		t.Entries = min(t.Entries, 3)
	}
	return t, err
}

func (s faulty) ProfileByName(ctx context.Context, name domain.Username) (readmodel.Profile, error) {
	p, err := s.Snapshot.ProfileByName(ctx, name)
	if s.caseSensitive && err == nil && p.Username != name {
		return readmodel.Profile{}, readmodel.ErrNotFound
	}
	return p, err
}

func (s faulty) ProfileByID(ctx context.Context, id domain.UserID) (readmodel.Profile, error) {
	p, err := s.Snapshot.ProfileByID(ctx, id)
	if s.neverMissing {
		err = nil
	}
	return p, err
}

func (s faulty) Profiles(ctx context.Context, keys []readmodel.UserKey) ([]readmodel.Profile, error) {
	found, err := s.Snapshot.Profiles(ctx, keys)
	if s.inFloats {
		found = slices.Clone(found)
		for i := range found {
			found[i].Followers = int64(math.Round(float64(found[i].Followers)))
		}
	}
	return found, err
}

func (s faulty) SourceChirps(ctx context.Context, of []readmodel.Source, w readmodel.Window) ([]domain.Position, error) {
	of = slices.Clone(of)
	if s.fewAuthors {
		of = of[:min(len(of), 200)]
	}
	for i := range of {
		if s.unbounded {
			of[i].Through = 0
		}
	}
	found, err := s.Snapshot.SourceChirps(ctx, of, w)
	if s.repeats && len(of) > 1 && of[0] == of[len(of)-1] {
		found = append(found, found...)
	}
	return found, err
}

// Sources returns those that end at after too if unbounded.
func (s faulty) Sources(ctx context.Context, k readmodel.UserKey, after domain.Position) ([]readmodel.Source, error) {
	if s.unbounded {
		after--
	}
	return s.Snapshot.Sources(ctx, k, after)
}

func (s faulty) FolloweeIDs(ctx context.Context, k readmodel.UserKey) ([]domain.UserID, error) {
	found, err := s.Snapshot.FolloweeIDs(ctx, k)
	if s.oneShort && len(found) > 1 {
		found = found[1:]
	}
	return found, err
}

// drifting is a snapshot whose timelines show the present.
type drifting struct {
	readmodel.Snapshot
	store readmodel.Store
}

func (s drifting) Timeline(ctx context.Context, k readmodel.UserKey, w readmodel.Window) ([]domain.Position, error) {
	now, err := s.store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer now.Close()
	return now.Timeline(ctx, k, w)
}

// forgetful is a writer that uses the threshold of the last Serving.
type forgetful struct {
	readmodel.Writer
	threshold int64
}

func (w forgetful) Generation(ctx context.Context) (readmodel.Generation, error) {
	g, err := w.Writer.Generation(ctx)
	g.Threshold = w.threshold
	return g, err
}

// miscounting is a writer that counts one row too many.
type miscounting struct{ readmodel.Writer }

func (w miscounting) PushedThrough(ctx context.Context, k readmodel.UserKey, after domain.Position, limit int) (domain.Position, error) {
	return w.Writer.PushedThrough(ctx, k, after, limit+1)
}

func (s windowed) RecentChirps(ctx context.Context, w readmodel.Window) ([]domain.Position, error) {
	return s.Snapshot.RecentChirps(ctx, s.in(w))
}

func (s windowed) RecentProfiles(ctx context.Context, w readmodel.Window) ([]readmodel.Profile, error) {
	return s.Snapshot.RecentProfiles(ctx, s.in(w))
}

func (s faulty) RecentChirps(ctx context.Context, w readmodel.Window) ([]domain.Position, error) {
	found, err := s.Snapshot.RecentChirps(ctx, w)
	if s.pushedOnly {
		chirps, _ := s.Snapshot.Chirps(ctx, found)
		found = slices.DeleteFunc(slices.Clone(found), func(at domain.Position) bool {
			return slices.ContainsFunc(chirps, func(c readmodel.Chirp) bool { return c.Position == at && c.Delivery == readmodel.Pull })
		})
	}
	return found, err
}

// RecentProfiles returns changed profiles first if renewed, as a store does that
// orders rows by when they were written.
func (s faulty) RecentProfiles(ctx context.Context, w readmodel.Window) ([]readmodel.Profile, error) {
	found, err := s.Snapshot.RecentProfiles(ctx, w)
	if s.renewed {
		found = slices.Clone(found)
		slices.SortStableFunc(found, func(a, b readmodel.Profile) int { return cmp.Compare(b.Followers, a.Followers) })
	}
	return found, err
}
