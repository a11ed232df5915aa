package projector_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"

	"chirp/internal/domain"
	"chirp/internal/projector/projectortest"
	"chirp/internal/readmodel"
)

// comparison compares a snapshot of the views with an oracle.
type comparison struct {
	snapshot readmodel.Snapshot
	oracle   projectortest.Oracle
	rules    projectortest.Rules
	ids      map[readmodel.UserKey]domain.UserID
	// size returns the number of rows to read at a time.
	size func() int
}

// compare returns an error that describes how the views at their checkpoint differ
// from the oracle. In the middle of a large event, only what is applied in parts may
// differ.
func compare(ctx context.Context, views readmodel.Store, oracle projectortest.Oracle, rules projectortest.Rules, size func() int) error {
	snapshot, err := views.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snapshot.Close()
	at := snapshot.Generation().Checkpoint
	r := comparison{
		snapshot: snapshot, oracle: oracle.Through(at.Position), rules: rules,
		ids: make(map[readmodel.UserKey]domain.UserID), size: size,
	}
	if err := r.users(ctx, oracle.Through(at.Position+1), at.Partial != 0); err != nil {
		return fmt.Errorf("at checkpoint %+v: %w", at, err)
	}
	return nil
}

// rules returns those of a projector with the default backfill.
func rules(threshold int64) projectortest.Rules {
	return projectortest.Rules{Threshold: threshold, Backfill: 32}
}

// whole is a size for reading everything at once.
func whole() int { return 10_000 }

func (r *comparison) users(ctx context.Context, next projectortest.Oracle, partial bool) error {
	rows := r.oracle.Rows(r.rules)
	for _, p := range rows.Profiles {
		r.ids[p.Key] = p.ID
	}
	for _, p := range rows.Profiles {
		got, err := r.snapshot.ProfileByID(ctx, p.ID)
		if err != nil {
			return err
		}
		errs := []error{diff("profile", got, p)}
		for _, ascending := range []bool{false, true} {
			feed, err := r.feed(ctx, p.Key, ascending)
			if err != nil {
				return err
			}
			if partial {
				errs = append(errs, between(feed, r.oracle.Feed(p.ID), next.Feed(p.ID)))
				continue
			}
			errs = append(errs, diff("feed", feed, r.oracle.Feed(p.ID)), r.lists(ctx, rows, p.Key, ascending))
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("user %d: %w", p.Key, err)
		}
	}
	return nil
}

// lists compares the lists of one user other than the feed.
func (r *comparison) lists(ctx context.Context, rows projectortest.Rows, user readmodel.UserKey, ascending bool) error {
	byPosition := func(c readmodel.Chirp) domain.Position { return c.Position }
	since := func(f readmodel.Follow) domain.Position { return f.Since }
	own, err1 := paged(r, ascending, byPosition, func(w readmodel.Window) ([]readmodel.Chirp, error) {
		at, err := r.snapshot.ChirpsBy(ctx, user, w)
		return r.chirps(ctx, at, err)
	})
	followers, err2 := paged(r, ascending, since, func(w readmodel.Window) ([]readmodel.Follow, error) {
		return r.snapshot.Followers(ctx, user, w)
	})
	following, err3 := paged(r, ascending, since, func(w readmodel.Window) ([]readmodel.Follow, error) {
		return r.snapshot.Following(ctx, user, w)
	})
	var posted []readmodel.Chirp
	for _, c := range slices.Backward(rows.Chirps) {
		if c.Author == user {
			posted = append(posted, c)
		}
	}
	return errors.Join(err1, err2, err3, diff("own chirps", own, posted),
		diff("followers", followers, rows.Followers(user)), diff("following", following, rows.Following(user)))
}

// chirps reads the chirps of a list that was read.
func (r *comparison) chirps(ctx context.Context, at []domain.Position, err error) ([]readmodel.Chirp, error) {
	if err != nil {
		return nil, err
	}
	return readmodel.ChirpsInOrder(ctx, r.snapshot, at)
}

// feed reads a whole feed page by page and returns it newest first.
func (r *comparison) feed(ctx context.Context, viewer readmodel.UserKey, ascending bool) ([]projectortest.Chirp, error) {
	sources, err := r.snapshot.Sources(ctx, viewer, 0)
	if err != nil {
		return nil, err
	}
	at := func(c readmodel.Chirp) domain.Position { return c.Position }
	rows, err := paged(r, ascending, at, func(w readmodel.Window) ([]readmodel.Chirp, error) {
		pushed, err1 := r.snapshot.Timeline(ctx, viewer, w)
		pulled, err2 := r.snapshot.SourceChirps(ctx, sources, w)
		page := slices.Concat(pushed, pulled)
		slices.SortFunc(page, func(a, b domain.Position) int {
			if w.Ascending {
				return cmp.Compare(a, b)
			}
			return cmp.Compare(b, a)
		})
		return r.chirps(ctx, page[:min(len(page), w.Limit)], errors.Join(err1, err2))
	})
	var feed []projectortest.Chirp
	for _, c := range rows {
		feed = append(feed, projectortest.Chirp{
			Position: c.Position, ID: c.ID, Author: r.ids[c.Author], Content: c.Content, PostedAt: c.PostedAt,
		})
	}
	return feed, err
}

// paged reads a list in pages up to the checkpoint, from either end, and returns it
// newest first.
func paged[R any](r *comparison, ascending bool, at func(R) domain.Position, read func(readmodel.Window) ([]R, error)) ([]R, error) {
	var all []R
	w := readmodel.Window{Before: r.snapshot.Generation().Checkpoint.Position + 1, Ascending: ascending}
	for {
		w.Limit = r.size()
		page, err := read(w)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < w.Limit {
			break
		}
		if last := at(page[len(page)-1]); ascending {
			w.After = last
		} else {
			w.Before = last
		}
	}
	if ascending {
		slices.Reverse(all)
	}
	return all, nil
}

// between checks a feed in the middle of a large event: it is in order and without
// duplicates, it has no chirp that is neither in the feed before the event nor in the
// one after it, and it has every chirp that is in both.
func between(got, before, after []projectortest.Chirp) error {
	in := func(feed []projectortest.Chirp, c projectortest.Chirp) bool {
		return slices.ContainsFunc(feed, func(o projectortest.Chirp) bool { return o.ID == c.ID })
	}
	for i, c := range got {
		if i > 0 && got[i-1].Position <= c.Position {
			return fmt.Errorf("feed is out of order at position %d", c.Position)
		}
		if !in(before, c) && !in(after, c) {
			return fmt.Errorf("feed has chirp %d, which belongs there neither before nor after", c.Position)
		}
	}
	for _, c := range before {
		if in(after, c) && !in(got, c) {
			return fmt.Errorf("feed lacks chirp %d, which belongs there before and after", c.Position)
		}
	}
	return nil
}

func diff(what string, got, want any) error {
	if difference := gocmp.Diff(want, got); difference != "" {
		return fmt.Errorf("%s differs (-want +got):\n%s", what, difference)
	}
	return nil
}
