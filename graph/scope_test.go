package graph_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"chirp/graph/api"
	"chirp/graph/graphtest"
	"chirp/internal/eventstore"
)

// TestAResponseHasAtMostOneSnapshotOpen asks for fields from the read model below each
// of several mutations, which need ever newer snapshots.
func TestAResponseHasAtMostOneSnapshotOpen(t *testing.T) {
	w := graphtest.New(t, func(c *api.Config) { c.Guard.Limits.Mutations = 20 })
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Must(ada.Token, `{ viewer { id } }`, nil)
	w.Views.Most.Store(0)
	var b strings.Builder
	for i := range 5 {
		fmt.Fprintf(&b, "p%d: postChirp(input: {content: \"x\"}) { chirp { author { chirpCount viewerFollows chirps { edges { node { author { followerCount } } } } } } } ", i)
	}
	fmt.Fprintf(&b, "f: followUser(input: {userId: %q}) { followee { followerCount chirpCount viewerFollows } } ", bob.ID)
	fmt.Fprintf(&b, "u: unfollowUser(input: {userId: %q}) { followee { followerCount viewerFollows } }", bob.ID)
	got := w.Must(ada.Token, "mutation { "+b.String()+" }", nil)
	for i := range 5 {
		if n := got.At(fmt.Sprintf("p%d.chirp.author.chirpCount", i)); n != float64(i+1) {
			t.Errorf("after chirp %d: chirpCount is %v, want %d", i, n, i+1)
		}
	}
	if got.At("f.followee.followerCount") != 1.0 || got.At("u.followee.followerCount") != 0.0 {
		t.Errorf("got %s, want one follower and then none", got.Body)
	}
	if most := w.Views.Most.Load(); most != 1 {
		t.Errorf("the response had %d views at once, want 1", most)
	}
}

// appendSpy calls a function before each append.
type appendSpy struct {
	eventstore.Log
	before func()
}

// Append implements eventstore.Log.
func (l appendSpy) Append(ctx context.Context, a eventstore.Append) (eventstore.Commit, error) {
	l.before()
	return l.Log.Append(ctx, a)
}

// TestAResponseHasNoSnapshotOpenWhileAMutationWaits counts the open snapshots when the
// second mutation is about to be written.
func TestAResponseHasNoSnapshotOpenWhileAMutationWaits(t *testing.T) {
	var open []int64
	var w *graphtest.World
	w = graphtest.New(t, func(c *api.Config) {
		c.Commands.Events = appendSpy{c.Commands.Events, func() { open = append(open, w.Views.Open.Load()) }}
	})
	ada := w.Person("ada")
	w.Must(ada.Token, `mutation {
		one: postChirp(input: {content: "one"}) { chirp { author { chirpCount } } }
		two: postChirp(input: {content: "two"}) { chirp { author { chirpCount } } }
	}`, nil)
	if !slices.Equal(open, []int64{0, 0}) {
		t.Errorf("before the appends %v views were open, want none", open)
	}
}
