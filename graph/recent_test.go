package graph_test

import (
	"fmt"
	"reflect"
	"testing"

	"chirp/graph/graphtest"
)

func TestAnonymousClientsMayIntrospect(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	for i := range 3 {
		w.Post(ada, fmt.Sprint("of ada ", i))
		w.Post(bob, fmt.Sprint("of bob ", i))
	}
	const explore = `query($first: Int, $after: String) {
		recentChirps(first: $first, after: $after) { edges { node { content author { username viewerFollows } } } pageInfo { hasNextPage hasPreviousPage endCursor } }
		recentUsers(first: $first, after: $after) { edges { node { username chirpCount viewerFollows } } pageInfo { hasNextPage } } }`
	first := w.Must("", explore, map[string]any{"first": 4})
	if got, want := first.List("recentChirps.edges", "node.content"), []any{"of bob 2", "of ada 2", "of bob 1", "of ada 1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the first page of chirps: got %v, want %v", got, want)
	}
	if got, want := first.List("recentUsers.edges", "node.username"), []any{"bob", "ada"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the users: got %v, want %v", got, want)
	}
	if first.At("recentChirps.pageInfo.hasNextPage") != true || first.At("recentUsers.pageInfo.hasNextPage") != false {
		t.Errorf("got %s, want more chirps and no more users", first.Body)
	}
	rest := w.Must("", explore, map[string]any{"after": first.At("recentChirps.pageInfo.endCursor")})
	if got, want := rest.List("recentChirps.edges", "node.content"), []any{"of bob 0", "of ada 0"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the second page of chirps: got %v, want %v", got, want)
	}
	if rest.At("recentChirps.pageInfo.hasPreviousPage") != true || rest.At("recentChirps.pageInfo.hasNextPage") != false {
		t.Errorf("the second page has pageInfo %v", rest.At("recentChirps.pageInfo"))
	}

	seen := w.Must(ada.Token, explore, map[string]any{"first": 6})
	for path, want := range map[string]any{
		"recentChirps.edges.0.node.author.viewerFollows": true, "recentChirps.edges.1.node.author.viewerFollows": false,
		"recentUsers.edges.0.node.viewerFollows": true, "recentUsers.edges.0.node.chirpCount": 3.0,
	} {
		if seen.At(path) != want {
			t.Errorf("for ada, %s is %v, want %v", path, seen.At(path), want)
		}
	}
}

func TestIntrospectionIsBounded(t *testing.T) {
	w := graphtest.New(t)
	for _, c := range []struct{ query, code string }{
		{`{ recentChirps(first: 101) { edges { cursor } } }`, "BAD_USER_INPUT"},
		{`{ recentUsers(first: 0) { edges { cursor } } }`, "BAD_USER_INPUT"},
		{`{ recentUsers(after: "x") { edges { cursor } } }`, "CURSOR_INVALID"},
		{`{ recentUsers(first: 100) { edges { node { chirps(first: 100) { edges { cursor } } } } } }`, "COMPLEXITY_LIMIT_EXCEEDED"},
		{`{ recentChirps(first: 100) { edges { node { author { followers(first: 100) { edges { cursor } } } } } } }`, "COMPLEXITY_LIMIT_EXCEEDED"},
	} {
		if got := w.Ask("", c.query, nil); got.Code() != c.code {
			t.Errorf("%s: got code %q, want %q", c.query, got.Code(), c.code)
		}
	}
}
