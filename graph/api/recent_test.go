package api_test

import (
	"fmt"
	"reflect"
	"testing"
)

func TestAnybodyMayExplore(t *testing.T) {
	w := newWorld(t)
	ada, bob := w.person("ada"), w.person("bob")
	w.follow(ada, bob)
	for i := range 3 {
		w.post(ada, fmt.Sprint("of ada ", i))
		w.post(bob, fmt.Sprint("of bob ", i))
	}
	const explore = `query($first: Int, $after: String) {
		recentChirps(first: $first, after: $after) { edges { node { content author { username viewerFollows } } } pageInfo { hasNextPage hasPreviousPage endCursor } }
		recentUsers(first: $first, after: $after) { edges { node { username chirpCount viewerFollows } } pageInfo { hasNextPage } } }`
	first := w.must("", explore, map[string]any{"first": 4})
	if got, want := first.list("recentChirps.edges", "node.content"), []any{"of bob 2", "of ada 2", "of bob 1", "of ada 1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the first page of chirps: got %v, want %v", got, want)
	}
	if got, want := first.list("recentUsers.edges", "node.username"), []any{"bob", "ada"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the users: got %v, want %v", got, want)
	}
	if first.at("recentChirps.pageInfo.hasNextPage") != true || first.at("recentUsers.pageInfo.hasNextPage") != false {
		t.Errorf("got %s, want more chirps and no more users", first.body)
	}
	rest := w.must("", explore, map[string]any{"after": first.at("recentChirps.pageInfo.endCursor")})
	if got, want := rest.list("recentChirps.edges", "node.content"), []any{"of bob 0", "of ada 0"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the second page of chirps: got %v, want %v", got, want)
	}
	if rest.at("recentChirps.pageInfo.hasPreviousPage") != true || rest.at("recentChirps.pageInfo.hasNextPage") != false {
		t.Errorf("the second page has pageInfo %v", rest.at("recentChirps.pageInfo"))
	}

	seen := w.must(ada.token, explore, map[string]any{"first": 6})
	for path, want := range map[string]any{
		"recentChirps.edges.0.node.author.viewerFollows": true, "recentChirps.edges.1.node.author.viewerFollows": false,
		"recentUsers.edges.0.node.viewerFollows": true, "recentUsers.edges.0.node.chirpCount": 3.0,
	} {
		if seen.at(path) != want {
			t.Errorf("for ada, %s is %v, want %v", path, seen.at(path), want)
		}
	}
}

func TestExploringIsBounded(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ query, code string }{
		{`{ recentChirps(first: 101) { edges { cursor } } }`, "BAD_USER_INPUT"},
		{`{ recentUsers(first: 0) { edges { cursor } } }`, "BAD_USER_INPUT"},
		{`{ recentUsers(after: "x") { edges { cursor } } }`, "CURSOR_INVALID"},
		{`{ recentUsers(first: 100) { edges { node { chirps(first: 100) { edges { cursor } } } } } }`, "COMPLEXITY_LIMIT_EXCEEDED"},
		{`{ recentChirps(first: 100) { edges { node { author { followers(first: 100) { edges { cursor } } } } } } }`, "COMPLEXITY_LIMIT_EXCEEDED"},
	} {
		if got := w.ask("", c.query, nil); got.code() != c.code {
			t.Errorf("%s: got code %q, want %q", c.query, got.code(), c.code)
		}
	}
}
