package graph_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"chirp/graph/graphtest"
)

func TestListsArePagedFromBothEnds(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	w.Follow(ada, bob)
	for i := range 5 {
		w.Post(bob, fmt.Sprint(i))
		w.Follow(w.Person(fmt.Sprint("f", i)), bob)
	}
	const page = `{ edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }`
	for name, read := range map[string]struct{ operation, list string }{
		"feed":      {`query($first: Int, $after: String, $last: Int, $before: String) { feed(first: $first, after: $after, last: $last, before: $before) ` + page + ` }`, "feed"},
		"chirps":    {`query($first: Int, $after: String, $last: Int, $before: String) { user(username: "bob") { chirps(first: $first, after: $after, last: $last, before: $before) ` + page + ` } }`, "user.chirps"},
		"followers": {`query($first: Int, $after: String, $last: Int, $before: String) { user(username: "bob") { followers(first: $first, after: $after, last: $last, before: $before) ` + page + ` } }`, "user.followers"},
	} {
		t.Run(name, func(t *testing.T) {
			get := func(variables map[string]any) ([]any, map[string]any) {
				got := w.Must(ada.Token, read.operation, variables)
				info, _ := got.At(read.list + ".pageInfo").(map[string]any)
				return got.List(read.list+".edges", "cursor"), info
			}
			all, _ := get(nil)
			var backwards []any
			before := map[string]any{"last": 2}
			for {
				cursors, info := get(before)
				backwards = append(slices.Clone(cursors), backwards...)
				if len(cursors) > 2 || len(cursors) == 0 {
					t.Fatalf("got %d edges, want the last 2", len(cursors))
				}
				if want := before["before"] != nil; info["hasNextPage"] != want {
					t.Errorf("before %v: got hasNextPage %v, want %t", before["before"], info["hasNextPage"], want)
				}
				if info["startCursor"] != cursors[0] || info["endCursor"] != cursors[len(cursors)-1] {
					t.Errorf("got %v for the edges %v", info, cursors)
				}
				if info["hasPreviousPage"] != true {
					break
				}
				before["before"] = info["startCursor"]
			}
			if len(all) < 5 || !reflect.DeepEqual(backwards, all) {
				t.Errorf("two by two from the end: got %v, want %v", backwards, all)
			}
			if between, _ := get(map[string]any{"first": 2, "after": all[0], "before": all[3]}); !reflect.DeepEqual(between, all[1:3]) {
				t.Errorf("between two: got %v, want %v", between, all[1:3])
			}
			if begin, _ := get(map[string]any{"first": 2, "after": "", "last": nil}); !reflect.DeepEqual(begin, all[:2]) {
				t.Errorf("after an empty cursor: got %v, want the beginning, %v", begin, all[:2])
			}
		})
	}
}

func TestInvalidPagesAreRefused(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for operation, message := range map[string]string{
		`{ feed(last: 0) { edges { cursor } } }`:                "last is 0, it must be 1 to 100",
		`{ feed(last: 101) { edges { cursor } } }`:              "last is 101, it must be 1 to 100",
		`{ feed(first: 1, last: 1) { edges { cursor } } }`:      "first and last are both given; leave one of them out",
		`{ viewer { followers(last: 0) { edges { cursor } } }}`: "last is 0, it must be 1 to 100",
	} {
		if got := w.Ask(ada.Token, operation, nil); got.Code() != "BAD_USER_INPUT" || got.Errors[0].Message != message {
			t.Errorf("%s: got %s, want %q", operation, got.Body, message)
		}
	}
	const dear = `{ viewer { followers(last: 100) { edges { node { followers(last: 100) { edges { cursor } } } } } } }`
	if got := w.Ask(ada.Token, dear, nil); got.Code() != "COMPLEXITY_LIMIT_EXCEEDED" {
		t.Errorf("lists in lists, counted from their ends: got %s, want that they cost too much", got.Body)
	}
}

func TestAFieldThatFailsDoesNotFailTheOthers(t *testing.T) {
	w := graphtest.New(t)
	ada, bob := w.Person("ada"), w.Person("bob")
	got := w.Ask(ada.Token, `mutation { a: postChirp(input: {content: "one"}) { chirp { content } }
		b: followUser(input: {userId: "`+string(ada.ID)+`"}) { position }
		c: followUser(input: {userId: "`+string(bob.ID)+`"}) { followee { username } } }`, nil)
	if got.At("a.chirp.content") != "one" || got.Data["b"] != nil || got.At("c.followee.username") != "bob" {
		t.Errorf("got %s, want what was done of a and c, and null for b", got.Body)
	}
	if len(got.Errors) != 1 || !reflect.DeepEqual(got.Errors[0].Path, []any{"b"}) {
		t.Errorf("got %s, want one error, of b", got.Body)
	}
	got = w.Ask("", `{ feed { edges { cursor } } user(username: "bob") { username } }`, nil)
	if got.At("user.username") != "bob" || got.Code() != "UNAUTHENTICATED" {
		t.Errorf("a feed without a token: got %s, want the rest of the answer and an error", got.Body)
	}
}
