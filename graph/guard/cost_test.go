package guard_test

import (
	"fmt"
	"testing"

	"chirp/graph/graphtest"
)

func TestAPageCostsAConstantNumberOfReads(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	for i := range 100 {
		author := w.Person(fmt.Sprint("author", i))
		w.Follow(ada, author)
		w.Follow(author, ada)
		w.Post(author, "hello")
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
				before, opened := w.Views.Reads.Load(), w.Views.Opened.Load()
				got := w.Must(ada.Token, c.operation, map[string]any{"n": n})
				reads[i] = w.Views.Reads.Load() - before
				list := map[string]string{"feed": "feed.edges"}[c.name]
				if list == "" {
					list = "viewer." + c.name + ".edges"
				}
				if rows := len(got.List(list, "node")); rows != n {
					t.Fatalf("got %d rows, want %d", rows, n)
				}
				if opened = w.Views.Opened.Load() - opened; opened != 1 && i == 1 {
					t.Errorf("%d snapshots were opened, want 1", opened)
				}
			}
			if reads[0] != reads[1] || reads[1] > c.most {
				t.Errorf("1 row took %d reads and 100 took %d, want the same and at most %d", reads[0], reads[1], c.most)
			}
		})
	}
}

func TestScalarsOfANodeCostNoExtraRead(t *testing.T) {
	w := graphtest.New(t)
	ada := w.Person("ada")
	w.Must("", `{ user(username: "ada") { id } }`, nil)
	before := w.Views.Reads.Load()
	w.Must("", `query($id: ID!) { user(id: $id) { id username followerCount followingCount chirpCount isCelebrity viewerFollows } }`, map[string]any{"id": ada.ID})
	if reads := w.Views.Reads.Load() - before; reads != 1 {
		t.Errorf("a user took %d reads, want 1", reads)
	}
}
