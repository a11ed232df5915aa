package projector_test

import (
	"context"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chirp/internal/domain"
	"chirp/internal/projector"
	"chirp/internal/readmodel"
)

// recorder records the batches that took effect.
type recorder struct {
	readmodel.Store
	batches []readmodel.Batch
}

type recordingWriter struct {
	readmodel.Writer
	r *recorder
}

func (r *recorder) Serving(ctx context.Context, epoch string, threshold int64) (readmodel.Writer, error) {
	w, err := r.Store.Serving(ctx, epoch, threshold)
	return recordingWriter{w, r}, err
}

func (w recordingWriter) Apply(ctx context.Context, b readmodel.Batch) error {
	err := w.Writer.Apply(ctx, b)
	if err == nil {
		w.r.batches = append(w.r.batches, b)
	}
	return err
}

// foldCase is a row of a table. The user with index i has the key 2i+1, because a
// registration is two events, and the events of given and when have the positions
// after twice the number of users.
type foldCase struct {
	name      string
	users     int
	threshold int64
	given     func(*world)
	when      func(*world)
	limits    projector.Config
	then      []readmodel.Batch // without profiles and chirps
}

func (c foldCase) run(t *testing.T) {
	if c.threshold == 0 {
		c.threshold = 100
	}
	stores := memory.open(t)
	w := newWorld(t, stores.log)
	w.register(c.users)
	if c.given != nil {
		c.given(w)
	}
	w.write()
	project(t, stores, w, projector.Config{Threshold: c.threshold, Backfill: c.limits.Backfill})
	c.when(w)
	w.write()
	r := &recorder{Store: stores.views}
	c.limits.Threshold = c.threshold
	project(t, storePair{log: stores.log, views: r}, w, c.limits)

	ignored := cmpopts.IgnoreFields(readmodel.Batch{}, "Profiles", "Chirps")
	place := cmpopts.IgnoreFields(readmodel.Checkpoint{}, "Event")
	if diff := gocmp.Diff(c.then, r.batches, ignored, place, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("batches differ (-want +got):\n%s", diff)
	}
	for _, b := range r.batches {
		for _, c := range []readmodel.Checkpoint{b.From, b.To} {
			if hashes, err := stores.log.Hashes(t.Context(), []domain.Position{c.Position}); err != nil || c.Position > 0 && c.Event == 0 || hashes[c.Position] != c.Event {
				t.Errorf("the checkpoint %+v has the hash %d, want that of the event there: %v, error %v", c, c.Event, hashes, err)
			}
		}
	}
	rules := rules(c.threshold)
	if c.limits.Backfill > 0 {
		rules.Backfill = c.limits.Backfill
	}
	if err := compare(context.Background(), stores.views, w.oracle, rules, whole); err != nil {
		t.Error(err)
	}
}

// project runs a projector until the views are at the world's last event.
func project(t testing.TB, stores storePair, w *world, cfg projector.Config) {
	t.Helper()
	cfg.Log, cfg.Views, cfg.Holder = stores.log, stores.views, "test"
	if err := projectTo(cfg, w.head(), nil); err != nil {
		t.Fatalf("project to %d: %v", w.head(), err)
	}
}

func at(p domain.Position) readmodel.Checkpoint { return readmodel.Checkpoint{Position: p} }

func part(p, partial domain.Position) readmodel.Checkpoint {
	return readmodel.Checkpoint{Position: p, Partial: partial}
}

func span(after, through domain.Position) readmodel.Range {
	return readmodel.Range{After: after, Through: through}
}

type (
	batches   = []readmodel.Batch
	follows   = []readmodel.Follow
	delivered = []readmodel.Delivered
	fanOuts   = []readmodel.FanOut
	marks     = []readmodel.Mark
)

