package graph_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chirp/graph"
	"chirp/graph/graphtest"
	"chirp/graph/model"
	"chirp/internal/auth"
	"chirp/internal/domain"
	"chirp/internal/query"
	"chirp/internal/readmodel"
)

func TestEffectsAreWhatTheViewsWillDeliver(t *testing.T) {
	w := graphtest.New(t)
	ann, bob := w.Person("ann"), w.Person("bob")
	w.Follow(bob, ann)
	for range 1300 { // of which a follow skips 1,248
		w.Post(ann, "hello")
	}
	fan := w.Person("fan")
	for _, p := range []graphtest.Person{fan, w.Person("fan2"), w.Person("fan3")} {
		w.Follow(p, ann)
	}
	cid := w.Person("cid")
	if head, err := w.Head(t.Context()); err != nil {
		t.Fatal(err)
	} else if _, err := w.Views.Await(t.Context(), head-1); err != nil {
		t.Fatal(err)
	}
	r := graph.New(graph.Config{Queries: &query.Service{Views: w.Views, Head: w.Head, Hashes: w.Log.Hashes}})
	as := func(p graphtest.Person) context.Context { return auth.WithCaller(t.Context(), p.ID) }
	annID, bobID := string(ann.ID), string(bob.ID)
	for name, c := range map[string]struct {
		ctx        context.Context
		input      any
		deliveries int64
		followee   string
	}{
		"a chirp":                             {as(ann), model.PostChirpInput{Content: "hello"}, 4, ""},
		"a chirp of a user with no followers": {as(bob), model.PostChirpInput{Content: "hello"}, 0, ""},
		"a follow":                            {as(cid), model.FollowUserInput{UserID: annID}, 52, annID},
		"a follow of a user with no chirps":   {as(ann), model.FollowUserInput{UserID: bobID}, 0, bobID},
		"an unfollow":                         {as(fan), model.UnfollowUserInput{UserID: annID}, 52, annID},
		"an unfollow that removes 1,300":      {as(bob), model.UnfollowUserInput{UserID: annID}, 1000, annID},
		"an unfollow of another user":         {as(ann), model.UnfollowUserInput{UserID: bobID}, 0, bobID},
		"a follow of an unknown user":         {as(ann), model.FollowUserInput{UserID: "user_01h455vb4pex5vsknk084sn02q"}, 0, "user_01h455vb4pex5vsknk084sn02q"},
		"a follow of no user":                 {as(ann), model.FollowUserInput{UserID: "nobody"}, 0, ""},
		"without a token":                     {t.Context(), model.PostChirpInput{}, 0, ""},
		"a log-in":                            {t.Context(), model.LogInInput{Username: "ann"}, 0, ""},
	} {
		if deliveries, followee := r.Effect(c.ctx, c.input); deliveries != c.deliveries || followee != c.followee {
			t.Errorf("%s: got %d deliveries and the followee %q, want %d and %q", name, deliveries, followee, c.deliveries, c.followee)
		}
	}
	w.Views.Fail(errors.New("an outage"))
	defer w.Views.Fail(nil)
	for _, c := range []struct {
		input      any
		deliveries int64
	}{{model.PostChirpInput{}, 0}, {model.FollowUserInput{UserID: annID}, 64}, {model.UnfollowUserInput{UserID: annID}, 0}} {
		if deliveries, _ := r.Effect(as(bob), c.input); deliveries != c.deliveries {
			t.Errorf("%T while the views cannot be read: got %d deliveries, want %d", c.input, deliveries, c.deliveries)
		}
	}
}

// busyViews has no snapshot left.
type busyViews struct{ readmodel.Store }

func (busyViews) Snapshot(ctx context.Context) (readmodel.Snapshot, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestEffectsAreNotAwaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := graph.New(graph.Config{Queries: &query.Service{Views: busyViews{}}})
		began, user := time.Now(), domain.UserIDFrom([16]byte{1})
		deliveries, _ := r.Effect(auth.WithCaller(t.Context(), user), model.FollowUserInput{UserID: string(user)})
		if waited := time.Since(began); deliveries != 64 || waited != 100*time.Millisecond {
			t.Errorf("while the views are busy: got %d deliveries after %s, want 64 after 100ms", deliveries, waited)
		}
	})
}
