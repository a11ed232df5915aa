package graph_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"chirp/graph"
	"chirp/graph/graphtest"
	"chirp/graph/model"
	"chirp/internal/auth"
	"chirp/internal/query"
)

func TestEffectsAreWhatTheViewsWillDeliver(t *testing.T) {
	w := graphtest.New(t)
	ann, bob := w.Person("ann"), w.Person("bob")
	w.Follow(bob, ann)
	for range 300 { // of which a follow skips 256
		w.Post(ann, "hello")
	}
	for i := range 3 {
		w.Follow(w.Person(fmt.Sprint("fan", i)), ann)
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
		"a follow":                            {as(cid), model.FollowUserInput{UserID: annID}, 44, annID},
		"a follow of a user with no chirps":   {as(ann), model.FollowUserInput{UserID: bobID}, 0, bobID},
		"an unfollow":                         {as(bob), model.UnfollowUserInput{UserID: annID}, 300, annID},
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
	if deliveries, followee := r.Effect(as(bob), model.UnfollowUserInput{UserID: annID}); deliveries != 0 || followee != annID {
		t.Errorf("while the views cannot be read: got %d deliveries and the followee %q, want none and ann", deliveries, followee)
	}
}