func TestBatchIsTheNetEffectOfItsEvents(t *testing.T) {
	for _, c := range []foldCase{
		{
			name: "a follow backfills what was pushed before", users: 2,
			given: func(w *world) { w.post(1, 2) },
			when:  func(w *world) { w.follow(0, 1) },
			then: batches{{From: at(6), To: at(7),
				Follows:   follows{{Follower: 1, Followee: 3, Since: 7}},
				Backfills: delivered{{Owner: 1, Author: 3, Range: span(0, 6)}}}},
		},
		{
			name: "a follow of a user without chirps delivers none", users: 2,
			when: func(w *world) { w.follow(0, 1) },
			then: batches{{From: at(4), To: at(5), Follows: follows{{Follower: 1, Followee: 3, Since: 5}}}},
		},
		{
			name: "a follow that is undone leaves no trace", users: 2,
			given: func(w *world) { w.post(1, 1) },
			when:  func(w *world) { w.follow(0, 1); w.post(1, 1); w.follow(0, 1) },
			then:  batches{{From: at(5), To: at(8)}},
		},
		{
			name: "an unfollow cleans up", users: 2,
			given: func(w *world) { w.post(1, 1); w.follow(0, 1) },
			when:  func(w *world) { w.follow(0, 1) },
			then: batches{{From: at(6), To: at(7),
				Unfollows: follows{{Follower: 1, Followee: 3}},
				Cleanups:  delivered{{Owner: 1, Author: 3, Range: span(0, 6)}}}},
		},
		{
			name: "an unfollow that is undone replaces only the row", users: 2,
			given: func(w *world) { w.post(1, 1); w.follow(0, 1) },
			when:  func(w *world) { w.follow(0, 1); w.post(1, 1); w.follow(0, 1) },
			then: batches{{From: at(6), To: at(9),
				Unfollows: follows{{Follower: 1, Followee: 3}},
				Follows:   follows{{Follower: 1, Followee: 3, Since: 9}},
				FanOuts:   fanOuts{{Chirp: 8, Author: 3, Range: span(0, 9)}}}},
		},
		{
			name: "a chirp goes to the followers at the batch's end", users: 3,
			given: func(w *world) { w.follow(2, 1) },
			when:  func(w *world) { w.post(1, 1); w.follow(0, 1); w.follow(2, 1) },
			then: batches{{From: at(7), To: at(10),
				Unfollows: follows{{Follower: 5, Followee: 3}},
				Follows:   follows{{Follower: 1, Followee: 3, Since: 9}},
				FanOuts:   fanOuts{{Chirp: 8, Author: 3, Range: span(0, 10)}}}},
		},
		{
			name: "a chirp without followers is not fanned out", users: 2,
			given: func(w *world) { w.follow(0, 1) },
			when:  func(w *world) { w.post(1, 1); w.follow(0, 1) },
			then:  batches{{From: at(5), To: at(7), Unfollows: follows{{Follower: 1, Followee: 3}}}},
		},
		{
			name: "users who register in the batch act in it", users: 0,
			when: func(w *world) { w.register(2); w.follow(0, 1); w.post(1, 1) },
			then: batches{{From: at(0), To: at(6),
				Follows: follows{{Follower: 1, Followee: 3, Since: 5}},
				FanOuts: fanOuts{{Chirp: 6, Author: 3, Range: span(0, 6)}}}},
		},
	} {
		t.Run(c.name, c.run)
	}
}

func TestCelebrityIsDecidedAtEachPosition(t *testing.T) {
	for _, c := range []foldCase{
		{
			name: "the first pulled chirp marks the follows", users: 3, threshold: 2,
			given: func(w *world) { w.follow(0, 2) },
			when:  func(w *world) { w.follow(1, 2); w.post(2, 2) },
			then: batches{{From: at(7), To: at(10),
				Follows: follows{{Follower: 3, Followee: 5, Since: 8, Pull: true}},
				Marks:   marks{{Followee: 5, Range: span(0, 7)}}}},
		},
		{
			name: "a further pulled chirp marks nothing", users: 3, threshold: 2,
			given: func(w *world) { w.follow(0, 2); w.follow(1, 2); w.post(2, 1) },
			when:  func(w *world) { w.post(2, 1) },
			then:  batches{{From: at(9), To: at(10)}},
		},
		{
			name: "a chirp after the fall is pushed again", users: 3, threshold: 2,
			given: func(w *world) { w.post(2, 1); w.follow(0, 2); w.follow(1, 2) },
			when:  func(w *world) { w.post(2, 1); w.follow(1, 2); w.post(2, 1) },
			then: batches{{From: at(9), To: at(12),
				Unfollows: follows{{Follower: 3, Followee: 5}},
				Cleanups:  delivered{{Owner: 3, Author: 5, Range: span(0, 9)}},
				Marks:     marks{{Followee: 5, Range: span(0, 9)}},
				FanOuts:   fanOuts{{Chirp: 12, Author: 5, Range: span(0, 12)}}}},
		},
		{
			name: "a follow of a former celebrity is marked and backfills the pushed", users: 4, threshold: 2,
			given: func(w *world) {
				w.post(2, 1)
				w.follow(0, 2)
				w.follow(1, 2)
				w.post(2, 1)
				w.follow(1, 2)
			},
			when: func(w *world) { w.follow(3, 2) },
			then: batches{{From: at(13), To: at(14),
				Follows:   follows{{Follower: 7, Followee: 5, Since: 14, Pull: true}},
				Backfills: delivered{{Owner: 7, Author: 5, Range: span(0, 13)}}}},
		},
		{
			name: "between 0.8 and 1 of the threshold nothing changes", users: 7, threshold: 5,
			given: func(w *world) { crowd(w, 6, 0, 4) },
			when: func(w *world) {
				w.post(6, 1)      // at 4, on the way up: pushed
				w.follow(4, 6)    // 5
				w.post(6, 1)      // pulled
				w.follow(4, 6)    // 4
				w.post(6, 1)      // still pulled
				w.follow(3, 6)    // 3
				w.post(6, 1)      // pushed
				crowd(w, 6, 3, 4) // 4
				w.post(6, 1)      // still pushed
			},
			then: batches{{From: at(18), To: at(27),
				Unfollows: follows{{Follower: 7, Followee: 13}},
				Follows:   follows{{Follower: 7, Followee: 13, Since: 26, Pull: true}},
				Marks:     marks{{Followee: 13, Range: span(0, 18)}},
				FanOuts: fanOuts{
					{Chirp: 19, Author: 13, Range: span(0, 27)},
					{Chirp: 25, Author: 13, Range: span(0, 27)},
					{Chirp: 27, Author: 13, Range: span(0, 27)},
				}}},
		},
	} {
		t.Run(c.name, c.run)
	}
}

// crowd has the users in [first, last) follow one user, or unfollow that user.
func crowd(w *world, followee, first, last int) {
	for u := first; u < last; u++ {
		w.follow(u, followee)
	}
}
