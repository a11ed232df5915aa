package query_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

var errAway = domain.Errorf(domain.Unavailable, "the store is down")

// oddViews are views that return stale snapshots and errors.
type oddViews struct {
	readmodel.Store
	stale    int   // how many snapshots are older than the position that Await returned
	snapshot error // of Snapshot
	await    error // of Await
	slowly   bool  // Await waits until ctx ends, and then reports an outage
}

func (v *oddViews) Await(ctx context.Context, beyond domain.Position) (domain.Position, error) {
	if v.await != nil {
		return 0, v.await
	}
	if v.stale > 0 {
		return beyond + 1, nil
	}
	p, err := v.Store.Await(ctx, beyond)
	if err != nil && v.slowly {
		err = errAway
	}
	return p, err
}

func (v *oddViews) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	if v.snapshot != nil {
		return nil, v.snapshot
	}
	s, err := v.Store.Snapshot(ctx)
	if v.stale > 0 && err == nil {
		v.stale--
		s = staleSnapshot{s}
	}
	return s, err
}

type staleSnapshot struct{ readmodel.Snapshot }

func (s staleSnapshot) Generation() readmodel.Generation {
	g := s.Snapshot.Generation()
	g.Checkpoint.Position = 1
	return g
}

// The views of these tests are at 3, and go to 5 after a second.
func TestOpen(t *testing.T) {
	tests := map[string]struct {
		readAfter domain.Position
		head      domain.Position
		headErr   error
		timeout   time.Duration
		views     oddViews
		want      domain.Kind // of the error, if at is 0
		says      string
		at        domain.Position
		waits     time.Duration
	}{
		"takes the views as they are":                       {head: 9, at: 3},
		"does not wait for what is visible":                 {readAfter: 3, head: 9, at: 3},
		"does not ask for the head without need":            {readAfter: 3, headErr: errAway, at: 3},
		"waits for what is not visible yet":                 {readAfter: 5, head: 9, at: 5, waits: time.Second},
		"gives up after two seconds":                        {readAfter: 6, head: 9, want: domain.NotYetVisible, says: "position 6 is not visible yet, the views are at 3", waits: 2 * time.Second},
		"gives up after its own timeout":                    {readAfter: 5, head: 9, timeout: time.Second / 2, want: domain.NotYetVisible, says: "position 5", waits: time.Second / 2},
		"gives up when the store reports that as an outage": {readAfter: 6, head: 9, views: oddViews{slowly: true}, want: domain.NotYetVisible, waits: 2 * time.Second},
		"refuses a position beyond the head at once":        {readAfter: 10, head: 9, want: domain.NotYetVisible, says: "position 10 is beyond the end of the log, which is at 9"},
		"tries again when a snapshot is stale":              {readAfter: 3, head: 9, views: oddViews{stale: 3}, at: 3, waits: 20 * time.Millisecond},
		"gives up when snapshots stay stale":                {readAfter: 3, head: 9, views: oddViews{stale: 1 << 30}, want: domain.NotYetVisible, says: "the views are at 1", waits: 2 * time.Second},
		"returns an outage of the views":                    {readAfter: 3, head: 9, views: oddViews{snapshot: errAway}, want: domain.Unavailable},
		"returns an outage during the wait":                 {readAfter: 5, head: 9, views: oddViews{await: errAway}, want: domain.Unavailable},
		"returns an outage of the log":                      {readAfter: 5, headErr: errAway, want: domain.Unavailable},
		"takes a negative position as none":                 {readAfter: -1, head: 9, at: 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for range 3 {
					w.register()
				}
				test.views.Store = w.store
				s := &query.Service{Views: &test.views, ReadAfterTimeout: test.timeout,
					Head: func(context.Context) (domain.Position, error) { return test.head, test.headErr }}
				go func() {
					time.Sleep(time.Second)
					w.register()
					w.register()
				}()
				begin := time.Now()
				r, err := s.Open(t.Context(), test.readAfter)
				if waited := time.Since(begin); waited != test.waits { // by the bubble's clock
					t.Errorf("waited %v, want %v", waited, test.waits)
				}
				time.Sleep(time.Minute)
				if test.at == 0 {
					wantKind(t, err, test.want)
					if err != nil && !strings.Contains(err.Error(), test.says) {
						t.Errorf("got the message %q, want one with %q", err, test.says)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if r.Checkpoint() != test.at {
					t.Errorf("the Reader is at %d, want %d", r.Checkpoint(), test.at)
				}
			})
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.service()
		s.Head = func(context.Context) (domain.Position, error) { return 9, nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Open(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
}

func TestReaderFindsOne(t *testing.T) {
	w := newWorld(t)
	ann := w.register()
	p := w.post(ann, readmodel.Push)
	r := w.open()
	ctx := t.Context()
	if got, err := r.Profile(ctx, userID(ann)); err != nil || got.Key != ann {
		t.Errorf("Profile: got %+v, %v", got, err)
	}
	if got, err := r.ProfileByName(ctx, "uSER1"); err != nil || got.Key != ann {
		t.Errorf("ProfileByName: got %+v, %v", got, err)
	}
	if got, err := r.Chirp(ctx, "chirp_2"); err != nil || got.Position != p {
		t.Errorf("Chirp: got %+v, %v", got, err)
	}
	_, err := r.Profile(ctx, "user_9")
	wantKind(t, err, domain.NotFound)
	_, err = r.ProfileByName(ctx, "nobody")
	wantKind(t, err, domain.NotFound)
	_, err = r.Chirp(ctx, "chirp_9")
	wantKind(t, err, domain.NotFound)
}

func TestReaderFindsMany(t *testing.T) {
	w := newWorld(t)
	ann, bob, cat := w.register(), w.register(), w.register()
	w.follow(ann, bob)
	r := w.open()
	profiles, err := r.ProfilesByKey(t.Context(), []readmodel.UserKey{ann, cat, ann, 77})
	if err != nil || len(profiles) != 2 || profiles[ann].ID != userID(ann) || profiles[cat].ID != userID(cat) {
		t.Errorf("ProfilesByKey: got %v, %v; want the two who exist", profiles, err)
	}
	follows, err := r.Follows(t.Context(), ann, []readmodel.UserKey{bob, cat, bob})
	if want := map[readmodel.UserKey]bool{bob: true, cat: false}; err != nil || !maps.Equal(follows, want) {
		t.Errorf("Follows: got %v, %v; want %v", follows, err, want)
	}
	follows, err = r.Follows(t.Context(), 0, []readmodel.UserKey{bob})
	if want := map[readmodel.UserKey]bool{bob: false}; err != nil || !maps.Equal(follows, want) {
		t.Errorf("Follows of an anonymous viewer: got %v, %v; want %v", follows, err, want)
	}
	ids, err := r.FolloweeIDs(t.Context(), userID(ann))
	if want := []domain.UserID{userID(bob)}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("FolloweeIDs: got %v, %v; want %v", ids, err, want)
	}
}

// A large event is applied in parts; nothing of it is visible before the last one.
func TestReaderHidesWhatIsPartApplied(t *testing.T) {
	w := newWorld(t)
	ann, bob, cat := w.register(), w.register(), w.register()
	w.follow(ann, bob)
	w.follow(bob, ann)
	at, next := w.at, w.next()
	dan := readmodel.UserKey(next)
	w.apply(readmodel.Batch{
		To:       readmodel.Checkpoint{Position: at, Partial: at},
		Profiles: []readmodel.Profile{{Key: dan, ID: userID(dan), Username: "Dan"}},
		Chirps:   []readmodel.Chirp{chirpAt(next, bob, readmodel.Push)},
		Follows:  []readmodel.Follow{{Follower: ann, Followee: cat, Since: next}, {Follower: cat, Followee: ann, Since: next}},
		FanOuts:  []readmodel.FanOut{{Chirp: next, Author: bob, Range: readmodel.Range{Through: at}}},
	})
	w.hashes[next+1] = 5
	r, ctx, page := open(t, w.service(), 0), t.Context(), query.Page{First: new(10)}

	_, err := r.Profile(ctx, userID(dan))
	wantKind(t, err, domain.NotFound)
	_, err = r.ProfileByName(ctx, "dan")
	wantKind(t, err, domain.NotFound)
	_, err = r.Chirp(ctx, chirpAt(next, bob, readmodel.Push).ID)
	wantKind(t, err, domain.NotFound)
	if got, err := r.ProfilesByKey(ctx, []readmodel.UserKey{dan}); err != nil || len(got) != 0 {
		t.Errorf("ProfilesByKey: got %v, %v; want nothing", got, err)
	}
	if got, err := r.Follows(ctx, ann, []readmodel.UserKey{cat}); err != nil || got[cat] {
		t.Errorf("Follows: got %v, %v; want false", got, err)
	}
	for name, list := range map[string]func() (query.Connection[readmodel.Chirp], error){
		"Feed":     func() (query.Connection[readmodel.Chirp], error) { return r.Feed(ctx, userID(ann), page) },
		"ChirpsBy": func() (query.Connection[readmodel.Chirp], error) { return r.ChirpsBy(ctx, bob, page) },
		"Feed after its cursor": func() (query.Connection[readmodel.Chirp], error) {
			return r.Feed(ctx, userID(ann), query.Page{First: new(10), After: w.cursor(r, next+1)})
		},
	} {
		if got, err := list(); err != nil || len(got.Edges) != 0 {
			t.Errorf("%s: got %v, %v; want nothing", name, got, err)
		}
	}
	if got, err := r.FeedAfter(ctx, userID(ann), 0, 10); err != nil || len(got) != 0 {
		t.Errorf("FeedAfter: got %v, %v; want nothing", got, err)
	}
	followers, err := r.Followers(ctx, ann, page)
	if err != nil || len(followers.Edges) != 1 || followers.Edges[0].Node.Key != bob {
		t.Errorf("Followers: got %v, %v; want the first only", followers, err)
	}
	following, err := r.Following(ctx, ann, page)
	if err != nil || len(following.Edges) != 1 || following.Edges[0].Node.Key != bob {
		t.Errorf("Following: got %v, %v; want the first only", following, err)
	}
}
