package api_test

import (
	"fmt"
	"testing"
)

func TestAPageCostsAConstantNumberOfReads(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	for i := range 100 {
		author := w.person(fmt.Sprint("author", i))
		w.follow(ada, author)
		w.follow(author, ada)
		w.post(author, "hello")
	}
	const author = `{ id username followerCount isCelebrity viewerFollows }`
	for _, c := range []struct {
		name, operation string
		most            int64
	}{
		{"feed", `query($n: Int) { feed(first: $n) { edges { cursor node { id content author ` + author + ` } } } }`, 6},
		{"followers", `query($n: Int) { viewer { followers(first: $n) { edges { node ` + author + ` } } } }`, 5},
		{"following", `query($n: Int) { viewer { following(first: $n) { edges { node ` + author + ` } } } }`, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			var reads [2]int64
			for i, n := range []int{1, 100} {
				before, opened := w.views.reads.Load(), w.views.opened.Load()
				got := w.must(ada.token, c.operation, map[string]any{"n": n})
				reads[i] = w.views.reads.Load() - before
				list := map[string]string{"feed": "feed.edges"}[c.name]
				if list == "" {
					list = "viewer." + c.name + ".edges"
				}
				if rows := len(got.list(list, "node")); rows != n {
					t.Fatalf("got %d rows, want %d", rows, n)
				}
				if opened = w.views.opened.Load() - opened; opened != 1 && i == 1 {
					t.Errorf("%d snapshots were opened, want 1", opened)
				}
			}
			if reads[0] != reads[1] || reads[1] > c.most {
				t.Errorf("1 row took %d reads and 100 took %d, want the same and at most %d", reads[0], reads[1], c.most)
			}
		})
	}
}

func TestScalarsOfANodeCostNoReadOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada")
	w.must("", `{ user(username: "ada") { id } }`, nil)
	before := w.views.reads.Load()
	w.must("", `query($id: ID!) { user(id: $id) { id username followerCount followingCount chirpCount isCelebrity viewerFollows } }`, map[string]any{"id": ada.id})
	if reads := w.views.reads.Load() - before; reads != 1 {
		t.Errorf("a user took %d reads, want 1", reads)
	}
}
